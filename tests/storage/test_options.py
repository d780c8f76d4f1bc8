"""Options and settings, timeouts, and the modules that a URL loads."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.signals import request_started
from storages.backends.s3 import S3Storage

from herokuify.aws import read_aws
from herokuify.exceptions import ConfigurationError, S3Error
from herokuify.s3 import client
from herokuify.storage import S3BotoStorage, S3MediaStorage
from tests.project import Project
from tests.replay import SLOW_DOWN, Proxy

SETTINGS = """
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = ["herokuify", "django.contrib.staticfiles"]
from herokuify.aws import *
STATIC_URL = get_static_url()
STORAGES = {
    "default": {"BACKEND": "herokuify.storage.S3MediaStorage"},
    "staticfiles": {"BACKEND": "herokuify.storage.S3StaticStorage"},
}
"""
PROGRAM = """
import sys
from django.core.files.storage import storages
from django.core.management import call_command
print(storages["default"].url("a.jpg"))
print(storages["staticfiles"].url("a.css"))
late = {"herokuify.checks.storages", "herokuify.s3.objects", "herokuify.s3.upload"}
print(*sorted(late & set(sys.modules)), "end")
call_command("check")
print(*sorted({"boto3", "botocore", "urllib3", "s3transfer"} & set(sys.modules)), "end")
"""


def test_django_storages_settings_are_kept() -> None:
    theirs = S3Storage(bucket_name="bucket").get_default_settings()
    ours = S3BotoStorage(bucket_name="bucket").get_default_settings()
    assert set(theirs) <= set(ours)
    changed = {name for name, value in theirs.items() if ours[name] != value}
    assert changed == {"signature_version"}


def test_urls_load_no_checks_and_checks_no_boto3(make_project: Callable[..., Project]) -> None:
    project = make_project(SETTINGS)
    variables = {
        "AWS_ACCESS_KEY_ID": "test-key",
        "AWS_SECRET_ACCESS_KEY": "test-secret",
        "AWS_STORAGE_BUCKET_NAME": "bucket",
        "AWS_S3_REGION_NAME": "eu-west-1",
    }
    done = project.manage("shell", "-c", PROGRAM, env=variables)
    assert done.returncode == 0, done.stderr
    *_, signed, public, late, _, loaded = done.stdout.strip().splitlines()
    assert signed.startswith("https://bucket.s3.eu-west-1.amazonaws.com/media/a.jpg?X-Amz-")
    assert public == "https://bucket.s3.eu-west-1.amazonaws.com/static/a.css"
    assert late == loaded == "end"


@pytest.mark.django_db  # Django closes old connections when a request starts
class TestProfile:
    def test_commands_are_patient_and_web_processes_are_not(self) -> None:
        assert S3MediaStorage(bucket_name="b").profile is client.PATIENT
        request_started.send(sender=None)
        assert S3MediaStorage(bucket_name="b").profile is client.WEB

    def test_web_process_ends_before_the_router(self) -> None:
        web = client.WEB
        longest = max(web.connect_timeout, web.read_timeout)
        # Between two attempts, botocore waits for up to a second.
        assert web.attempts * longest + 1 <= 10

    def test_a_save_is_one_request(self, proxied: Proxy) -> None:
        S3MediaStorage().save("a.txt", ContentFile(b"x"))
        assert proxied.operations == ["PutObject"]

    def test_web_process_sends_a_request_twice(self, proxied: Proxy, no_pauses: Any) -> None:
        request_started.send(sender=None)
        proxied.on("PutObject", SLOW_DOWN)
        with pytest.raises(S3Error, match="503 SlowDown"):
            S3MediaStorage().save("a.txt", ContentFile(b"x"))
        assert proxied.operations == ["PutObject"] * 2


BOOLEANS = [
    "auto_create_bucket",
    "file_overwrite",
    "gzip",
    "querystring_auth",
    "url_view",
    "use_ssl",
]


@pytest.mark.parametrize("value", ["False", "", "true", None, 0, object()])
@pytest.mark.parametrize("option", BOOLEANS)
def test_text_is_not_a_boolean(option: str, value: Any) -> None:
    """Neither as an argument nor as an attribute: any text would be true."""
    kind = type("Own", (S3MediaStorage,), {option: value})
    for make in (lambda: S3MediaStorage(**{option: value}), kind):
        with pytest.raises(ConfigurationError, match=f"option {option} of .* True or False"):
            make()
    for right in (True, False):
        assert getattr(S3MediaStorage(**{option: right}), option) is right


def test_text_of_the_environment_is_parsed() -> None:
    assert read_aws({"AWS_AUTO_CREATE_BUCKET": "false"})["AWS_AUTO_CREATE_BUCKET"] is False
    with pytest.raises(ConfigurationError, match="AWS_AUTO_CREATE_BUCKET"):
        read_aws({"AWS_AUTO_CREATE_BUCKET": "perhaps"})
