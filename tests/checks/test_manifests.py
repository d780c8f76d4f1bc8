from pathlib import Path
from typing import Any

import pytest

from tests.checks.conftest import LIVE, LOCAL_STATIC, Found, ids, only, storages


class TestStatic:
    @pytest.mark.parametrize("stage", LIVE)
    def test_missing_one_is_reported(self, found: Found, static_root: Path, stage: str) -> None:
        (static_root / "staticfiles.json").unlink()
        text = only(found(stage), "W008")
        assert f"{static_root / 'staticfiles.json'} does not exist" in text
        assert "heroku config:unset DISABLE_COLLECTSTATIC" in text

    @pytest.mark.parametrize(
        ("stage", "changes"),
        [
            ("build", {}),
            ("local", {}),
            ("dyno", {"DEBUG": True, "COMPRESS_ENABLED": False}),
            ("dyno", {"STORAGES": storages("herokuify.storage.CachedS3StaticStorage")}),
            (
                "dyno",
                {
                    "STORAGES": storages(LOCAL_STATIC),
                    "STATIC_URL": "/static/",
                    "COMPRESS_ENABLED": False,
                },
            ),
        ],
        ids=str,
    )
    def test_is_not_always_needed(
        self, found: Found, static_root: Path, stage: str, changes: dict[str, Any]
    ) -> None:
        (static_root / "staticfiles.json").unlink()
        assert "W008" not in ids(found(stage, **changes))

    def test_may_be_in_another_storage(
        self, found: Found, static_root: Path, tmp_path: Path
    ) -> None:
        from django.contrib.staticfiles.storage import StaticFilesStorage

        (static_root / "staticfiles.json").unlink()
        elsewhere = StaticFilesStorage(location=tmp_path, base_url="/static/")
        static = {
            "BACKEND": "herokuify.storage.CachedS3ManifestStaticStorage",
            "OPTIONS": {"manifest_storage": elsewhere},
        }
        assert found("dyno", STORAGES=storages(static)) == []

    def test_is_not_checked_by_collectstatic(self, found: Found, static_root: Path) -> None:
        (static_root / "staticfiles.json").unlink()
        (static_root / "CACHE" / "manifest.json").unlink()
        assert found("release", tags=("staticfiles",)) == []


class TestOffline:
    @pytest.mark.parametrize("stage", LIVE)
    def test_missing_one_is_reported(self, found: Found, static_root: Path, stage: str) -> None:
        manifest = static_root / "CACHE" / "manifest.json"
        manifest.unlink()
        text = only(found(stage), "W009")
        assert f"{manifest} does not exist" in text
        assert "bin/post_compile" in text
        assert "HEROKUIFY_COMPRESS = True" in text

    @pytest.mark.parametrize(
        ("stage", "changes"),
        [
            ("build", {}),
            ("local", {}),
            ("dyno", {"COMPRESS_OFFLINE": False}),
            ("dyno", {"COMPRESS_ENABLED": False}),
            ("dyno", {"COMPRESS_OFFLINE_MANIFEST_STORAGE": "elsewhere.Storage"}),
        ],
        ids=str,
    )
    def test_is_not_always_needed(
        self, found: Found, static_root: Path, stage: str, changes: dict[str, Any]
    ) -> None:
        (static_root / "CACHE" / "manifest.json").unlink()
        assert found(stage, **changes) == []

    def test_may_have_another_name(self, found: Found, static_root: Path) -> None:
        names = {"COMPRESS_OUTPUT_DIR": "bundles", "COMPRESS_OFFLINE_MANIFEST": "tags.json"}
        assert str(static_root / "bundles" / "tags.json") in only(found("dyno", **names), "W009")
        (static_root / "bundles").mkdir()
        (static_root / "bundles" / "tags.json").write_text("{}")
        assert found("dyno", **names) == []
