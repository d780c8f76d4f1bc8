"""Run herokuify's checks on given settings, in a given stage."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage, Error, run_checks
from pytest_django import Settings

from herokuify import aws, common
from herokuify.env import names_set

SECRET = "marked-secret"
KEY = "AKIAMARKEDKEY"
STAGES = {
    "local": {},
    "build": {"DYNO": "run.1", "SOURCE_VERSION": "0" * 40},
    "release": {"DYNO": "release.1"},
    "dyno": {"DYNO": "web.1", "PORT": "5000"},
}
LIVE = ("release", "dyno")
STATIC_URL = "https://my-bucket.s3.amazonaws.com/static/"
CACHED_MANIFEST = "herokuify.storage.CachedS3ManifestStaticStorage"
MEDIA = "herokuify.storage.S3MediaStorage"
LOCAL_STATIC = "django.contrib.staticfiles.storage.StaticFilesStorage"
LOCAL_MEDIA = "django.core.files.storage.FileSystemStorage"

Found = Callable[..., list[CheckMessage]]


def storages(static: Any = CACHED_MANIFEST, media: Any = MEDIA) -> dict[str, Any]:
    """Return a STORAGES setting; each value is a class's path, or a dict with OPTIONS."""
    made = {"default": media, "staticfiles": static}
    return {alias: {"BACKEND": one} if isinstance(one, str) else one for alias, one in made.items()}


@pytest.fixture
def static_root(tmp_path: Path) -> Path:
    """A STATIC_ROOT as after a build, with both manifests."""
    root = tmp_path / "static"
    (root / "CACHE").mkdir(parents=True)
    (root / "CACHE" / "manifest.json").write_text("{}")
    (root / "staticfiles.json").write_text('{"version": "1.1", "hash": "x", "paths": {}}')
    return root


@pytest.fixture
def found(
    settings: Settings,
    no_sockets: None,
    static_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Found:
    """Run herokuify's checks: ``found("dyno", SETTING=…)``; without a network or an S3 client.

    The other settings are those of a site with everything on S3. ``env`` adds config vars; those
    in ``late`` count as set after the fragments were imported. Every message must have a hint and
    no secret.
    """

    def refuse(*args: Any, **options: Any) -> Any:
        raise AssertionError("a check created an S3 client")

    monkeypatch.setattr("boto3.session.Session", refuse)
    for name in ("CI", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    usual = {
        "ALLOWED_HOSTS": ["www.example.com"],
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_STORAGE_BUCKET_NAME": "my-bucket",
        "COMPRESS_ENABLED": True,
        "COMPRESS_OFFLINE": True,
        "COMPRESS_ROOT": str(static_root),
        "COMPRESS_STORAGE": CACHED_MANIFEST,
        "DEBUG": False,
        "MEDIA_ROOT": "",
        "STATIC_ROOT": str(static_root),
        "STATIC_URL": STATIC_URL,
    }

    def run(
        stage: str = "local",
        *,
        env: dict[str, str] | None = None,
        late: tuple[str, ...] = (),
        tags: tuple[str, ...] = ("herokuify",),
        **changes: Any,
    ) -> list[CheckMessage]:
        for name, value in {**STAGES[stage], **(env or {})}.items():
            monkeypatch.setenv(name, value)
        for name, value in {**usual, **changes}.items():
            setattr(settings, name, value)
        for fragment in (aws, common):
            monkeypatch.setattr(fragment, "SET_AT_IMPORT", names_set(os.environ) - set(late))
        settings.COMPRESS_URL = changes.get("COMPRESS_URL", settings.STATIC_URL)
        settings.STORAGES = changes.get("STORAGES", storages())
        messages = [
            message for message in run_checks(tags=tags) if str(message.id).startswith("herokuify.")
        ]
        for message in messages:
            assert message.hint
            assert SECRET not in str(message)
            # Heroku's buildpack searches collectstatic's output for this word.
            assert not isinstance(message, Error) or "ImproperlyConfigured" in message.msg
        return messages

    return run


def ids(messages: list[CheckMessage]) -> list[str]:
    """Return the messages' IDs without "herokuify.", sorted."""
    return sorted(str(message.id).removeprefix("herokuify.") for message in messages)


def only(messages: list[CheckMessage], wanted: str) -> str:
    """Return the text and hint of the only message, which must have this ID."""
    assert ids(messages) == [wanted]
    return str(messages[0])
