from pathlib import Path
from typing import Any

import pytest

from tests.checks.conftest import (
    LIVE,
    LOCAL_MEDIA,
    LOCAL_STATIC,
    SECRET,
    STATIC_URL,
    Found,
    only,
    storages,
)

NO_KEYS: dict[str, Any] = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
LOCAL: dict[str, Any] = {
    "STORAGES": storages(LOCAL_STATIC, LOCAL_MEDIA),
    "STATIC_URL": "/static/",
    "COMPRESS_STORAGE": "compressor.storage.CompressorFileStorage",
}
# For static files alone.
STATIC: dict[str, Any] = {"STORAGES": storages(media="tests.checks.test_variables.Nowhere")}


class Nowhere:
    """A storage that is neither local nor S3."""


class TestCredentials:
    @pytest.mark.parametrize("stage", ["build", *LIVE])
    def test_missing(self, found: Found, stage: str) -> None:
        text = " ".join(map(str, found(stage, tags=("staticfiles",), **NO_KEYS)))
        assert "herokuify.E003" in text
        assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, and S3MediaStor" in text
        assert "heroku config:set AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…" in text

    def test_static_files_need_them_in_the_build(self, found: Found) -> None:
        assert "CachedS3Manifest" in only(found("build", **NO_KEYS, **STATIC), "E003")
        assert found("dyno", **NO_KEYS, **STATIC) == []

    def test_another_machine_may_have_a_role(self, found: Found) -> None:
        assert found("laptop", **NO_KEYS) == []

    @pytest.mark.parametrize(
        "env",
        [
            {"AWS_PROFILE": "site"},
            {"AWS_WEB_IDENTITY_TOKEN_FILE": "/app/token"},
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost/"},
        ],
        ids=str,
    )
    def test_boto3_finds_others(self, found: Found, env: dict[str, str]) -> None:
        assert found("dyno", env=env, **NO_KEYS) == []

    def test_boto3_reads_a_file(self, found: Found, tmp_path: Path) -> None:
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
    def test_not_needed(self, found: Found, changes: dict[str, Any]) -> None:
        assert "herokuify.E003" not in str(found("dyno", **NO_KEYS, **changes))


class TestBucket:
    @pytest.mark.parametrize("stage", ["build", *LIVE])
    def test_missing(self, found: Found, stage: str) -> None:
        env = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_LOCATION": "x"}
        messages = found(
            stage, tags=("staticfiles",), env=env, AWS_STORAGE_BUCKET_NAME=None, **LOCAL
        )
        text = only(messages, "W007")
        assert "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_LOCATION are set, but" in text
        assert "heroku config:set AWS_STORAGE_BUCKET_NAME=…, or heroku config:unset AWS_" in text

    def test_one_variable(self, found: Found) -> None:
        env = {"AWS_S3_CUSTOM_DOMAIN": "cdn.example.com"}
        text = only(found("build", env=env, AWS_STORAGE_BUCKET_NAME=None, **LOCAL), "W007")
        assert "AWS_S3_CUSTOM_DOMAIN is set, but AWS_STORAGE_BUCKET_NAME is not" in text

    @pytest.mark.parametrize(
        ("stage", "env"),
        [
            ("laptop", {"AWS_ACCESS_KEY_ID": "key"}),
            ("build", {}),
            ("build", {"AWS_ACCESS_KEY_ID": " ", "AWS_REGION": "eu-west-1"}),
        ],
        ids=str,
    )
    def test_fine(self, found: Found, stage: str, env: dict[str, str]) -> None:
        assert found(stage, env=env, AWS_STORAGE_BUCKET_NAME=None, **LOCAL) == []

    def test_a_project_that_reads_them_for_itself(
        self, found: Found, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("herokuify.checks.variables.BUCKET", "OTHER_BUCKET")
        assert found("build", env={"AWS_ACCESS_KEY_ID": "key"}, **LOCAL) == []
