"""`manage.py herokuify doctor`, in its own process."""

import json
import time
from collections.abc import Callable

import pytest

from tests.doctor.conftest import Diagnose
from tests.doctor.diagnosis import Diagnosis
from tests.project import Project
from tests.servers import S3Server
from tests.storages import Connect

pytestmark = pytest.mark.no_django

SETTINGS = """
from herokuify.common import *
from herokuify.aws import *

USE_TZ = True
INSTALLED_APPS = ["herokuify", "django.contrib.staticfiles"]
STATIC_URL = "/static/"
STORAGES = {
    "default": {"BACKEND": "herokuify.storage.S3MediaStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
"""
LOCAL = 'USE_TZ = True\nINSTALLED_APPS = ["herokuify"]\nSECRET_KEY = "marked-key"\n'


@pytest.fixture
def broken(make_project: Callable[..., Project], closed_port: int) -> Project:
    """A project whose bucket can't be reached."""
    return make_project(
        SETTINGS,
        env={
            "AWS_ACCESS_KEY_ID": "marked-id",
            "AWS_SECRET_ACCESS_KEY": "marked-secret",
            "AWS_STORAGE_BUCKET_NAME": "my-bucket",
            "AWS_S3_ENDPOINT_URL": f"http://127.0.0.1:{closed_port}",
        },
    )


def test_local_project_has_no_problems(make_project: Callable[..., Project]) -> None:
    result = make_project(LOCAL).manage("herokuify", "doctor")
    assert result.returncode == 0, result.stderr
    assert "STATE" in result.stdout
    assert "0 warning, 0 failed" in result.stdout
    assert "\x1b[" not in result.stdout


def test_exit_status_and_colour(broken: Project) -> None:
    plain = broken.manage("herokuify", "doctor", "--no-color")
    assert plain.returncode == 1
    assert "failed   s3.connection" in plain.stdout
    assert "1 failed" in plain.stdout.splitlines()[-1]
    assert "CommandError: 1 of" in plain.stderr
    assert "\x1b[" not in plain.stdout + plain.stderr
    before = broken.manage("herokuify", "--no-color", "doctor")
    assert before.stdout == plain.stdout
    coloured = broken.manage("herokuify", "doctor", "--force-color")
    assert "\x1b[" in coloured.stdout
    for result in (plain, coloured):
        assert "marked-" not in result.stdout + result.stderr


def test_json_is_all_of_stdout(broken: Project) -> None:
    result = broken.manage("herokuify", "doctor", "--json", "--force-color")
    assert result.returncode == 1
    assert list(json.loads(result.stdout)[0]) == ["probe", "subject", "state", "message", "hint"]
    assert Diagnosis.parse(result.stdout).failed == ["s3.connection"]


@pytest.mark.once
@pytest.mark.usefixtures("s3_storages")
def test_silent_endpoint_is_a_failure(
    connect: Connect, moto: S3Server, diagnose: Diagnose, silent_port: int
) -> None:
    connect(moto, "bucket", endpoint_url=f"http://127.0.0.1:{silent_port}")
    start = time.monotonic()
    found = diagnose()
    # Two tries of five seconds; both storages wait for one answer.
    assert time.monotonic() - start < 45
    assert found.failed == ["s3.connection"]
