"""Fixtures for the tests of faults."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import page
from tests.faults.fault import Fault, Means
from tests.faults.servers import Servers, Slug, variables
from tests.project import make_project
from tests.projects import heroku
from tests.projects.site import lay_out, succeeded
from tests.servers import S3Server, remove_bucket
from tests.services.conftest import redis

__all__ = ["redis"]
WRITE = "HEROKUIFY_TEST_WRITE_DOCS"


@pytest.fixture
def servers(request: pytest.FixtureRequest) -> Servers:
    return Servers(request)


@pytest.fixture(scope="session")
def written() -> Iterator[dict[str, str] | None]:
    """Messages by the faults' titles, which become the page; None unless it is to be written."""
    if os.environ.get(WRITE) != "1":
        yield None
        return
    messages = page.entries(page.current())  # faults that this run skips keep their messages
    yield messages
    page.PATH.write_text(page.render(messages), encoding="utf-8")


@pytest.fixture(scope="session")
def slug(ceph: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slug]:
    """Build and publish the shop, including bundles."""
    made = Slug(tmp_path_factory.mktemp("slug"), ceph, f"test-{uuid.uuid4().hex}")
    config = variables(ceph, made.bucket, AWS_AUTO_CREATE_BUCKET="true")
    source = Fault("", Means.COMMAND, (), settings="HEROKUIFY_COMPRESS = True\n").source
    project = make_project(made.folder, source, env=config)
    lay_out(project)
    try:
        succeeded(heroku.collectstatic(project))
        yield made
    finally:
        remove_bucket(made.client, made.bucket)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Create a self-signed certificate for loopback, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    path, key = folder / "server.crt", folder / "server.key"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    names = ["-subj", "/CN=s3.example.com", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(path)]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    return path, key
