import importlib
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.storage import Storage, storages
from pytest_django import Settings

from herokuify.checks.storages import check_locations
from herokuify.conf.addresses import same_endpoint
from herokuify.exceptions import ConfigurationError
from herokuify.s3.policies import location_around
from herokuify.storage import CachedS3StaticStorage, S3MediaStorage, S3StaticStorage, registry
from herokuify.storage.registry import (
    UNUSABLE,
    by_bucket,
    find_storages,
    public_locations,
    s3_registered,
    share_bucket,
)
from tests.testapp.models import Document

NameStorages = Callable[..., None]


def test_storages_of_the_settings(name_storages: NameStorages) -> None:
    name_storages(
        default="herokuify.storage.S3MediaStorage",
        staticfiles={"BACKEND": "herokuify.storage.S3StaticStorage", "OPTIONS": {"location": "x"}},
        local="django.core.files.storage.InMemoryStorage",
    )
    found, faults = find_storages()
    assert not faults
    found = [one for one in found if one.setting != "COMPRESS_STORAGE"]
    assert [(one.alias, one.is_s3, one.is_static) for one in found] == [
        ("default", True, False),
        ("staticfiles", True, True),
        ("local", False, False),
    ]
    made = [one.make() for one in s3_registered()]
    assert [type(storage) for storage in made] == [S3MediaStorage, S3StaticStorage]
    assert made == [storages["default"], storages["staticfiles"]]
    assert made[1].location == "x"


def test_invalid_storages_do_not_hide_others(name_storages: NameStorages) -> None:
    name_storages(default="herokuify.storage.S3MediaStorage", other="no.Such", third={})
    found, faults = find_storages()
    assert {"default", "staticfiles"} <= {one.alias for one in found}
    assert sorted(faults) == ['STORAGES["other"]', 'STORAGES["third"]']


def test_compress_storage(name_storages: NameStorages, settings: Settings) -> None:
    name_storages()
    settings.COMPRESS_STORAGE = "herokuify.storage.CachedS3StaticStorage"
    (one,) = s3_registered()
    assert (one.setting, one.is_static) == ("COMPRESS_STORAGE", True)
    assert type(one.make()) is CachedS3StaticStorage
    settings.COMPRESS_STORAGE = "compressor.storage.CompressorFileStorage"
    assert not s3_registered()


def test_compress_storage_alias_takes_precedence(
    name_storages: NameStorages, settings: Settings
) -> None:
    name_storages(assets={"BACKEND": "herokuify.storage.S3StaticStorage"})
    settings.COMPRESS_STORAGE = "herokuify.storage.CachedS3StaticStorage"
    settings.COMPRESS_STORAGE_ALIAS = "assets"
    assert [type(one.make()) for one in s3_registered()] == [S3StaticStorage]


def test_storages_are_created_on_demand(name_storages: NameStorages, settings: Settings) -> None:
    """One with invalid settings must not hide the others."""
    settings.AWS_HEADERS = {"Cash-Control": "x"}
    name_storages(default="herokuify.storage.S3MediaStorage")
    (one,) = s3_registered()
    with pytest.raises(UNUSABLE, match="Cash-Control"):
        one.make()


class TestFields:
    """A model field's storage is one of the project's storages."""

    @pytest.fixture
    def on_field(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[Storage], None]:
        field = Document._meta.get_field("file")

        def put(storage: Storage) -> None:
            monkeypatch.setattr(field, "storage", storage)

        return put

    def test_storage_of_a_field_is_found(
        self, name_storages: NameStorages, on_field: Callable[[Storage], None]
    ) -> None:
        name_storages(default="herokuify.storage.S3MediaStorage")
        on_field(S3MediaStorage(location="static/invoices"))
        (_, one) = s3_registered()
        assert (one.alias, one.setting) == ("testapp.Document.file",) * 2
        assert one.make().location == "static/invoices"

    def test_storage_of_the_settings_is_listed_once(
        self, name_storages: NameStorages, on_field: Callable[[Storage], None]
    ) -> None:
        name_storages(default="herokuify.storage.S3MediaStorage")
        on_field(S3MediaStorage())
        on_field(storages["default"])
        assert len(s3_registered()) == 1

    def test_private_storage_in_a_public_location_is_an_error(
        self,
        name_storages: NameStorages,
        on_field: Callable[[Storage], None],
        settings: Settings,
    ) -> None:
        settings.AWS_STORAGE_BUCKET_NAME = "bucket"
        name_storages(staticfiles="herokuify.storage.S3StaticStorage")
        on_field(S3MediaStorage(location="static/invoices"))
        (found,) = check_locations()
        assert found.id == "herokuify.E004"
        assert "testapp.Document.file" in found.msg


