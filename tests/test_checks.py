import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage, Error, run_checks
from pytest_django import Settings

import herokuify
from herokuify import checks
from tests.project import Project

SECRET = "marked-secret"
S3 = {
    "AWS_STORAGE_BUCKET_NAME": "my-bucket",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "STATIC_URL": "https://my-bucket.s3.amazonaws.com/static/",
    "STATIC_ROOT": "/nowhere/static",
    "COMPRESS_ROOT": "/nowhere/static",
}
STORAGES = {
    "default": {"BACKEND": "herokuify.storage.S3MediaStorage"},
    "staticfiles": {"BACKEND": "herokuify.storage.CachedS3ManifestStaticStorage"},
}
LOCAL = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
PACKAGE = Path(herokuify.__file__).parent
DOCS = PACKAGE.parent / "docs"
IDS = re.compile(r"\bherokuify\.[CEWID]\d{3}\b")


@pytest.fixture
def found(
    settings: Settings, no_sockets: None, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[CheckMessage]]:
    """What the checks tagged ``staticfiles`` report of settings; offline, without a client."""

    def refuse(*args: Any, **options: Any) -> Any:
        raise AssertionError("a check needs no client")

    monkeypatch.setattr("boto3.session.Session", refuse)

    def run(**changes: Any) -> list[CheckMessage]:
        for name, value in {**S3, **changes}.items():
            setattr(settings, name, value)
        settings.STORAGES = changes.get("STORAGES", STORAGES)
        messages = run_checks(tags=["staticfiles"])
        return [message for message in messages if str(message.id).startswith("herokuify.")]

    return run


FAULTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no bucket": (
        {"AWS_STORAGE_BUCKET_NAME": None},
        ["AWS_STORAGE_BUCKET_NAME is not set", "heroku config:set AWS_STORAGE_BUCKET_NAME=…"],
    ),
    "no key": (
        {"AWS_ACCESS_KEY_ID": None},
        ["AWS_ACCESS_KEY_ID is not set", "heroku config:set AWS_ACCESS_KEY_ID=…"],
    ),
    "no secret": (
        {"AWS_SECRET_ACCESS_KEY": None},
        ["AWS_SECRET_ACCESS_KEY is not set", "heroku config:set AWS_SECRET_ACCESS_KEY=…"],
    ),
    "relative": ({"STATIC_URL": "/static/"}, ["STATIC_URL", "get_static_url()"]),
    "None": (
        {"STATIC_URL": "https://None.s3.amazonaws.com/static/"},
        ["STATIC_URL", "get_static_url()", "AWS_STORAGE_BUCKET_NAME"],
    ),
    "other bucket": (
        {"STATIC_URL": "https://other.s3.amazonaws.com/static/"},
        ["STATIC_URL", "'other/static'", "'my-bucket/static'"],
    ),
    "no slash": ({"STATIC_URL": "https://cdn.example.com"}, ["STATIC_URL", "end with a slash"]),
    "headers": ({"AWS_HEADERS": {"Cash-Control": "x"}}, ["AWS_HEADERS", "'Cash-Control'"]),
    "pattern": ({"AWS_EXTRA_HEADERS": [("*.js", {})]}, ["AWS_EXTRA_HEADERS[0]", "'*.js'"]),
    "roots": ({"COMPRESS_ROOT": "/elsewhere"}, ["COMPRESS_ROOT", "/elsewhere", "STATIC_ROOT"]),
    "no root": (
        {"STATIC_ROOT": None, "COMPRESS_ROOT": None},
        ["STATIC_ROOT is not set", "STATIC_ROOT = BASE_DIR"],
    ),
}


