from collections.abc import Callable

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from pytest_django import Settings

from herokuify.storage import CachedS3StaticStorage, S3BotoStorage, S3MediaStorage, S3StaticStorage
from herokuify.storage.configured import configured_storages

NameStorages = Callable[..., None]


def test_those_of_a_kind(name_storages: NameStorages) -> None:
    name_storages(
        default="herokuify.storage.S3MediaStorage",
        staticfiles={"BACKEND": "herokuify.storage.S3StaticStorage", "OPTIONS": {"location": "x"}},
        local="django.core.files.storage.InMemoryStorage",
    )
    found = [make() for make in configured_storages(S3BotoStorage)]
    assert [type(storage) for storage in found] == [S3MediaStorage, S3StaticStorage]
    assert found == [storages["default"], storages["staticfiles"]]
    assert [make().location for make in configured_storages(S3StaticStorage)] == ["x"]
    assert not list(configured_storages(CachedS3StaticStorage))


def test_compressors(name_storages: NameStorages, settings: Settings) -> None:
    name_storages()
    settings.COMPRESS_STORAGE = "herokuify.storage.CachedS3StaticStorage"
    (make,) = configured_storages(S3BotoStorage)
    assert type(make()) is CachedS3StaticStorage
    settings.COMPRESS_STORAGE = "compressor.storage.CompressorFileStorage"
    assert not list(configured_storages(S3BotoStorage))


def test_compressors_alias_wins(name_storages: NameStorages, settings: Settings) -> None:
    name_storages(assets={"BACKEND": "herokuify.storage.S3StaticStorage"})
    settings.COMPRESS_STORAGE = "herokuify.storage.CachedS3StaticStorage"
    settings.COMPRESS_STORAGE_ALIAS = "assets"
    assert [type(make()) for make in configured_storages(S3BotoStorage)] == [S3StaticStorage]


def test_made_when_asked_for(name_storages: NameStorages, settings: Settings) -> None:
    """One with wrong settings must not hide the others."""
    settings.AWS_HEADERS = {"Cash-Control": "x"}
    name_storages(default="herokuify.storage.S3MediaStorage")
    (make,) = configured_storages(S3BotoStorage)
    with pytest.raises(ImproperlyConfigured, match="Cash-Control"):
        make()
