from pathlib import Path, PurePosixPath
from typing import Any
from urllib.request import urlopen

import pytest
from django.contrib.staticfiles.storage import StaticFilesStorage, staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.templatetags.static import static
from pytest_django import Settings

from herokuify.storage import (
    CachedS3StaticStorage,
    S3BotoStorage,
    S3ManifestStaticStorage,
    S3StaticStorage,
)
from tests.replay import Proxy
from tests.servers import S3Server, client_of
from tests.storage.helpers import NAMES, read
from tests.storages import Connect

URL = "https://my-bucket.s3.amazonaws.com/static/"


@pytest.fixture
def offline(
    settings: Settings, no_sockets: None, monkeypatch: pytest.MonkeyPatch, local_root: Path
) -> None:
    """Settings for a bucket on AWS, without sockets and boto3 sessions."""

    def refuse(*args: Any, **options: Any) -> Any:
        raise AssertionError("a static URL needs no client")

    monkeypatch.setattr("boto3.session.Session", refuse)
    settings.AWS_STORAGE_BUCKET_NAME = "my-bucket"
    settings.STATIC_URL = URL


@pytest.mark.usefixtures("offline")
class TestUrl:
    @pytest.mark.parametrize(
        "name",
        [
            *NAMES,
            "css/base.css",
            "/css/base.css",
            "//css/base.css",
            "folder/",
            "",
            "/",
            None,
            "back\\slash.css",
            "css/base.css?v=1",
            "fonts/a.svg#icon",
            "100%25.css",
            "..a.css",
            "a..css",
            # Not cleaned in the URL, though save() would clean them.
            "a//b.css",
            "./a.css",
            "a/./b.css",
            "a/../b.css",
        ],
    )
    def test_equals_djangos(self, settings: Settings, name: str | None) -> None:
        """StaticFilesStorage gives the same URL."""
        for url in (URL, "https://cdn.example.com/", "https://cdn.example.com/a%20b/v2/"):
            settings.STATIC_URL = url
            expected = StaticFilesStorage(location="/nowhere").url(name)
            for storage_class in (S3StaticStorage, CachedS3StaticStorage):
                assert storage_class().url(name) == expected

    def test_paths(self) -> None:
        assert S3StaticStorage().url(PurePosixPath("css/a b.css")) == f"{URL}css/a%20b.css"

    def test_parameters(self) -> None:
        storage = S3StaticStorage()
        assert storage.url("a.css", {"v": "1 2"}) == f"{URL}a.css?v=1+2"
        assert storage.url("a.css", expire=7, http_method="PUT") == f"{URL}a.css"

    @pytest.mark.parametrize(
        "setting",
        [
            {"AWS_QUERYSTRING_AUTH": True},
            {"AWS_S3_CUSTOM_DOMAIN": "other.example.com"},
            {"AWS_S3_URL_PROTOCOL": "ftp:"},
            {"AWS_ACCESS_KEY_ID": None},
        ],
    )
    def test_other_settings_have_no_effect(
        self, settings: Settings, setting: dict[str, Any]
    ) -> None:
        """STATIC_URL is the single source of truth."""
        for name, value in setting.items():
            setattr(settings, name, value)
        assert S3StaticStorage().url("a.css") == f"{URL}a.css"

    def test_template_tag(self, settings: Settings) -> None:
        settings.STORAGES = {
            **settings.STORAGES,
            "staticfiles": {"BACKEND": "herokuify.storage.S3StaticStorage"},
        }
        assert static("css/a b.css") == f"{URL}css/a%20b.css"
        assert isinstance(staticfiles_storage._wrapped, S3StaticStorage)  # type: ignore[attr-defined]

    def test_follows_the_setting(self, settings: Settings) -> None:
        storage = S3StaticStorage()
        assert storage.url("a.css") == f"{URL}a.css"
        settings.STATIC_URL = "https://cdn.example.com/"
        assert storage.url("a.css") == "https://cdn.example.com/a.css"
        settings.STATIC_URL = "/static/"
        with pytest.raises(ImproperlyConfigured):
            storage.url("a.css")

    def test_base_url_option(self, settings: Settings) -> None:
        """It serves a second static location."""
        storage = S3StaticStorage(base_url="https://cdn.example.com/", location="other")
        assert storage.url("a.css") == "https://cdn.example.com/a.css"
        wrong = S3StaticStorage(base_url=URL, location="other")
        with pytest.raises(ImproperlyConfigured, match="my-bucket/other"):
            wrong.url("a.css")

    def test_custom_domain_option(self, settings: Settings) -> None:
        settings.AWS_S3_CUSTOM_DOMAIN = "elsewhere.example.com"
        storage = S3StaticStorage()
        assert storage.url("a.css") == f"{URL}a.css"
        for options, url in [
            ({}, "https://cdn.example.com/static/a.css"),
            ({"location": "a b"}, "https://cdn.example.com/a%20b/a.css"),
            ({"base_url": "https://x.example.com/"}, "https://x.example.com/a.css"),
            ({"url_protocol": "http:"}, "http://cdn.example.com/static/a.css"),
        ]:
            given = S3StaticStorage(custom_domain="cdn.example.com", **options)
            given.check_configuration()
            assert given.url("a.css") == url

    def test_storage_can_be_created_without_a_bucket(self) -> None:
        """In local development there is none; only headers are checked at once."""
        S3StaticStorage(bucket_name=None)


