"""django-vite: a build of Vite, with the settings in docs/guides/vite.md, in Chromium."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from herokuify.s3 import policies
from tests.browser.conftest import ARGUMENTS
from tests.project import Project
from tests.servers import S3Server, client_of
from tests.thirdparty import sites

if TYPE_CHECKING:
    from playwright.sync_api import Playwright

HERE = Path(__file__).resolve().parent
GUIDE = HERE.parent.parent / "docs" / "guides" / "vite.md"
SETTINGS = """
INSTALLED_APPS += ["django.contrib.staticfiles"]
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES["staticfiles"]["BACKEND"] = "herokuify.storage.CachedS3ManifestStaticStorage"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
"""
SOURCE = """
from django.contrib.staticfiles.storage import staticfiles_storage
from django.template import engines
call_command("collectstatic", interactive=False, verbosity=0)
start = '<!doctype html><link rel="icon" href="data:,"><body>'
page = engines["django"].from_string(start + 'TAGS</body>')
found["page"] = page.render()
found["names"] = staticfiles_storage.listdir("assets")[1]
"""


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


@pytest.mark.parametrize("follows_guide", [True, False])
def test_entry_runs_once(
    make_project: Callable[..., Project],
    moto: S3Server,
    moto_bucket: str,
    playwright: "Playwright",
    executable: str,
    follows_guide: bool,
) -> None:
    built = {
        path.relative_to(HERE / "vite").as_posix(): path.read_text(encoding="utf-8")
        for path in (HERE / "vite" / "dist").rglob("*.*")
    }
    settings = SETTINGS + block("python")
    if not follows_guide:
        settings += "\nHEROKUIFY_IMMUTABLE_FILES = ()\n"
    source = SOURCE.replace("TAGS", block("django").replace("\n", ""))
    found = sites.run(make_project, moto, moto_bucket, settings, source, built)
    names = {name.removeprefix("dist/assets/") for name in built if "/assets/" in name}
    assert (set(found["names"]) == names) is follows_guide
    client = client_of(moto)
    policy = policies.public_policy(None, moto_bucket, ["static"])
    client.put_bucket_policy(Bucket=moto_bucket, Policy=json.dumps(policy))
    # The page is on the same origin, as Chromium blocks requests from other sites to loopback.
    client.put_object(
        Bucket=moto_bucket, Key="static/page.html", Body=found["page"], ContentType="text/html"
    )
    browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
    try:
        page = browser.new_page()
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text))
        page.goto(f"{moto.endpoint_url}/{moto_bucket}/static/page.html")
        # Set by a chunk that the entry loads later, and that imports the entry.
        page.wait_for_selector("body[data-lazy]", state="attached")
        runs = page.evaluate("window.runs")
        # Otherwise, names are hashed twice, and the entry is loaded as two modules.
        assert runs == (1 if follows_guide else 2)
        assert page.evaluate("document.body.dataset.lazy") == f"main {runs} dot"
        for name in ("color", "outlineColor"):
            assert page.evaluate(f"getComputedStyle(document.body).{name}") in {
                "rgb(1, 2, 3)",
                "rgb(4, 5, 6)",
            }
        assert problems == []
    finally:
        browser.close()
