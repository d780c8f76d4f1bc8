import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.checks.conftest import (
    CACHED_MANIFEST,
    LOCAL_STATIC,
    MEDIA,
    STATIC_URL,
    Found,
    ids,
    only,
    storages,
)

NOBODY = 65534
DJANGO_STORAGES = "storages.backends.s3.S3Storage"


class TestSigning:
    @pytest.mark.parametrize(
        "backend",
        [
            "herokuify.storage.S3BotoStorage",
            "herokuify.storage.CachedS3BotoStorage",
            MEDIA,
            DJANGO_STORAGES,
        ],
    )
    def test_signed_static_files_are_reported(self, found: Found, backend: str) -> None:
        messages = found(STORAGES=storages(backend), tags=("staticfiles",))
        text = only(messages, "W003")
        assert f'STORAGES["staticfiles"] is {backend.rpartition(".")[2]}, which signs' in text

    def test_signed_bundles_are_reported(self, found: Found) -> None:
        messages = found(COMPRESS_STORAGE="herokuify.storage.CachedS3BotoStorage")
        assert "COMPRESS_STORAGE is CachedS3BotoStorage" in only(messages, "W003")

    @pytest.mark.parametrize(
        "changes",
        [
            {"AWS_QUERYSTRING_AUTH": False},
            {"AWS_S3_CUSTOM_DOMAIN": "cdn.example.com"},
        ],
        ids=str,
    )
    def test_unsigned_urls_are_fine(self, found: Found, changes: dict[str, Any]) -> None:
        messages = found(
            STORAGES=storages(DJANGO_STORAGES), MEDIA_URL=STATIC_URL[:-7] + "media/", **changes
        )
        assert "W003" not in ids(messages)

    @pytest.mark.parametrize(
        "backend",
        [LOCAL_STATIC, "storages.backends.s3.S3StaticStorage", "herokuify.storage.S3StaticStorage"],
    )
    def test_other_classes_are_fine(self, found: Found, backend: str) -> None:
        options = {"querystring_auth": True} if backend.startswith("herokuify") else {}
        static = {"BACKEND": backend, "OPTIONS": options}
        messages = found(STORAGES=storages(static), COMPRESS_ENABLED=False)
        assert "W003" not in ids(messages)

    def test_storage_with_an_error_is_ignored(self, found: Found) -> None:
        static = {"BACKEND": DJANGO_STORAGES, "OPTIONS": {"bukket": "x"}}
        assert found(STORAGES=storages(static)) == []


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that can't be written to; os.access() answers root as an ordinary user."""
    access = os.access

    def as_nobody(*args: Any, **options: Any) -> bool:
        os.seteuid(NOBODY)
        try:
            return access(*args, **options)
        finally:
            os.seteuid(0)

    if os.geteuid() == 0:
        monkeypatch.setattr("os.access", as_nobody)
        monkeypatch.setattr("os.supports_effective_ids", {as_nobody})
    # Other users can't enter pytest's own folders.
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    yield folder
    folder.rmdir()


class TestRoot:
    @pytest.mark.parametrize("stage", ["build", "release"])
    @pytest.mark.parametrize("below", ["", "new/folder"])
    @pytest.mark.parametrize("backend", [CACHED_MANIFEST, LOCAL_STATIC])
    def test_read_only_folder_is_an_error(
        self, found: Found, read_only: Path, stage: str, below: str, backend: str
    ) -> None:
        root = read_only / below
        messages = found(
            stage,
            tags=("staticfiles",),
            STATIC_ROOT=root,
            COMPRESS_ROOT=str(root),
            COMPRESS_ENABLED=False,
            STORAGES=storages(backend),
        )
        text = only(messages, "E005")
        assert f"can't be written to STATIC_ROOT ({root}): {read_only} is read-only" in text
        assert "STATIC_ROOT = BASE_DIR" in text

    def test_folder_is_needed_for_compressor(self, found: Found, read_only: Path) -> None:
        roots = {"STATIC_ROOT": read_only, "COMPRESS_ROOT": str(read_only)}
        plain = storages("herokuify.storage.S3StaticStorage")
        assert ids(found("build", STORAGES=plain, **roots)) == ["E005"]

    def test_file_in_the_path_is_an_error(self, found: Found, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        root = str(tmp_path / "file" / "static")
        cached = "herokuify.storage.CachedS3StaticStorage"
        plain = {"STORAGES": storages(cached), "COMPRESS_STORAGE": cached}
        messages = found("build", STATIC_ROOT=root, COMPRESS_ROOT=root, **plain)
        assert f"{tmp_path / 'file'} is not a folder" in only(messages, "E005")

    @pytest.mark.parametrize(
        ("stage", "backend"),
        [
            ("local", CACHED_MANIFEST),
            ("dyno", LOCAL_STATIC),
            ("build", "herokuify.storage.S3StaticStorage"),
        ],
    )
    def test_is_not_checked_where_nothing_is_written(
        self, found: Found, read_only: Path, stage: str, backend: str
    ) -> None:
        messages = found(
            stage,
            STATIC_ROOT=read_only,
            COMPRESS_ROOT=str(read_only),
            COMPRESS_ENABLED=False,
            COMPRESS_STORAGE="herokuify.storage.S3StaticStorage",
            STORAGES=storages(backend),
        )
        assert "E005" not in ids(messages)

    def test_missing_folder_is_fine(self, found: Found, tmp_path: Path) -> None:
        root = str(tmp_path / "new" / "static")
        assert found("build", STATIC_ROOT=root, COMPRESS_ROOT=root) == []