class TestStorages:
    def test_nothing_wrong(self, found: Callable[..., list[CheckMessage]]) -> None:
        assert found() == []

    @pytest.mark.parametrize(("changes", "parts"), FAULTS.values(), ids=FAULTS)
    def test_faults(
        self, found: Callable[..., list[CheckMessage]], changes: dict[str, Any], parts: list[str]
    ) -> None:
        messages = found(**changes)
        assert messages
        for message in messages:
            assert isinstance(message, Error)
            assert message.id == "herokuify.E002"
            assert message.hint
            # Heroku's buildpack looks for the word in what collectstatic prints.
            assert "ImproperlyConfigured" in str(message)
            assert SECRET not in str(message)
        assert any(all(part in message.msg for part in parts) for message in messages)

    def test_a_fault_that_storages_share_is_told_once(
        self, found: Callable[..., list[CheckMessage]]
    ) -> None:
        assert len(found(AWS_HEADERS={"Cash-Control": "x"})) == 1

    def test_every_fault_is_told(self, found: Callable[..., list[CheckMessage]]) -> None:
        faulty = {
            **STORAGES,
            "one": {"BACKEND": "herokuify.storage.S3StaticStorage", "OPTIONS": {"location": "x"}},
            "two": {"BACKEND": "herokuify.storage.S3MediaStorage", "OPTIONS": {"access_key": ""}},
        }
        text = " ".join(message.msg for message in found(STORAGES=faulty))
        assert "'my-bucket/x'" in text
        assert "AWS_ACCESS_KEY_ID is not set" in text

    def test_compressors_storage(self, found: Callable[..., list[CheckMessage]]) -> None:
        messages = found(
            STORAGES=LOCAL,
            STATIC_URL="/static/",
            COMPRESS_STORAGE="herokuify.storage.CachedS3StaticStorage",
        )
        assert [message.id for message in messages] == ["herokuify.E002"]
        assert "CachedS3StaticStorage" in messages[0].msg

    def test_local_storages_need_no_bucket(self, found: Callable[..., list[CheckMessage]]) -> None:
        assert found(STORAGES=LOCAL, AWS_STORAGE_BUCKET_NAME=None, STATIC_URL="/static/") == []

    def test_a_storage_that_cannot_be_imported(
        self, found: Callable[..., list[CheckMessage]]
    ) -> None:
        """One message, and no traceback that hides the other checks."""
        broken = {**STORAGES, "default": {"BACKEND": "herokuify.storage.S3MediaStore"}}
        messages = found(STORAGES=broken)
        assert any("S3MediaStore" in message.msg for message in messages)


SETTINGS = """
from herokuify.aws import *
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = [{apps}]
STATIC_URL = {url}
STATIC_ROOT = "static"
STORAGES = {{
    "default": {{"BACKEND": "herokuify.storage.S3MediaStorage"}},
    "staticfiles": {{"BACKEND": "{static}"}},
}}
"""
APPS = '"herokuify", "django.contrib.staticfiles"'
BELOW = '"django.contrib.staticfiles", "herokuify"'
VARIABLES = {
    "AWS_STORAGE_BUCKET_NAME": "my-bucket",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": SECRET,
}


def settings_source(
    apps: str = APPS, url: str = "get_static_url()", static: str = "S3StaticStorage"
) -> str:
    backend = static if "." in static else f"herokuify.storage.{static}"
    return SETTINGS.format(apps=apps, url=url, static=backend)


class TestCommands:
    @pytest.mark.parametrize(
        "arguments", [("check",), ("check", "--tag", "staticfiles"), ("collectstatic", "--noinput")]
    )
    def test_stop(self, make_project: Callable[..., Project], arguments: tuple[str, ...]) -> None:
        project = make_project(settings_source(url='"/static/"'), env=VARIABLES)
        result = project.manage(*arguments, sockets=False)
        assert result.returncode == 1
        assert "herokuify.E002" in result.stderr
        assert "ImproperlyConfigured" in result.stderr
        assert "STATIC_URL = get_static_url()" in result.stderr
        assert "Traceback" not in result.stderr
        assert SECRET not in result.stdout + result.stderr

    def test_pass(self, make_project: Callable[..., Project]) -> None:
        result = make_project(settings_source(), env=VARIABLES).manage("check", sockets=False)
        assert "no issues" in result.stdout


class TestOrder:
    @pytest.mark.parametrize(
        ("apps", "static", "is_warned"),
        [
            (BELOW, "S3StaticStorage", True),
            (BELOW, "CachedS3ManifestStaticStorage", True),
            (BELOW, "django.contrib.staticfiles.storage.StaticFilesStorage", False),
            (APPS, "S3StaticStorage", False),
        ],
    )
    def test_below_staticfiles(
        self, make_project: Callable[..., Project], apps: str, static: str, is_warned: bool
    ) -> None:
        source = settings_source(apps=apps, static=static)
        result = make_project(source, env=VARIABLES).manage("check", sockets=False)
        assert result.returncode == 0, result.stderr
        assert ("herokuify.W001" in result.stderr) == is_warned
        assert ('"herokuify" above "django.contrib.staticfiles"' in result.stderr) == is_warned


class TestIds:
    def test_unique(self) -> None:
        sources = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]
        given = [
            found for text in sources for found in re.findall(r'\bid="(herokuify\.\w+)"', text)
        ]
        assert given
        assert len(given) == len(set(given))
        assert all(IDS.fullmatch(name) for name in given)

    @pytest.mark.source_tree
    def test_documented(self) -> None:
        given = {
            name
            for path in PACKAGE.rglob("*.py")
            for name in IDS.findall(path.read_text(encoding="utf-8"))
        }
        told = {
            name
            for path in DOCS.rglob("*.md")
            for name in IDS.findall(path.read_text(encoding="utf-8"))
        }
        assert given == told

    def test_registered_for_collectstatic(self) -> None:
        """collectstatic runs only the checks tagged ``staticfiles``."""
        from django.core.checks.registry import registry

        registered = {check for check in registry.registered_checks if "staticfiles" in check.tags}
        assert {checks.check_storages, checks.check_order} <= registered
