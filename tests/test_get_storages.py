"""get_storages(): what it returns in each environment, and a page that is built and served."""

import gzip
import http.client
import re
import uuid
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.request import urlopen

import pytest

from herokuify import get_storages
from herokuify.exceptions import ConfigurationError
from tests.project import Project
from tests.servers import S3Server
from tests.web_dyno import ENTRY_POINTS, gunicorn, serving

DYNO = {"DYNO": "web.1", "PORT": "5000"}
BUILD = {"DYNO": "run.1", "SOURCE_VERSION": "0" * 40}
BUCKETEER = {"BUCKETEER_BUCKET_NAME": "b", "BUCKETEER_AWS_REGION": "eu-west-1"}
CLOUDCUBE = {"CLOUDCUBE_URL": "https://cloud-cube-eu.s3.amazonaws.com/cube"}
S3 = {"AWS_STORAGE_BUCKET_NAME": "my-bucket"}
MEDIA = "herokuify.storage.S3MediaStorage"
STATIC = "herokuify.storage.CachedS3ManifestStaticStorage"
DISK = "django.core.files.storage.FileSystemStorage"
PLAIN = "django.contrib.staticfiles.storage.StaticFilesStorage"
WHITENOISE = "whitenoise.storage.CompressedManifestStaticFilesStorage"


def backends(environ: dict[str, str], **arguments: Any) -> tuple[str, str]:
    found = get_storages(environ, **arguments)
    assert found.keys() == {"default", "staticfiles"}
    return found["default"]["BACKEND"], found["staticfiles"]["BACKEND"]


@pytest.mark.parametrize("stage", [{}, DYNO, BUILD, {"CI": "true"}], ids=str)
@pytest.mark.parametrize("bucket", [S3, BUCKETEER, CLOUDCUBE], ids=str)
def test_a_bucket_is_used_wherever_it_is_set(stage: dict[str, str], bucket: dict[str, str]) -> None:
    assert backends(stage | bucket) == (MEDIA, STATIC)


@pytest.mark.parametrize(
    ("stage", "expected"),
    [(DYNO, WHITENOISE), (BUILD, WHITENOISE), ({}, PLAIN), ({"CI": "true"}, PLAIN)],
    ids=str,
)
def test_without_a_bucket_whitenoise_hashes_on_deployed_sites(
    monkeypatch: pytest.MonkeyPatch, stage: dict[str, str], expected: str
) -> None:
    blank = {"AWS_STORAGE_BUCKET_NAME": " "}
    assert backends(stage | blank) == (DISK, expected)
    monkeypatch.setattr("herokuify.storages.find_spec", lambda name: None)
    assert backends(stage) == (DISK, PLAIN)


def test_classes_and_options_are_arguments() -> None:
    options = {"querystring_expire": 600}
    assert get_storages(S3, media={"OPTIONS": options}, static="mine.Static") == {
        "default": {"BACKEND": MEDIA, "OPTIONS": options},
        "staticfiles": {"BACKEND": "mine.Static"},
    }
    found = get_storages(S3, static={"BACKEND": "mine.Static", "OPTIONS": options})
    assert found["staticfiles"] == {"BACKEND": "mine.Static", "OPTIONS": options}
    # Without a bucket, they have no effect.
    assert get_storages({}, media={"OPTIONS": options}) == get_storages({})


def test_two_buckets_are_an_error() -> None:
    with pytest.raises(ConfigurationError, match="Bucketeer and Cloudcube are both attached"):
        get_storages(BUCKETEER | CLOUDCUBE)


def test_the_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert get_storages() == get_storages({})
    monkeypatch.setenv("AWS_STORAGE_BUCKET_NAME", "my-bucket")
    assert get_storages() == get_storages(S3)


