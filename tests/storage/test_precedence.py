"""OPTIONS, then a user's subclass, then an explicit setting, then the class default."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from herokuify.storage import (
    CachedS3ManifestStaticStorage,
    S3BotoStorage,
    S3ManifestStaticStorage,
    S3MediaStorage,
    S3StaticStorage,
)


class Located(S3BotoStorage):
    location = "subclass"
    file_overwrite = False
    querystring_auth = False
    default_acl = "authenticated-read"
    querystring_expire = 5


class LocatedMedia(S3MediaStorage):
    location = "subclass"
    file_overwrite = True
    querystring_auth = False
    default_acl = "authenticated-read"
    custom_domain = "subclass.example.com"


class LocatedStatic(S3StaticStorage):
    location = "subclass"
    file_overwrite = False
    querystring_auth = True


@pytest.mark.usefixtures("no_sockets")
class TestPrecedence:
    @pytest.mark.parametrize(
        ("storage_class", "location", "file_overwrite", "querystring_auth", "default_acl"),
        [
            (S3BotoStorage, "", True, True, None),
            (S3MediaStorage, "media", False, True, None),
            (S3StaticStorage, "static", True, False, None),
            (Located, "subclass", False, False, "authenticated-read"),
            (LocatedMedia, "subclass", True, False, "authenticated-read"),
            (LocatedStatic, "subclass", False, True, None),
        ],
    )
    def test_defaults(
        self,
        storage_class: Any,
        location: str,
        file_overwrite: bool,
        querystring_auth: bool,
        default_acl: str | None,
    ) -> None:
        storage = storage_class()
        assert storage.location == location
        assert storage.file_overwrite is file_overwrite
        assert storage.querystring_auth is querystring_auth
        assert storage.default_acl == default_acl

    @pytest.mark.parametrize(
        ("storage_class", "location", "file_overwrite", "querystring_auth", "default_acl"),
        [
            (S3BotoStorage, "cube", False, False, "public-read"),
            # Explicit settings apply, but they don't make files public.
            (S3MediaStorage, "cube/media", False, False, None),
            # Static classes overwrite and never sign, whatever the settings say.
            (S3StaticStorage, "cube/static", True, False, "public-read"),
            (Located, "subclass", False, False, "authenticated-read"),
            (LocatedMedia, "subclass", True, False, "authenticated-read"),
            (LocatedStatic, "subclass", False, True, "public-read"),
        ],
    )
    def test_settings(
        self,
        settings: Settings,
        storage_class: Any,
        location: str,
        file_overwrite: bool,
        querystring_auth: bool,
        default_acl: str | None,
    ) -> None:
        settings.AWS_LOCATION = "cube"
        settings.AWS_S3_FILE_OVERWRITE = False
        settings.AWS_QUERYSTRING_AUTH = False
        settings.AWS_DEFAULT_ACL = "public-read"
        storage = storage_class()
        assert storage.location == location
        assert storage.file_overwrite is file_overwrite
        assert storage.querystring_auth is querystring_auth
        assert storage.default_acl == default_acl

    def test_opposite_settings(self, settings: Settings) -> None:
        settings.AWS_S3_FILE_OVERWRITE = True
        settings.AWS_QUERYSTRING_AUTH = True
        assert S3MediaStorage().file_overwrite is True
        assert S3StaticStorage().file_overwrite is True
        assert S3StaticStorage().querystring_auth is False

    @pytest.mark.parametrize(
        "storage_class",
        [S3BotoStorage, S3MediaStorage, S3StaticStorage, Located, LocatedMedia, LocatedStatic],
    )
    @pytest.mark.parametrize("flag", [True, False])
    def test_options(self, settings: Settings, storage_class: Any, flag: bool) -> None:
        settings.AWS_LOCATION = "cube"
        settings.AWS_S3_FILE_OVERWRITE = not flag
        settings.AWS_QUERYSTRING_AUTH = not flag
        settings.AWS_DEFAULT_ACL = "public-read"
        settings.AWS_S3_REGION_NAME = "eu-west-1"
        options = {
            "location": "option",
            "file_overwrite": flag,
            "querystring_auth": flag,
            "default_acl": "bucket-owner-read",
            "region_name": "eu-west-3",
            "custom_domain": "option.example.com",
            "querystring_expire": 7,
            "auto_create_bucket": flag,
            "max_memory_size": 1,
        }
        storage = storage_class(**options)
        assert {name: getattr(storage, name) for name in options} == options

    @pytest.mark.parametrize(
        ("location", "public", "static", "media"),
        [
            (None, None, "static", "media"),
            ("", None, "static", "media"),
            ("cube", None, "cube/static", "cube/media"),
            ("cube/", None, "cube/static", "cube/media"),
            ("/a/b/", None, "a/b/static", "a/b/media"),
            ("cube", "cube/public", "cube/public/static", "cube/media"),
            (None, "public", "public/static", "media"),
        ],
    )
    def test_locations(
        self,
        settings: Settings,
        location: str | None,
        public: str | None,
        static: str,
        media: str,
    ) -> None:
        if location is not None:
            settings.AWS_LOCATION = location
        if public is not None:
            settings.AWS_PUBLIC_LOCATION = public
        settings.STATIC_ROOT = "/nowhere"
        assert S3StaticStorage().location == static
        assert S3ManifestStaticStorage().location == static
        assert CachedS3ManifestStaticStorage().location == static
        assert S3MediaStorage().location == media

    def test_unknown_option(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="colour"):
            S3BotoStorage(colour="red")
