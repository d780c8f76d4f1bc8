import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands
from pytest_django import Settings
from storages.backends import s3

import herokuify
from herokuify.checks.variables import check_obsolete
from herokuify.legacy import BOTO_SETTINGS
from herokuify.storage import S3MediaStorage
from tests.checks.conftest import (
    LIVE,
    LOCAL_MEDIA,
    LOCAL_STATIC,
    MEDIA,
    SECRET,
    STATIC_URL,
    Found,
    only,
    storages,
)
from tests.project import Project

NO_KEYS: dict[str, Any] = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
LOCAL: dict[str, Any] = {
    "STORAGES": storages(LOCAL_STATIC, LOCAL_MEDIA),
    "STATIC_URL": "/static/",
    "COMPRESS_STORAGE": "compressor.storage.CompressorFileStorage",
}
# With only static files on S3.
STATIC: dict[str, Any] = {"STORAGES": storages(media="tests.checks.test_variables.Nowhere")}


class Nowhere:
    """A storage that is neither local nor S3."""


class TestCredentials:
    @pytest.mark.parametrize("stage", ["build", *LIVE])
    def test_missing_is_reported(self, found: Found, stage: str) -> None:
        text = " ".join(map(str, found(stage, tags=("staticfiles",), **NO_KEYS)))
        assert "herokuify.E003" in text
        assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, and S3MediaStor" in text
        assert "heroku config:set AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…" in text

    def test_static_files_need_them_only_in_the_build(self, found: Found) -> None:
        assert "CachedS3Manifest" in only(found("build", **NO_KEYS, **STATIC), "E003")
        assert found("dyno", **NO_KEYS, **STATIC) == []

    def test_may_be_missing_on_other_machines(self, found: Found) -> None:
        assert found("local", **NO_KEYS) == []

    @pytest.mark.parametrize(
        "env",
        [
            {"AWS_PROFILE": "site"},
            {"AWS_WEB_IDENTITY_TOKEN_FILE": "/app/token"},
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost/"},
        ],
        ids=str,
    )
    def test_may_come_from_boto3s_variables(self, found: Found, env: dict[str, str]) -> None:
        assert found("dyno", env=env, **NO_KEYS) == []

    def test_may_come_from_boto3s_file(self, found: Found, tmp_path: Path) -> None:
        (tmp_path / ".aws").mkdir()
        (tmp_path / ".aws" / "credentials").write_text("")
        assert found("dyno", **NO_KEYS) == []

    @pytest.mark.parametrize(
        "changes",
        [
            {"AWS_S3_SESSION_PROFILE": "site"},
            {"AWS_QUERYSTRING_AUTH": False, "MEDIA_URL": STATIC_URL.replace("static", "media")},
        ],
        ids=str,
    )
    def test_are_not_always_needed(self, found: Found, changes: dict[str, Any]) -> None:
        assert "herokuify.E003" not in str(found("dyno", **NO_KEYS, **changes))


