from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from pytest_django import Settings

from herokuify.storage import S3MediaStorage
from tests.replay import Proxy
from tests.servers import S3Server
from tests.storage.helpers import NAMES, on_ceph, read, status
from tests.storages import Connect

KEYS: dict[str, Any] = {"access_key": "x", "secret_key": "x", "bucket_name": "my-bucket"}


class TestPrivacy:
    @on_ceph
    def test_only_signed_urls_can_be_read(self, aws: S3Server) -> None:
        storage = S3MediaStorage()
        storage.save("a.txt", ContentFile(b"x"))
        url = storage.url("a.txt")
        assert status(url) == 200
        assert status(url.partition("?")[0]) == 403
        assert status(url.replace("a.txt", "b.txt")) == 403

    @pytest.mark.usefixtures("no_sockets")
    def test_querystring_expire(self) -> None:
        url = S3MediaStorage(**KEYS, querystring_expire=1).url("a.txt")
        assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["1"]

    def test_default_acl_setting_is_ignored(self, proxied: Proxy, settings: Settings) -> None:
        settings.AWS_DEFAULT_ACL = "public-read"
        S3MediaStorage().save("a.txt", ContentFile(b"x"))
        assert "x-amz-acl" not in proxied.requests[-1].headers
        S3MediaStorage(default_acl="public-read").save("b.txt", ContentFile(b"x"))
        assert proxied.requests[-1].headers["x-amz-acl"] == "public-read"

    @pytest.mark.usefixtures("no_sockets")
    def test_custom_domain_setting_is_ignored(self, settings: Settings) -> None:
        """django-storages returns unsigned URLs with a custom domain."""
        settings.AWS_S3_CUSTOM_DOMAIN = "cdn.example.com"
        url = urlsplit(S3MediaStorage(**KEYS).url("a.txt"))
        assert url.hostname == "my-bucket.s3.amazonaws.com"
        assert "X-Amz-Signature" in url.query

    @pytest.mark.usefixtures("no_sockets")
    def test_custom_domain_option(self) -> None:
        storage = S3MediaStorage(**KEYS, custom_domain="cdn.example.com")
        assert storage.url("a b.txt") == "https://cdn.example.com/media/a%20b.txt"

        class Own(S3MediaStorage):
            custom_domain = "own.example.com"

        assert Own(**KEYS).url("a.txt") == "https://own.example.com/media/a.txt"

    @pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning:storages")
    @pytest.mark.usefixtures("no_sockets")
    @pytest.mark.parametrize("way", ["settings", "options", "subclass"])
    def test_custom_domain_with_a_cloudfront_signer(self, settings: Settings, way: str) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        settings.AWS_S3_CUSTOM_DOMAIN = "cdn.example.com"
        signer = {"cloudfront_key_id": "K1", "cloudfront_key": key.decode()}
        storage: S3MediaStorage
        if way == "settings":
            settings.AWS_CLOUDFRONT_KEY_ID = signer["cloudfront_key_id"]
            settings.AWS_CLOUDFRONT_KEY = signer["cloudfront_key"]
            storage = S3MediaStorage(**KEYS)
        elif way == "options":
            storage = S3MediaStorage(**KEYS, **signer)
        else:
            storage = type("Own", (S3MediaStorage,), signer)(**KEYS)
        url = storage.url("a.txt")
        assert url.startswith("https://cdn.example.com/media/a.txt?")
        query = parse_qs(urlsplit(url).query)
        assert query["Key-Pair-Id"] == ["K1"]
        assert "Signature" in query


class TestUnsigned:
    """AWS_QUERYSTRING_AUTH = False."""

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.usefixtures("no_sockets")
    def test_url_is_media_url_and_the_name(self, settings: Settings, name: str) -> None:
        settings.AWS_QUERYSTRING_AUTH = False
        settings.MEDIA_URL = "https://my-bucket.s3.amazonaws.com/media/"
        expected = FileSystemStorage(location="/nowhere").url(name)
        assert S3MediaStorage(bucket_name="my-bucket").url(name) == expected

    @pytest.mark.usefixtures("no_sockets")
    def test_cdn(self, settings: Settings) -> None:
        settings.AWS_QUERYSTRING_AUTH = False
        settings.MEDIA_URL = "https://cdn.example.com/uploads/"
        storage = S3MediaStorage(bucket_name="my-bucket")
        assert storage.url("a.txt") == "https://cdn.example.com/uploads/a.txt"
        assert storage.url("a.txt", {"v": 1}) == "https://cdn.example.com/uploads/a.txt?v=1"

    @pytest.mark.usefixtures("no_sockets")
    def test_custom_domain_option(self, settings: Settings) -> None:
        settings.MEDIA_URL = "https://my-bucket.s3.amazonaws.com/media/"
        settings.AWS_S3_CUSTOM_DOMAIN = "elsewhere.example.com"
        options: dict[str, Any] = {"bucket_name": "my-bucket", "querystring_auth": False}
        assert S3MediaStorage(**options).url("a.txt") == f"{settings.MEDIA_URL}a.txt"
        url = "https://cdn.example.com/media/"
        own = type("Own", (S3MediaStorage,), {"custom_domain": "cdn.example.com"})
        for storage in (
            S3MediaStorage(**options, custom_domain="cdn.example.com"),
            own(**options),
        ):
            assert storage.base_url == url
            storage.check_configuration()
            assert storage.url("a b.txt") == f"{url}a%20b.txt"

    @on_ceph
    def test_bucket_stays_private(self, s3: S3Server, bucket_name: str, connect: Connect) -> None:
        connect(s3, bucket_name, AWS_AUTO_CREATE_BUCKET=True, AWS_QUERYSTRING_AUTH=False)
        storage = S3MediaStorage()
        storage.save("a.txt", ContentFile(b"x"))
        assert status(storage.url("a.txt")) == 403


class TestOverwriting:
    def test_never_by_default(self, aws: S3Server) -> None:
        storage = S3MediaStorage()
        names = [storage.save("a.txt", ContentFile(str(number))) for number in range(3)]
        assert len(set(names)) == 3
        assert [read(storage, name) for name in names] == [b"0", b"1", b"2"]

    def test_explicit_setting_is_obeyed(self, aws: S3Server, settings: Settings) -> None:
        settings.AWS_S3_FILE_OVERWRITE = True
        storage = S3MediaStorage()
        names = [storage.save("a.txt", ContentFile(str(number))) for number in range(2)]
        assert names == ["a.txt", "a.txt"]
        assert read(storage, "a.txt") == b"1"