@pytest.mark.parametrize(
    ("endpoint", "spelled"),
    [
        ("https://s3.example.com", "https://s3.example.com/"),
        ("https://s3.example.com", "https://s3.example.com:443"),
        ("https://s3.example.com", "http://S3.Example.COM.:80//"),
        ("https://s3.example.com", "http://s3.example.com:443"),
        ("https://s3.example.com", "https://me:password@s3.example.com"),
        ("https://s3.example.com:9000/a/b", "http://s3.example.com:9000//a//b/"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("http://[::1]:9000", "http://[0:0:0:0:0:0:0:1]:9000"),
        ("http://127.0.0.1:9000", "http://[::ffff:127.0.0.1]:9000"),
        (None, "https://s3.eu-west-1.amazonaws.com"),
        (None, "https://S3.dualstack.eu-west-1.amazonaws.com./"),
        (None, "https://s3-accelerate.amazonaws.com"),
        (None, "https://s3-accelerate.dualstack.amazonaws.com"),
        (None, "https://s3-fips.us-east-1.amazonaws.com"),
        (None, "https://bucket.vpce-1a2b-5e6f.s3.us-east-1.vpce.amazonaws.com"),
    ],
)
def test_spellings_of_one_endpoint_share_the_bucket(endpoint: str | None, spelled: str) -> None:
    one = S3StaticStorage(bucket_name="b", endpoint_url=endpoint)
    other = S3MediaStorage(bucket_name="b", endpoint_url=spelled, location="static/private")
    assert share_bucket(one, other)
    assert share_bucket(other, one)
    assert [len(sharing) for sharing in by_bucket([one, other])] == [2]
    with pytest.raises(ConfigurationError, match="anyone could read them"):
        public_locations([one, other])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, "https://s3.cn-north-1.amazonaws.com.cn"),
        (None, "https://s3.example.com"),
        (None, "https://ec2-1-2-3-4.compute-1.amazonaws.com"),  # a server on an EC2 instance
        ("http://127.0.0.1:9000", "http://127.0.0.1:9001"),
        ("http://127.0.0.1:9000", "http://127.0.0.2:9000"),
        ("https://s3.example.com/a", "https://s3.example.com/b"),
        ("https://s3.example.com", "https://example.com"),
        ("https://s3.example.com:port", "https://s3.example.com"),
    ],
)
def test_different_endpoints(one: str | None, other: str) -> None:
    assert not same_endpoint(one, other)


@pytest.mark.parametrize(
    ("location", "is_public"),
    [
        ("static", True),
        ("static/invoices", True),
        ("static//invoices/", True),
        ("media/../static/x", True),
        ("./static", True),
        ("Static", False),  # keys are case-sensitive
        ("statics", False),
        ("static-private", False),
        ("", False),
    ],
)
def test_locations_are_compared_by_path_segments(location: str, is_public: bool) -> None:
    assert (location_around(location, ["static/"]) is not None) == is_public


def test_module_is_not_a_storage(name_storages: NameStorages, monkeypatch: Any) -> None:
    monkeypatch.setattr(registry, "import_string", importlib.import_module)  # as Django 6.2's
    name_storages(default="herokuify.storage")
    assert "not a class" in find_storages()[1]['STORAGES["default"]']