class TestBucket:
    @pytest.mark.parametrize("stage", ["build", *LIVE])
    def test_missing_is_reported(self, found: Found, stage: str) -> None:
        env = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_LOCATION": "x"}
        messages = found(
            stage, tags=("staticfiles",), env=env, AWS_STORAGE_BUCKET_NAME=None, **LOCAL
        )
        text = only(messages, "W007")
        assert "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_LOCATION are set, but" in text
        assert "heroku config:set AWS_STORAGE_BUCKET_NAME=…, or heroku config:unset AWS_" in text

    def test_single_variable_without_a_bucket_is_reported(self, found: Found) -> None:
        env = {"AWS_S3_CUSTOM_DOMAIN": "cdn.example.com"}
        text = only(found("build", env=env, AWS_STORAGE_BUCKET_NAME=None, **LOCAL), "W007")
        assert "AWS_S3_CUSTOM_DOMAIN is set, but AWS_STORAGE_BUCKET_NAME is not" in text

    @pytest.mark.parametrize(
        ("stage", "env"),
        [
            ("local", {"AWS_ACCESS_KEY_ID": "key"}),
            ("build", {}),
            ("build", {"AWS_ACCESS_KEY_ID": " ", "AWS_REGION": "eu-west-1"}),
        ],
        ids=str,
    )
    def test_is_not_always_needed(self, found: Found, stage: str, env: dict[str, str]) -> None:
        assert found(stage, env=env, AWS_STORAGE_BUCKET_NAME=None, **LOCAL) == []

    def test_is_not_needed_where_settings_do_not_read_it(
        self, found: Found, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("herokuify.checks.variables.BUCKET", "OTHER_BUCKET")
        assert found("build", env={"AWS_ACCESS_KEY_ID": "key"}, **LOCAL) == []


LOADED_LATE = """
from herokuify.common import *
from herokuify.aws import *
import os

for line in open(".env").read().splitlines():
    os.environ.setdefault(*line.split("=", 1))
INSTALLED_APPS = ["herokuify"]
USE_TZ = True
"""
DOTENV = (
    "SECRET_KEY=marked-secret\nALLOWED_HOSTS=a.example\nAWS_DEFAULT_REGION=eu-west-1\nDEBUG=0\n"
)


class TestOrder:
    def test_file_loaded_after_the_imports_is_an_error(
        self, make_project: Callable[..., Project]
    ) -> None:
        project = make_project(LOADED_LATE, files={".env": DOTENV})
        result = project.manage("check")
        assert result.returncode != 0
        assert "herokuify.E011" in result.stderr
        assert "SECRET_KEY and ALLOWED_HOSTS were set after herokuify.common was" in result.stderr
        assert "AWS_DEFAULT_REGION was set after herokuify.aws was imported" in result.stderr
        assert "above `from herokuify.common import *`" in result.stderr
        assert "marked-secret" not in result.stderr
        # Variables that were set before are fine, even if the file has them, too.
        env = dict(line.split("=", 1) for line in DOTENV.splitlines())
        assert project.manage("check", env=env).returncode == 0

    def test_file_loaded_before_the_imports_is_fine(
        self, make_project: Callable[..., Project]
    ) -> None:
        fragments, load = LOADED_LATE.split("import os", 1)
        settings = f"import os{load}".replace("INSTALLED", f"{fragments}INSTALLED")
        result = make_project(settings, files={".env": DOTENV}).manage("check")
        assert result.returncode == 0, result.stderr

    def test_settings_may_read_the_variable_themselves(self, found: Found) -> None:
        env = {"AWS_S3_REGION_NAME": "eu-west-1"}
        late = tuple(env)
        assert "AWS_S3_REGION_NAME was set after" in only(found(env=env, late=late), "E011")
        assert found(env=env, late=late, AWS_S3_REGION_NAME="eu-west-1") == []


class TestEndpoint:
    URL = f"https://me:{SECRET}@s3.example.com"

    def test_login_in_the_setting_is_an_error(self, found: Found) -> None:
        messages = found(AWS_S3_ENDPOINT_URL=self.URL, **LOCAL)
        assert "AWS_S3_ENDPOINT_URL contains a user and a password" in only(messages, "E012")

    def test_login_in_an_option_is_an_error(self, found: Found) -> None:
        media = {"BACKEND": MEDIA, "OPTIONS": {"endpoint_url": self.URL}}
        message = only(found(STORAGES=storages(media=media)), "E012")
        assert 'endpoint_url of STORAGES["default"] contains a user and a password' in message
        made = S3MediaStorage(endpoint_url=self.URL)
        assert made.endpoint_url == made.destination.endpoint == "https://s3.example.com"

    def test_login_in_static_url_is_an_error(self, found: Found) -> None:
        url = STATIC_URL.replace("//", f"//me:{SECRET}@")
        assert "STATIC_URL contains a user and a password" in only(found(STATIC_URL=url), "E002")

    def test_without_a_login_is_fine(self, found: Found) -> None:
        assert found(AWS_S3_ENDPOINT_URL="https://s3.example.com/@x", **LOCAL) == []


class TestSwitches:
    @pytest.mark.parametrize(
        "name",
        [
            *("AWS_AUTO_CREATE_BUCKET", "AWS_IS_GZIPPED", "AWS_QUERYSTRING_AUTH"),
            *("AWS_S3_FILE_OVERWRITE", "AWS_S3_USE_SSL", "AWS_S3_USE_THREADS", "AWS_S3_VERIFY"),
        ],
    )
    def test_text_is_an_error(self, found: Found, name: str) -> None:
        messages = found(tags=("staticfiles",), **{name: "False"}, **LOCAL)
        text = only(messages, "E013")
        assert f"{name} must be True or False, not str" in text
        assert f'env.read(os.environ, "{name}", convert=env.boolean' in text

    @pytest.mark.parametrize(
        ("name", "value", "kind"),
        [
            ("HEROKUIFY_COMPRESS", "False", "True or False"),
            ("COMPRESS_ENABLED", "False", "True or False"),
            ("COMPRESS_OFFLINE", "0", "True or False"),
            ("AWS_S3_FILE_OVERWRITE", None, "True or False"),
            ("AWS_S3_USE_SSL", 0, "True or False"),
            ("AWS_QUERYSTRING_EXPIRE", "3600", "a whole number of seconds"),
            ("AWS_QUERYSTRING_EXPIRE", None, "a whole number of seconds"),
            ("AWS_QUERYSTRING_EXPIRE", True, "a whole number of seconds"),
            ("AWS_S3_MAX_MEMORY_SIZE", "1", "a whole number of bytes"),
            ("GZIP_CONTENT_TYPES", "text/css", "a list of content types"),
            ("AWS_S3_OBJECT_PARAMETERS", None, "a dictionary"),
            ("AWS_S3_PROXIES", "http://proxy", "a dictionary, or None"),
        ],
    )
    def test_other_types_are_an_error(self, found: Found, name: str, value: Any, kind: str) -> None:
        # Reported once, even if storages use the setting.
        for more in ({}, LOCAL):
            messages = found(tags=("staticfiles",), **{**more, name: value})
            assert f"{name} must be {kind}, not " in only(messages, "E013")
            assert not [one for one in messages if one.id == "herokuify.E002"]

    def test_option_of_a_storage_is_checked(self, found: Found) -> None:
        media = {"BACKEND": MEDIA, "OPTIONS": {"file_overwrite": "False"}}
        message = only(found(STORAGES=storages(media=media)), "E002")
        assert "The option file_overwrite of S3MediaStorage must be True or False" in message
        assert ", not str" in message

    @pytest.mark.parametrize("value", [True, False])
    def test_booleans_are_fine(self, found: Found, value: bool) -> None:
        assert found(AWS_S3_USE_SSL=value, AWS_S3_VERIFY=value, **LOCAL) == []

    def test_path_of_certificates_is_fine(self, found: Found) -> None:
        assert found(AWS_S3_VERIFY="/etc/ssl/ca.pem", **LOCAL) == []


class TestObsolete:
    def test_settings_and_their_successors_are_named(self, found: Found) -> None:
        text = only(found("local", AWS_S3_HOST="s3.example.com", COLLECTFASTA_THREADS=20), "W020")
        assert "AWS_S3_HOST and COLLECTFASTA_THREADS have no effect" in text
        assert "AWS_S3_ENDPOINT_URL in place of AWS_S3_HOST" in text
        assert "HEROKUIFY_UPLOAD_CONCURRENCY in place of COLLECTFASTA_THREADS" in text

    def test_setting_may_have_no_successor(self, found: Found) -> None:
        text = only(found("local", AWS_PRELOAD_METADATA=True), "W020")
        assert "AWS_PRELOAD_METADATA has no effect" in text
        assert "in place of" not in text

    def test_collectfasts_settings_are_fine_with_another_collectstatic(
        self, settings: Settings
    ) -> None:
        settings.INSTALLED_APPS = ["django.contrib.staticfiles"]
        settings.COLLECTFAST_STRATEGY = "collectfast.strategies.boto3.Boto3Strategy"
        get_commands.cache_clear()
        try:
            assert check_obsolete() == []
        finally:
            get_commands.cache_clear()

    def test_none_is_read_by_a_storage(self) -> None:
        """Neither by django-storages nor by herokuify."""
        sources = [Path(s3.__file__), *Path(herokuify.__file__).parent.rglob("*.py")]
        text = " ".join(
            path.read_text(encoding="utf-8") for path in sources if path.name != "legacy.py"
        )
        read = set(re.findall(r"\b(?:AWS|S3)_[A-Z0-9_]+\b", text))
        assert "AWS_HEADERS" in read
        assert not read & set(BOTO_SETTINGS)
        assert {new for new in BOTO_SETTINGS.values() if new} <= read
