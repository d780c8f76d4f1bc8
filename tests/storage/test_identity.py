"""Storages as values: in migrations, in comparisons, in pickles."""

import importlib
import pickle
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from django.db import migrations, models
from django.db.migrations.serializer import serializer_factory
from django.db.migrations.writer import MigrationWriter
from pytest_django import Settings

import herokuify.storage
from herokuify.storage import S3BotoStorage, S3ManifestStaticStorage, S3MediaStorage


class Own(S3MediaStorage):
    """A project's own class."""


@pytest.mark.parametrize("name", herokuify.storage.__all__)
class TestEachClass:
    @pytest.fixture(autouse=True)
    def static_root(self, settings: Settings, tmp_path: Any) -> None:
        settings.STATIC_ROOT = settings.COMPRESS_ROOT = tmp_path

    def test_deconstructs_under_its_public_name(self, name: str) -> None:
        storage = getattr(herokuify.storage, name)(bucket_name="b", location="somewhere")
        path, positional, options = storage.deconstruct()
        assert path == f"herokuify.storage.{name}"
        module, _, attribute = path.rpartition(".")
        copy = getattr(importlib.import_module(module), attribute)(*positional, **options)
        assert copy == storage
        assert hash(copy) == hash(storage)

    def test_equality(self, name: str, settings: Settings) -> None:
        kind = getattr(herokuify.storage, name)
        assert kind() == kind()
        assert kind() != kind(bucket_name="other")
        assert kind() != kind(location="other")
        assert kind() != type("Other", (kind,), {})()
        before = kind()
        settings.AWS_S3_REGION_NAME = "eu-west-3"
        assert kind() != before
        assert kind() != "a string"

    def test_pickled_copy_is_equal(self, name: str) -> None:
        storage = getattr(herokuify.storage, name)(headers={"Cache-Control": "x"})
        copy = pickle.loads(pickle.dumps(storage))
        assert copy == storage
        assert copy.transfer == storage.transfer


def test_in_a_migration() -> None:
    storage = S3MediaStorage(bucket_name="b", location="private")
    text, imports = serializer_factory(storage).serialize()
    assert text == "herokuify.storage.S3MediaStorage(bucket_name='b', location='private')"
    assert imports == {"import herokuify.storage"}
    field = models.FileField(storage=storage)
    operation = migrations.AddField("document", "second", field)
    migration = type("Migration", (migrations.Migration,), {"operations": [operation]})
    source = MigrationWriter(migration("0002_second", "testapp")).as_string()
    assert "storage=herokuify.storage.S3MediaStorage(" in source
    compile(source, "migration", "exec")


def test_subclass_deconstructs_under_its_own_name() -> None:
    assert Own(bucket_name="b").deconstruct()[0] == f"{__name__}.Own"


def test_client_and_transfer_configs_are_compared_by_value() -> None:
    def make(**options: Any) -> S3BotoStorage:
        return S3BotoStorage(bucket_name="b", **options)

    assert make(client_config=Config(read_timeout=7)) == make(client_config=Config(read_timeout=7))
    assert make(client_config=Config(read_timeout=7)) != make(client_config=Config(read_timeout=8))
    five, same = (TransferConfig(multipart_chunksize=5 * 2**20) for _ in range(2))
    assert make(transfer_config=five) == make(transfer_config=same)
    assert make(transfer_config=five) != make()


def test_url_cache_is_neither_compared_nor_pickled() -> None:
    keys = {"access_key": "k", "secret_key": "s", "bucket_name": "b", "region_name": "eu-west-1"}
    storage = S3MediaStorage(**keys)
    storage.url("a.jpg")
    assert storage == S3MediaStorage(**keys)
    copy = pickle.loads(pickle.dumps(storage))
    assert copy == storage
    assert not copy._urls._signed._kept


def test_new_manifest_reaches_every_instance(settings: Settings, tmp_path: Any) -> None:
    settings.STATIC_ROOT = tmp_path
    storages = [S3ManifestStaticStorage(bucket_name="b") for _ in range(2)]
    storages[0].activate_manifest(b'{"paths": {"a": "a.1"}, "version": "1.1", "hash": "1"}')
    assert [storage.hashed_files for storage in storages] == [{"a": "a.1"}] * 2
