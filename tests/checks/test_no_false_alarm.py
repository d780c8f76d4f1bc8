"""Correct settings have no messages, in any stage."""

from collections.abc import Callable

import pytest

from tests import project
from tests.checks.conftest import (
    CACHED_MANIFEST,
    LOCAL_MEDIA,
    LOCAL_STATIC,
    MEDIA,
    SECRET,
    STAGES,
    Found,
    storages,
)
from tests.test_example import BUILT

ON_DISK = "compressor.storage.CompressorFileStorage"
DJANGO_MANIFEST = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
PLAIN = "herokuify.storage.S3StaticStorage"
CACHED = "herokuify.storage.CachedS3StaticStorage"
SITE = {
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_STORAGE_BUCKET_NAME": "my-bucket",
    "DATABASE_URL": "sqlite://",
    "HEROKU_APP_DEFAULT_DOMAIN_NAME": "kestrel-12ab.herokuapp.com",
    "SECRET_KEY": "".join(map(chr, range(33, 127))),
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    ("static", "bundles"),
    [
        (PLAIN, None),
        ("herokuify.storage.S3ManifestStaticStorage", None),
        (CACHED, None),
        (CACHED_MANIFEST, None),
        (CACHED, CACHED),
        (CACHED_MANIFEST, CACHED_MANIFEST),
        (CACHED_MANIFEST, CACHED),
    ],
)
@pytest.mark.parametrize("media", [MEDIA, "herokuify.storage.S3BotoStorage"])
def test_all_classes_are_fine(
    found: Found, stage: str, static: str, bundles: str | None, media: str
) -> None:
    bundles_on = {"COMPRESS_STORAGE": bundles} if bundles else {"COMPRESS_ENABLED": False}
    assert found(stage, STORAGES=storages(static, media), **bundles_on) == []


@pytest.mark.parametrize("stage", ["local", "build"])
@pytest.mark.parametrize("static", [LOCAL_STATIC, DJANGO_MANIFEST])
def test_local_storages_are_fine(found: Found, stage: str, static: str) -> None:
    local = storages(static, LOCAL_MEDIA)
    assert found(stage, STORAGES=local, COMPRESS_STORAGE=ON_DISK, STATIC_URL="/static/") == []


@pytest.mark.parametrize(
    "backend",
    [PLAIN, MEDIA, CACHED_MANIFEST, "herokuify.storage.CachedS3BotoStorage"],
)
def test_storages_with_other_aliases_are_fine(found: Found, backend: str) -> None:
    assert found("dyno", STORAGES={**storages(), "other": {"BACKEND": backend}}) == []


DEFAULTS = """
SECRET_KEY = "not-a-secret"
ALLOWED_HOSTS = ["www.example.com"]
INSTALLED_APPS = [
    "herokuify",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
SILENCED_SYSTEM_CHECKS = ["herokuify.W014"]  # a server in front has the static files
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"
USE_TZ = True
"""


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("fragment", ["", "from herokuify.aws import *\n"], ids=["alone", "aws"])
def test_djangos_defaults_are_fine(
    make_project: Callable[..., project.Project], stage: str, fragment: str
) -> None:
    """As startproject writes them; no check imports boto3 or django-compressor."""
    site = make_project(fragment + DEFAULTS, env=STAGES[stage])
    result = site.snippet(
        "import sys\nfrom django.core.checks import run_checks\n"
        "print([m for m in run_checks() if not m.is_silenced()], "
        "{'boto3', 'botocore', 'compressor'} & set(sys.modules))",
        sockets=False,
    )
    assert (result.stdout, result.stderr) == ("[] set()\n", "")


class TestExample:
    @pytest.mark.parametrize(
        ("stage", "env"), [("local", {}), ("build", {}), *((stage, SITE) for stage in STAGES)]
    )
    def test_nothing_is_wrong(
        self, example: project.Project, stage: str, env: dict[str, str]
    ) -> None:
        example.write(BUILT)
        result = example.manage("check", env=STAGES[stage] | env, sockets=False)
        assert (result.returncode, result.stderr) == (0, "")
        assert "no issues" in result.stdout

    def test_missing_bucket_is_reported_on_a_dyno(self, example: project.Project) -> None:
        env = STAGES["dyno"] | {name: value for name, value in SITE.items() if "AWS" not in name}
        env["COMPRESS_OFFLINE"] = "false"
        result = example.manage("check", env=env, sockets=False)
        assert "herokuify.W011" in result.stderr
        assert "guestbook.Entry.photo" in result.stderr
