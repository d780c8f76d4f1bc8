"""Errors that stop a command before checks run have one clear message."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from tests.checks.conftest import CACHED_MANIFEST, KEY, SECRET, STAGES
from tests.project import Project

SETTINGS = """
import warnings
warnings.filterwarnings("ignore", r"The (STATICFILES|DEFAULT_FILE)_STORAGE setting is deprecated")
from herokuify.aws import *
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = ["herokuify", "django.contrib.staticfiles"]
STATIC_URL = get_static_url()
STATIC_ROOT = "static"
STORAGES = {
    "default": {"BACKEND": "herokuify.storage.S3MediaStorage"},
    "staticfiles": {"BACKEND": "herokuify.storage.CachedS3ManifestStaticStorage"},
}
"""
COMPRESSOR = """
INSTALLED_APPS.append("compressor")
STATICFILES_FINDERS = ["compressor.finders.CompressorFinder"]
COMPRESS_STORAGE = STORAGES["staticfiles"]["BACKEND"]
"""
PLAIN = {
    "AWS_STORAGE_BUCKET_NAME": "my-bucket",
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET,
}
BUCKETEER = {
    "BUCKETEER_AWS_ACCESS_KEY_ID": KEY,
    "BUCKETEER_AWS_SECRET_ACCESS_KEY": SECRET,
    "BUCKETEER_BUCKET_NAME": "bucketeer-1",
    "BUCKETEER_AWS_REGION": "eu-west-1",
}
CLOUDCUBE = {
    "CLOUDCUBE_ACCESS_KEY_ID": KEY,
    "CLOUDCUBE_SECRET_ACCESS_KEY": SECRET,
    "CLOUDCUBE_URL": "https://cloud-cube.s3.amazonaws.com/abcdef",
}


@dataclass(frozen=True)
class Fault:
    """A mistake in variables or settings, with its error and its hint."""

    said: str
    hint: str
    env: Mapping[str, str] = field(default_factory=lambda: PLAIN)
    settings: str = ""


def without(variables: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name not in names}


FAULTS = {
    "half of Bucketeer": Fault(
        "Bucketeer needs",
        "heroku config:set BUCKETEER_BUCKET_NAME=…",
        without(BUCKETEER, "BUCKETEER_BUCKET_NAME"),
    ),
    "Bucketeer without a secret": Fault(
        "Bucketeer needs",
        "heroku config:set BUCKETEER_AWS_SECRET_ACCESS_KEY=…",
        without(BUCKETEER, "BUCKETEER_AWS_SECRET_ACCESS_KEY"),
    ),
    "half of Cloudcube": Fault(
        "Cloudcube needs", "heroku config:set CLOUDCUBE_URL=…", without(CLOUDCUBE, "CLOUDCUBE_URL")
    ),
    "two providers": Fault(
        "Bucketeer and Cloudcube are both attached",
        "heroku addons:detach",
        BUCKETEER | CLOUDCUBE,
    ),
    "half of the credentials": Fault(
        "AWS_SECRET_ACCESS_KEY is not set",
        "heroku config:set AWS_SECRET_ACCESS_KEY=…",
        without(PLAIN, "AWS_SECRET_ACCESS_KEY"),
    ),
    "a wrong boolean": Fault(
        "AWS_AUTO_CREATE_BUCKET is 'perhaps'",
        "heroku config:set AWS_AUTO_CREATE_BUCKET=…",
        PLAIN | {"AWS_AUTO_CREATE_BUCKET": "perhaps"},
    ),
    "DEBUG": Fault(
        "DEBUG is true on Heroku",
        "heroku config:unset DEBUG",
        PLAIN | {"DEBUG": "true"},
        "from herokuify.common import *",
    ),
    "no slash, with compressor": Fault(
        "URL settings (e.g. COMPRESS_URL) must have a trailing slash",
        "slash",
        settings=COMPRESSOR + "COMPRESS_URL = 'https://cdn.example.com'",
    ),
    "no root, with compressor": Fault(
        "COMPRESS_ROOT defaults to STATIC_ROOT, please define either",
        "STATIC_ROOT",
        settings=COMPRESSOR + "STATIC_ROOT = None",
    ),
}


def run(make_project: Callable[..., Project], fault: Fault, stage: str, *command: str) -> str:
    site = make_project(SETTINGS + fault.settings, env={**STAGES[stage], **fault.env})
    result = site.manage(*command, sockets=False)
    assert result.returncode != 0
    log = result.stdout + result.stderr
    assert "ImproperlyConfigured" in log
    assert "Unknown command" not in log
    assert "herokuify.E" not in log
    assert SECRET not in log
    assert KEY not in log
    return log


@pytest.mark.parametrize("name", FAULTS)
def test_error_ends_a_build_with_one_message(
    make_project: Callable[..., Project], name: str
) -> None:
    fault = FAULTS[name]
    log = run(make_project, fault, "build", "collectstatic", "--noinput", "--traceback")
    last = log[log.rindex("ImproperlyConfigured: ") :]
    assert fault.said in last
    assert fault.hint in last
    assert log.count(fault.said) == 1


def test_missing_secret_key_stops_a_release(make_project: Callable[..., Project]) -> None:
    fault = Fault("", "", settings="from herokuify.common import *")
    log = run(make_project, fault, "release", "migrate")
    assert "SECRET_KEY is not set" in log
    assert "heroku config:set SECRET_KEY=" in log


@pytest.mark.parametrize("name", ["STATICFILES_STORAGE", "DEFAULT_FILE_STORAGE"])
def test_storages_and_an_older_setting_are_an_error(
    make_project: Callable[..., Project], name: str
) -> None:
    """On Django 4.2, the error is Django's own."""
    fault = Fault("", "", settings=f"{name} = {CACHED_MANIFEST!r}")
    log = run(make_project, fault, "build", "collectstatic", "--noinput", "--traceback")
    last = log[log.rindex("ImproperlyConfigured: ") :]
    assert f"{name}" in last
    assert "STORAGES" in last
