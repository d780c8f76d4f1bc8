from typing import Any

import pytest

from tests.checks.conftest import (
    CACHED_MANIFEST,
    LOCAL_MEDIA,
    LOCAL_STATIC,
    STATIC_URL,
    Found,
    ids,
    only,
    storages,
)

MANIFEST = "herokuify.storage.S3ManifestStaticStorage"
PLAIN = "herokuify.storage.S3StaticStorage"
CACHED = "herokuify.storage.CachedS3StaticStorage"
ON_DISK = "compressor.storage.CompressorFileStorage"
FINDERS = ["django.contrib.staticfiles.finders.AppDirectoriesFinder"]


class TestFinder:
    @pytest.mark.parametrize("is_enabled", [True, False])
    def test_missing_one_is_an_error(self, found: Found, is_enabled: bool) -> None:
        """django-compressor requires it even if it is disabled."""
        messages = found(
            tags=("staticfiles",), STATICFILES_FINDERS=FINDERS, COMPRESS_ENABLED=is_enabled
        )
        text = only(messages, "E009")
        assert 'Add "compressor.finders.CompressorFinder" to STATICFILES_FINDERS' in text

    @pytest.mark.parametrize("app", ["compressor", "django.contrib.staticfiles"])
    def test_is_not_needed_without_the_apps(
        self, found: Found, app: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("django.apps.apps.is_installed", lambda name: name != app)
        assert found(STATICFILES_FINDERS=FINDERS) == []


class TestSources:
    @pytest.mark.parametrize("is_offline", [True, False])
    def test_hashed_files_need_local_copies(self, found: Found, is_offline: bool) -> None:
        messages = found(
            tags=("staticfiles",), STORAGES=storages(MANIFEST), COMPRESS_OFFLINE=is_offline
        )
        text = only(messages, "E006")
        assert 'STORAGES["staticfiles"] is S3ManifestStaticStorage, which keeps no local' in text
        assert CACHED_MANIFEST in text


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "local": ({"COMPRESS_STORAGE": ON_DISK}, "is CompressorFileStorage, which keeps the bundles"),
    "local, online": (
        {"COMPRESS_STORAGE": ON_DISK, "COMPRESS_OFFLINE": False},
        "is CompressorFileStorage, which keeps the bundles",
    ),
    "plain": (
        {"COMPRESS_STORAGE": PLAIN, "STORAGES": storages(PLAIN)},
        "is S3StaticStorage, which keeps no local copies",
    ),
    "hashed": ({"COMPRESS_STORAGE": MANIFEST}, "is S3ManifestStaticStorage, which keeps no local"),
    "alias": (
        {"STORAGES": {**storages(), "compressor": {"BACKEND": PLAIN}}},
        "is S3StaticStorage, which keeps no local copies",
    ),
}


class TestBundles:
    @pytest.mark.parametrize(("changes", "part"), WRONG.values(), ids=WRONG)
    def test_unpublished_ones_are_an_error(
        self, found: Found, changes: dict[str, Any], part: str
    ) -> None:
        text = only(found(tags=("staticfiles",), **changes), "E007")
        assert f"COMPRESS_STORAGE {part}" in text
        assert f'COMPRESS_STORAGE = "{CACHED_MANIFEST}"' in text

    @pytest.mark.parametrize(
        "changes",
        [
            {"COMPRESS_STORAGE": CACHED},
            {"COMPRESS_STORAGE": CACHED, "STORAGES": storages(CACHED)},
            {
                "COMPRESS_STORAGE": PLAIN,
                "STORAGES": storages(PLAIN),
                "COMPRESS_OFFLINE": False,
            },
            {"COMPRESS_STORAGE": ON_DISK, "COMPRESS_ENABLED": False},
            {
                "COMPRESS_STORAGE": ON_DISK,
                "STORAGES": storages(LOCAL_STATIC),
                "STATIC_URL": "/static/",
            },
        ],
        ids=str,
    )
    def test_published_ones_are_fine(self, found: Found, changes: dict[str, Any]) -> None:
        assert found(**changes) == []

    def test_are_not_checked_without_compressor(
        self, found: Found, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("django.apps.apps.is_installed", lambda name: name != "compressor")
        assert found(COMPRESS_STORAGE=ON_DISK) == []


class TestUrl:
    @pytest.mark.parametrize("url", ["/static/", "https://cdn.example.com/static/"])
    def test_another_one_is_an_error(self, found: Found, url: str) -> None:
        text = only(found(tags=("staticfiles",), COMPRESS_URL=url), "E008")
        assert f"COMPRESS_URL is {url!r}" in text
        assert f"CachedS3ManifestStaticStorage serves the bundles from {STATIC_URL!r}" in text
        assert "Delete COMPRESS_URL" in text

    @pytest.mark.parametrize(
        "changes",
        [
            {"COMPRESS_URL": STATIC_URL},
            {"COMPRESS_URL": "/static/", "COMPRESS_ENABLED": False},
            {
                "COMPRESS_URL": "/bundles/",
                "COMPRESS_STORAGE": ON_DISK,
                "STORAGES": storages(LOCAL_STATIC, LOCAL_MEDIA),
                "STATIC_URL": "/static/",
            },
        ],
        ids=str,
    )
    def test_static_url_is_fine(self, found: Found, changes: dict[str, Any]) -> None:
        assert found(**changes) == []

    def test_wrong_static_url_is_reported_once(self, found: Found) -> None:
        url = "https://other.s3.amazonaws.com/static/"
        assert ids(found(STATIC_URL=url, COMPRESS_URL="/x/")) == ["E002"]
