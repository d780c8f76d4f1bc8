from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.core.files.storage import FileSystemStorage

from tests.checks.conftest import LIVE, LOCAL_MEDIA, MEDIA, STATIC_URL, Found, ids, only, storages
from tests.testapp import models

MEDIA_URL = STATIC_URL.replace("static", "media")
BACKEND = "herokuify.storage.S3BotoStorage"
FILE_FIELD = models.Document._meta.get_field("file")


def with_options(backend: str = MEDIA, **options: Any) -> dict[str, Any]:
    return storages(media={"BACKEND": backend, "OPTIONS": options})


class TestOverwriting:
    @pytest.mark.parametrize(
        ("setting", "changes"),
        [
            ("AWS_S3_FILE_OVERWRITE", {"AWS_S3_FILE_OVERWRITE": True}),
            ("file_overwrite", {"STORAGES": with_options(file_overwrite=True)}),
            (
                "AWS_S3_FILE_OVERWRITE",
                {"AWS_S3_FILE_OVERWRITE": True, "STORAGES": storages(media=BACKEND)},
            ),
        ],
    )
    def test_is_reported(self, found: Found, setting: str, changes: dict[str, Any]) -> None:
        text = only(found(**changes), "W004")
        assert f'{setting} is true for STORAGES["default"]' in text
        assert f"Delete {setting}" in text

    @pytest.mark.parametrize(
        "changes",
        [
            {"AWS_S3_FILE_OVERWRITE": False},
            {"STORAGES": storages(media=BACKEND)},
            {
                "AWS_S3_FILE_OVERWRITE": True,
                "STORAGES": with_options(file_overwrite=False),
            },
            {"AWS_S3_FILE_OVERWRITE": True, "STORAGES": storages(media=LOCAL_MEDIA)},
        ],
        ids=str,
    )
    def test_off_is_fine(self, found: Found, changes: dict[str, Any]) -> None:
        assert found(**changes) == []


PUBLIC: dict[str, tuple[dict[str, Any], str]] = {
    "unsigned": ({"AWS_QUERYSTRING_AUTH": False, "MEDIA_URL": MEDIA_URL}, "AWS_QUERYSTRING_AUTH"),
    "option": (
        {"STORAGES": with_options(querystring_auth=False), "MEDIA_URL": MEDIA_URL},
        "querystring_auth is false",
    ),
    "domain": (
        {"STORAGES": with_options(custom_domain="cdn.example.com")},
        "AWS_S3_CUSTOM_DOMAIN",
    ),
    "acl": ({"STORAGES": with_options(default_acl="public-read")}, "default_acl"),
    "parameters": (
        {"STORAGES": with_options(object_parameters={"ACL": "authenticated-read"})},
        "AWS_S3_OBJECT_PARAMETERS",
    ),
    "grant": (
        {
            "STORAGES": with_options(
                headers={
                    "x-amz-grant-read": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
                }
            )
        },
        "AWS_HEADERS",
    ),
}


class TestPublicity:
    @pytest.mark.parametrize(("changes", "setting"), PUBLIC.values(), ids=PUBLIC)
    def test_is_reported(self, found: Found, changes: dict[str, Any], setting: str) -> None:
        text = only(found(**changes), "W005")
        assert setting in text
        assert 'STORAGES["default"]' in text

    def test_each_reason_is_reported(self, found: Found) -> None:
        options = with_options(querystring_auth=False, default_acl="public-read")
        assert ids(found(STORAGES=options, MEDIA_URL=MEDIA_URL)) == ["W005", "W005"]

    def test_domain_of_static_files_does_not_count(self, found: Found) -> None:
        url = "https://cdn.example.com/static/"
        assert found(AWS_S3_CUSTOM_DOMAIN="cdn.example.com", STATIC_URL=url) == []


def on_disk(found: Found, stage: str, **changes: Any) -> list[CheckMessage]:
    return found(stage, STORAGES=storages(media=LOCAL_MEDIA), **changes)


class TestDisk:
    @pytest.mark.parametrize("stage", LIVE)
    def test_fields_are_reported(self, found: Found, stage: str) -> None:
        text = only(on_disk(found, stage), "W011")
        # Models of other tests may follow.
        assert "The files of testapp.Document.file" in text
        assert "are on the dyno's disk" in text
        assert "herokuify.storage.S3MediaStorage" in text

    @pytest.mark.parametrize("stage", ["build", "local"])
    def test_is_fine_in_other_stages(self, found: Found, stage: str) -> None:
        assert on_disk(found, stage) == []

    def test_media_root_is_ignored_on_s3(self, found: Found) -> None:
        assert found("dyno", MEDIA_ROOT="/app/media") == []

    def test_field_with_its_own_storage_is_reported(
        self, found: Found, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(FILE_FIELD, "storage", FileSystemStorage("/app/media"))
        assert "testapp.Document.file" in only(found("dyno"), "W011")

    def test_without_fields_media_root_counts(
        self, found: Found, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("django.apps.apps.get_models", list)
        assert on_disk(found, "dyno") == []
        assert "The files of MEDIA_ROOT" in only(
            on_disk(found, "dyno", MEDIA_ROOT="/app/media"), "W011"
        )

    def test_storage_with_an_error_is_reported_once(self, found: Found) -> None:
        assert ids(found("dyno", STORAGES=storages(media="nowhere.Storage"))) == ["E002"]
