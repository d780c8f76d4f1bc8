"""The peak memory of a run, in its own process."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fault_proxy import sink
from tests.project import Project
from tests.replay import Document, Request, replay

pytestmark = pytest.mark.once

MEGABYTE = 1024 * 1024
LIMIT_KB = 150 * 1024
SMALL_FILES = 3000
SETTINGS = """
INSTALLED_APPS = ["herokuify", "django.contrib.staticfiles"]
SECRET_KEY = "not-a-secret"
USE_TZ = True
STATICFILES_DIRS = ["source"]
STATIC_ROOT = "collected"
STATIC_URL = "{url}/bucket/static/"
AWS_STORAGE_BUCKET_NAME = "bucket"
AWS_ACCESS_KEY_ID = AWS_SECRET_ACCESS_KEY = "test"
AWS_S3_ENDPOINT_URL = "{url}"
AWS_S3_REGION_NAME = "us-east-1"
AWS_S3_ADDRESSING_STYLE = "path"
STORAGES = {{
    "default": {{"BACKEND": "django.core.files.storage.InMemoryStorage"}},
    "staticfiles": {{"BACKEND": "herokuify.storage.{backend}"}},
}}
"""
RUN = """
from pathlib import Path
from django.core.management import call_command

call_command("collectstatic", interactive=False)
# getrusage() would include the process that started this one.
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


def names() -> list[str]:
    return [f"{number % 20}/{number}.js" for number in range(SMALL_FILES)]


def changed_bucket(request: Request) -> object:
    """Answer as a bucket with an older version of each small file, so that they are sent last."""
    if request.operation != "ListObjects":
        return sink(request)
    items = "".join(
        f"<Contents><Key>static/{name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        f"<ETag>&quot;{'0' * 32}&quot;</ETag><Size>1</Size></Contents>"
        for name in names()
    )
    return Document(
        "Amazon S3 API Reference, 'ListObjectsV2'",
        f"<ListBucketResult><IsTruncated>false</IsTruncated>{items}</ListBucketResult>".encode(),
    )


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("backend", ["S3StaticStorage", "S3ManifestStaticStorage"])
def test_large_and_many_files_need_little_memory(
    make_project: Callable[..., Project], tmp_path: Path, backend: str
) -> None:
    source = tmp_path / "project" / "source"
    for name in names():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"// {name}\n".encode() + os.urandom(15_000).hex().encode())
    with (source / "large.bin").open("wb") as large:
        large.truncate(200 * MEGABYTE)
    # No server is behind the proxy, which answers every request itself.
    with replay("http://127.0.0.1:9") as proxy:

        def rule(request: Request) -> object:
            proxy.requests.clear()  # their bodies would fill the memory
            return changed_bucket(request)

        proxy.rule = rule  # type: ignore[assignment]
        project = make_project(SETTINGS.format(url=proxy.url, backend=backend))
        run = project.snippet(RUN)
    assert run.returncode == 0, run.stderr
    *_, summary, peak = run.stdout.splitlines()
    sent = {"S3StaticStorage": SMALL_FILES + 1, "S3ManifestStaticStorage": 2 * SMALL_FILES + 4}
    assert summary.startswith(f"{sent[backend]} static files: {sent[backend]} sent, 0 unchanged, ")
    assert int(peak) < LIMIT_KB
