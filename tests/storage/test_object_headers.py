"""Headers of objects, from everywhere they can be set."""

from typing import Any
from urllib.request import urlopen

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from pytest_django import Settings

from herokuify.storage import (
    S3BotoStorage,
    S3MediaStorage,
    S3StaticStorage,
)
from tests.replay import Proxy
from tests.servers import S3Server
from tests.storage.helpers import read

pytestmark = pytest.mark.no_django


class Own(S3BotoStorage):
    location = "own"
    headers = {"Cache-Control": "own"}  # noqa: RUF012
    extra_headers = [(r".*\.own$", {"Cache-Control": "own-extra"})]  # noqa: RUF012


class TestHeaders:
    def sent(self, proxy: Proxy, storage: Any, name: str) -> dict[str, str]:
        proxy.requests.clear()
        with storage.open(name, "w") as file:
            file.write("x")
        (request,) = proxy.requests
        skip = {"x-amz-date", "x-amz-content-sha256"}
        return {
            header: value
            for header, value in request.headers.items()
            if header in {"cache-control", "content-type", "content-language", "expires"}
            or (header.startswith("x-amz-") and header not in skip)
        }

    def test_later_sources_override_earlier_ones(self, proxied: Proxy, settings: Settings) -> None:
        """Class default < AWS_S3_OBJECT_PARAMETERS < AWS_HEADERS < AWS_EXTRA_HEADERS."""
        settings.AWS_DEFAULT_ACL = "private"
        storage: Any = S3BotoStorage()
        assert self.sent(proxied, storage, "a.txt") == {
            "content-type": "text/plain",
            "x-amz-acl": "private",
        }
        settings.AWS_S3_OBJECT_PARAMETERS = {
            "ContentType": "text/object",
            "ACL": "public-read",
            "CacheControl": "object",
            "ContentLanguage": "object",
            "Metadata": {"a": "object", "b": "object", "c": "object"},
        }
        storage = S3BotoStorage()
        assert self.sent(proxied, storage, "a.txt") == {
            "content-type": "text/object",
            "x-amz-acl": "public-read",
            "cache-control": "object",
            "content-language": "object",
            "x-amz-meta-a": "object",
            "x-amz-meta-b": "object",
            "x-amz-meta-c": "object",
        }
        settings.AWS_HEADERS = {
            "cache-control": "headers",
            "content-type": "text/headers",
            "X-Amz-Meta-B": "headers",
            "x-amz-meta-c": "headers",
        }
        settings.AWS_EXTRA_HEADERS = [
            (r"a\.txt$", {"Cache-Control": "extra", "x-amz-meta-c": "extra"})
        ]
        storage = S3BotoStorage()
        everywhere = {
            "content-type": "text/headers",
            "x-amz-acl": "public-read",
            "cache-control": "headers",
            "content-language": "object",
            "x-amz-meta-a": "object",
            "x-amz-meta-b": "headers",
            "x-amz-meta-c": "headers",
        }
        assert self.sent(proxied, storage, "b.txt") == everywhere
        extra = {"cache-control": "extra", "x-amz-meta-c": "extra"}
        assert self.sent(proxied, storage, "a.txt") == everywhere | extra

    @pytest.mark.parametrize("location", ["", "static", "my/static/", "my/static"])
    def test_patterns_see_the_name_inside_the_location(
        self, proxied: Proxy, settings: Settings, location: str
    ) -> None:
        settings.AWS_EXTRA_HEADERS = [(r"^css/a\.css$", {"Cache-Control": "found"})]
        storage = S3BotoStorage(location=location)
        assert self.sent(proxied, storage, "css/a.css")["cache-control"] == "found"
        assert "cache-control" not in self.sent(proxied, storage, "x/css/a.css")

    def test_precedence(self, proxied: Proxy, settings: Settings) -> None:
        """OPTIONS, then a subclass, then the setting."""
        settings.AWS_HEADERS = {"Cache-Control": "setting"}
        settings.AWS_EXTRA_HEADERS = [(r".*\.own$", {"Cache-Control": "setting-extra"})]
        options = {
            "headers": {"Cache-Control": "option"},
            "extra_headers": [(r".*\.own$", {"Cache-Control": "option-extra"})],
        }
        expected: list[tuple[Any, str, str]] = [
            (S3BotoStorage(), "setting", "setting-extra"),
            (S3MediaStorage(), "setting", "setting-extra"),
            (Own(), "own", "own-extra"),
            (S3BotoStorage(**options), "option", "option-extra"),
            (Own(**options), "option", "option-extra"),
        ]
        for storage, plain, extra in expected:
            assert self.sent(proxied, storage, "a.txt")["cache-control"] == plain
            assert self.sent(proxied, storage, "a.own")["cache-control"] == extra

    def test_visitors_get_the_configured_headers(self, aws: S3Server, settings: Settings) -> None:
        settings.AWS_HEADERS = {
            "Cache-Control": "max-age=31536000, immutable",
            "Expires": "Thu, 31 Dec 2037 23:55:55 GMT",
            "Content-Disposition": 'attachment; filename="a b.txt"',
            "Content-Language": "de",
            "x-amz-meta-owner": "me",
        }
        storage = S3BotoStorage()
        storage.save("a.txt", ContentFile(b"x"))
        with urlopen(storage.url("a.txt")) as answer:
            for name, value in settings.AWS_HEADERS.items():
                assert answer.headers[name] == value

    @pytest.mark.parametrize(
        "setting", [{"AWS_HEADERS": {"Cach": "x"}}, {"AWS_EXTRA_HEADERS": [("[", {})]}]
    )
    @pytest.mark.parametrize("storage_class", [S3BotoStorage, S3MediaStorage, S3StaticStorage])
    def test_invalid_headers_are_refused_at_start_up(
        self, settings: Settings, setting: dict[str, Any], storage_class: Any
    ) -> None:
        ((name, value),) = setting.items()
        setattr(settings, name, value)
        with pytest.raises(ImproperlyConfigured, match=name):
            storage_class()

    def test_value_that_http_does_not_allow(self, proxied: Proxy, settings: Settings) -> None:
        settings.AWS_HEADERS = {"x-amz-meta-a": "世界"}
        with pytest.raises(ImproperlyConfigured, match="AWS_HEADERS"):
            S3BotoStorage().save("a.txt", ContentFile(b"x"))

    def test_object_parameters_that_reading_needs(self, proxied: Proxy, settings: Settings) -> None:
        """As in django-storages, every request names its payer."""
        storage = S3BotoStorage(object_parameters={"RequestPayer": "requester"})
        storage.save("a.txt", ContentFile(b"x"))
        assert storage.exists("a.txt")
        assert storage.size("a.txt") == 1
        assert read(storage, "a.txt") == b"x"
        for request in proxied.requests:
            assert request.headers.get("x-amz-request-payer") == "requester", request.operation
