"""Projects from elsewhere: what worked before works afterwards, with their own config vars."""

import gzip
import json
import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from herokuify.init.block import MARK
from tests.init.conftest import Init
from tests.init.origins import KEY, ORIGINS, Origin
from tests.project import Project
from tests.projects import heroku
from tests.projects.site import tree
from tests.servers import S3Server
from tests.web_dyno import serving

URL = "postgres://me:hunter2@db.example.com:5432/site"
DYNO = {"DYNO": "web.1", "PORT": "5000", "DATABASE_URL": URL}
TELL = """
import json, sys
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import SystemCheckError

try:
    call_command("check", deploy=True)
except SystemCheckError as error:
    print(error, file=sys.stderr)
found = {name: getattr(settings, name, None) for name in NAMES if name != "MEDIA_FILE"}
if "MEDIA_FILE" in NAMES:
    from django.core.files.storage import default_storage
    found["MEDIA_FILE"] = default_storage.url("photos/a.jpg")
found["DATABASE"] = settings.DATABASES.get("default", {})
print("found:" + json.dumps(found, default=str))
"""
#: They come with HSTS, which was off.
HSTS = {"security.W005", "security.W021"}
LINES = """
import herokuify
from herokuify.aws import *
from herokuify.common import *

INSTALLED_APPS = ["herokuify", *INSTALLED_APPS]
DATABASES = herokuify.get_db_config(sqlite_path=BASE_DIR / 'db.sqlite3')
CACHES = herokuify.get_cache_config()
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = herokuify.get_storages()
STATIC_URL = get_static_url()
MEDIA_URL = get_media_url()
globals().update(herokuify.get_email_config())
"""
#: Of a database; what herokuify adds besides, TLS and health checks, may differ.
PARTS = ("ENGINE", "HOST", "PORT", "NAME", "USER", "PASSWORD", "ATOMIC_REQUESTS", "CONN_MAX_AGE")


def tell(
    project: Project, names: tuple[str, ...], *, url: str = URL
) -> tuple[dict[str, Any], set[str]]:
    """Return settings, and the ids that ``check --deploy`` reports, as on a dyno."""
    result = project.snippet(f"NAMES = {names!r}\n" + TELL, env={**DYNO, "DATABASE_URL": url})
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout.partition("found:")[2])
    return found, set(re.findall(r"\(([a-z_0-9]+\.[WE]\d+)\)", result.stderr))


PAGE = """
from django.http import HttpResponse
from django.templatetags.static import static
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse(static("site.css")))]
"""


@pytest.mark.once
def test_serves(make_origin: Callable[[Origin], Project], init: Init, moto: S3Server) -> None:
    """What init wrote is built and served, with WhiteNoise and with a bucket."""
    project = make_origin(ORIGINS["getting_started"])
    project.write({"mysite/urls.py": PAGE, "assets/site.css": "body { margin: 0 }" * 100})
    settings = project.folder / "mysite/settings.py"
    with settings.open("a", encoding="utf-8") as file:
        file.write('STATICFILES_DIRS = [BASE_DIR / "assets"]\n')
    (project.folder / "Procfile").unlink()  # init writes one
    assert init("--write")[0] == 0
    procfile = (project.folder / "Procfile").read_text(encoding="utf-8")
    web = procfile.partition("web: ")[2].split()
    headers = {"Host": "www.example.com", "X_Forwarded_Proto": "https"}
    name = f"test-{uuid.uuid4().hex}"
    bucket = {**moto.variables, "AWS_STORAGE_BUCKET_NAME": name, "AWS_AUTO_CREATE_BUCKET": "true"}
    for variables in ({}, bucket):
        built = heroku.collectstatic(project, env=variables)
        assert built.returncode == 0, built.stderr
        with serving(project, web, **variables) as dyno:
            assert dyno.get("/", Host="www.example.com")[0] == 301
            status, page = dyno.get("/", **headers)
            assert status == 200, dyno.log.read_text()
            url = page.decode()
            assert re.search(r"/site\.[0-9a-f]{12}\.css$", url)
            if not variables:
                status, css = dyno.get(url, **headers)
                assert (status, css[:6]) == (200, b"body {")
    assert url.startswith(f"{moto.endpoint_url}/{name}/static/")
    with urlopen(url) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(answer.read()).startswith(b"body {")