class TestWriting:
    def test_overwrites(self, aws: S3Server, settings: Settings) -> None:
        settings.AWS_S3_FILE_OVERWRITE = False
        storage = S3StaticStorage()
        for body in (b"first", b"second"):
            assert storage.save("a.css", ContentFile(body)) == "a.css"
            assert read(storage, "a.css") == body
        listing = client_of(aws).list_objects_v2(Bucket=storage.bucket_name)
        assert [item["Key"] for item in listing["Contents"]] == ["static/a.css"]

    def test_save_is_one_request(self, proxied: Proxy) -> None:
        S3StaticStorage().save("a.css", ContentFile(b""))
        assert proxied.operations == ["PutObject"]

    def test_files_are_at_their_urls(
        self, s3: S3Server, bucket_name: str, connect: Connect
    ) -> None:
        connect(s3, bucket_name, AWS_AUTO_CREATE_BUCKET=True)
        storage = S3StaticStorage()
        for name in NAMES:
            storage.save(name, ContentFile(name))
            with urlopen(storage.url(name)) as answer:
                assert answer.read().decode() == name

    @pytest.mark.parametrize(
        "storage_class", [S3StaticStorage, CachedS3StaticStorage, S3ManifestStaticStorage]
    )
    @pytest.mark.usefixtures("no_sockets")
    def test_wrong_url_is_an_error_at_the_first_write(
        self, settings: Settings, storage_class: Any, local_root: Path
    ) -> None:
        """Not every command runs the system checks first: `compress` doesn't."""
        settings.STATIC_URL = "/static/"
        storage = storage_class(bucket_name="b", access_key="x", secret_key="x")
        with pytest.raises(ImproperlyConfigured, match="get_static_url"):
            storage.save("a.css", ContentFile(b""))
        assert not [path for path in local_root.rglob("*") if path.is_file()]


class TestCacheHeaders:
    FOR_EVER = "public, max-age=31536000, immutable"

    def cached(self, storage: S3BotoStorage, name: str) -> str:
        storage.save(name, ContentFile(b"content"))
        head = storage.client.head_object(Bucket=storage.bucket_name, Key=f"static/{name}")
        return head["CacheControl"]

    def test_hashed_names(self, aws: S3Server) -> None:
        storage = S3StaticStorage()
        assert self.cached(storage, "CACHE/css/output.0123456789ab.css") == self.FOR_EVER

    @pytest.mark.parametrize(
        "name",
        ["css/base.css", "css/base.0123456789ab.css", "CACHE/manifest.json", "CACHE/css/a.css"],
    )
    def test_other_names(self, aws: S3Server, name: str) -> None:
        """For a short time, because the next release's file has the same name."""
        cache = self.cached(S3StaticStorage(), name)
        assert "immutable" not in cache
        seconds = int(cache.rpartition("max-age=")[2])
        assert 0 < seconds <= 3600

    def test_headers_setting_takes_precedence(self, aws: S3Server, settings: Settings) -> None:
        settings.AWS_HEADERS = {"Cache-Control": "max-age=7"}
        storage = S3StaticStorage()
        for name in ("a.css", "CACHE/css/output.0123456789ab.css"):
            assert self.cached(storage, name) == "max-age=7"

    def test_object_parameters_setting_takes_precedence(
        self, aws: S3Server, settings: Settings
    ) -> None:
        settings.AWS_S3_OBJECT_PARAMETERS = {"CacheControl": "max-age=8"}
        assert self.cached(S3StaticStorage(), "a.css") == "max-age=8"