SETTINGS = """
from pathlib import Path
import herokuify
from herokuify.aws import *
from herokuify.common import *

SECRET_KEY = "x" * 60
USE_TZ = True
ALLOWED_HOSTS = ["*"]
SECURE_SSL_REDIRECT = False
INSTALLED_APPS = ["herokuify", "django.contrib.staticfiles"]
MIDDLEWARE = [{middleware}]
ROOT_URLCONF = "urls"
WSGI_APPLICATION = "wsgi.application"
TEMPLATES = [{{"BACKEND": "django.template.backends.django.DjangoTemplates"}}]
STORAGES = herokuify.get_storages()
STATIC_URL = get_static_url()
STATIC_ROOT = Path("static").absolute()
STATICFILES_DIRS = ["assets"]
"""
FILES = ENTRY_POINTS | {
    "assets/site.css": "body { color: green }\n" * 50,
    "urls.py": """
from django.http import HttpResponse
from django.template import Context, Template
from django.urls import path

PAGE = Template("{% load static %}{% static 'site.css' %}")

urlpatterns = [path("", lambda request: HttpResponse(PAGE.render(Context())))]
""",
}
MIDDLEWARE = (
    '"django.middleware.security.SecurityMiddleware", "whitenoise.middleware.WhiteNoiseMiddleware"'
)


@pytest.fixture
def build(make_project: Callable[..., Project]) -> Callable[..., Project]:
    """Make a project and run collectstatic in it, as Heroku's build does."""

    def run(middleware: str = "", before: str = "", **config: str) -> Project:
        site = make_project(before + SETTINGS.format(middleware=middleware), FILES, config)
        result = site.manage("collectstatic", "--noinput", env=BUILD)
        assert result.returncode == 0, result.stdout + result.stderr
        return site

    return run


def fetch(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


def checks(site: Project) -> str:
    return site.manage("check", "--tag", "herokuify", env=DYNO | {"SECRET_KEY": "x" * 60}).stderr


def test_page_with_s3(build: Callable[..., Project], moto: S3Server) -> None:
    bucket = f"test-{uuid.uuid4().hex}"
    config = moto.variables | {"AWS_STORAGE_BUCKET_NAME": bucket, "AWS_AUTO_CREATE_BUCKET": "true"}
    site = build(**config)
    with serving(site, gunicorn()) as dyno:
        url = fetch(dyno.port, "/")[2].decode()
    assert re.fullmatch(rf"{moto.endpoint_url}/{bucket}/static/site\.[0-9a-f]{{12}}\.css", url)
    with urlopen(url) as answer:
        assert answer.read().startswith(b"body { color: green }")
    assert "W014" not in checks(site)


def test_page_with_whitenoise(build: Callable[..., Project]) -> None:
    site = build(MIDDLEWARE)
    with serving(site, gunicorn()) as dyno:
        url = fetch(dyno.port, "/")[2].decode()
        assert re.fullmatch(r"/static/site\.[0-9a-f]{12}\.css", url)
        status, headers, body = fetch(dyno.port, url, **{"Accept-Encoding": "gzip"})
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    assert gzip.decompress(body).startswith(b"body { color: green }")
    assert "immutable" in headers["Cache-Control"]
    assert "W014" not in checks(site)


def test_whitenoise_without_its_middleware_is_reported(build: Callable[..., Project]) -> None:
    site = build()
    with serving(site, gunicorn()) as dyno:
        url = fetch(dyno.port, "/")[2].decode()
        assert fetch(dyno.port, url)[0] == 404
    found = " ".join(checks(site).split())
    assert "(herokuify.W014)" in found
    assert "WhiteNoise is installed, but its middleware is missing" in found
    assert (
        '"whitenoise.middleware.WhiteNoiseMiddleware", below Django\'s SecurityMiddleware' in found
    )


def test_neither_is_reported(build: Callable[..., Project]) -> None:
    site = build(before="import sys\nsys.modules['whitenoise'] = None\n")
    with serving(site, gunicorn()) as dyno:
        assert fetch(dyno.port, "/")[2] == b"/static/site.css"
        assert fetch(dyno.port, "/static/site.css")[0] == 404
    assert (site.folder / "static" / "site.css").is_file()
    found = " ".join(checks(site).split())
    assert "(herokuify.W014)" in found
    assert "STORAGES = herokuify.get_storages()" in found