@pytest.mark.once  # the settings before init are those of one Django
@pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS)
def test_moves(make_origin: Callable[[Origin], Project], init: Init, origin: Origin) -> None:
    project = make_origin(origin)
    folder = project.folder
    before, reported = tell(project, origin.same)
    files = {path: (folder / path).read_bytes() for path in tree(folder)}

    status, shown = init()
    assert status == 0, shown
    assert {path: (folder / path).read_bytes() for path in tree(folder)} == files

    status, written = init("--write")
    assert status == 0, written
    assert shown.replace("  python -m herokuify init --write\n", "") == written
    settings = origin.module.replace(".", "/") + ".py"
    for path in set(tree(folder)) - set(files):
        assert path in origin.made or path.endswith(".orig"), path
    assert origin.made <= set(tree(folder))
    assert (folder / f"{settings}.orig").read_bytes() == files[settings]
    text = (folder / settings).read_text(encoding="utf-8")
    assert text.startswith(files[settings].decode().rstrip("\n"))
    assert max(map(len, text.splitlines())) <= 110
    for line in origin.block:
        assert f"\n{line}" in text
    for words in origin.said:
        assert words in written
    assert "hunter2" not in written

    kept = {path: (folder / path).read_bytes() for path in tree(folder)}
    status, again = init("--write")
    assert (status, again.splitlines()[-1]) == (0, "Nothing to do.")
    assert {path: (folder / path).read_bytes() for path in tree(folder)} == kept

    after, now = tell(project, origin.same)
    database = after.pop("DATABASE")
    assert database["HOST"] == "db.example.com"
    if not origin.reads_url:  # what it had without one, it has without one
        database = tell(project, (), url="")[0]["DATABASE"]
    expected = before.pop("DATABASE")
    assert {part: database[part] for part in PARTS} == {part: expected[part] for part in PARTS}
    assert after == before
    django = {one for one in now if not one.startswith("herokuify.")}
    assert django <= reported | HSTS if "security.W004" in reported else django <= reported
    assert not {one for one in now if one.startswith("herokuify.E")}


def test_startproject(tmp_path: Path, init: Init) -> None:
    """A new project gets the lines of README."""
    folder = tmp_path / "project"
    folder.mkdir()
    django_admin = [sys.executable, "-m", "django", "startproject", "mysite", str(folder)]
    subprocess.run(django_admin, check=True, cwd=folder)
    status, written = init("--write")
    assert status == 0, written
    block = (folder / "mysite/settings.py").read_text(encoding="utf-8").partition(MARK)[2]
    assert block == LINES
    assert "DEBUG=true python manage.py runserver" in written
    assert 'heroku config:set SECRET_KEY="$(openssl rand' in written
    assert "AWS_STORAGE_BUCKET_NAME=…  # or install WhiteNoise" in written
    assert "  line 23: SECRET_KEY\n" in written
    assert (folder / "requirements.txt").read_text().split() == [
        *("Django", "herokuify", "gunicorn", "psycopg[binary]")
    ]
    assert (
        "web: gunicorn -c python:herokuify.server mysite.wsgi" in (folder / "Procfile").read_text()
    )
    project = Project(folder, {"DJANGO_SETTINGS_MODULE": "mysite.settings", "SECRET_KEY": KEY})
    found, now = tell(project, ("DEBUG", "STATIC_URL", "STATIC_ROOT"))
    assert found["DATABASE"]["HOST"] == "db.example.com"
    assert (found["DEBUG"], found["STATIC_URL"]) == (False, "/static/")
    assert found["STATIC_ROOT"] == str(folder / "staticfiles")
    assert now == {*HSTS, "herokuify.W010", "herokuify.W014", "security.W020"}
