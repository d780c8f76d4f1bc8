from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from herokuify.exceptions import ConfigurationError
from herokuify.storage import S3MediaStorage, S3StaticStorage
from herokuify.storage.locations import files_url, located

pytestmark = pytest.mark.no_django


@pytest.mark.parametrize(
    ("prefix", "location"),
    [
        (None, "static"),
        ("", "static"),
        ("/", "static"),
        ("cube", "cube/static"),
        ("/cube/", "cube/static"),
        ("a/b", "a/b/static"),
    ],
)
def test_located(prefix: str | None, location: str) -> None:
    assert located(prefix, "static") == location


AWS: dict[str, Any] = {"bucket_name": "my-bucket", "region_name": "eu-west-1"}
OTHER: dict[str, Any] = {"bucket_name": "my-bucket", "endpoint_url": "https://s3.example.com"}
INSIDE: dict[str, Any] = {
    "bucket_name": "my-bucket",
    "endpoint_url": "http://minio:9000",
    "public_endpoint_url": "http://localhost:9000",
}
CUBE: dict[str, Any] = {**AWS, "location": "cube/public/static"}


@pytest.mark.usefixtures("no_sockets")
class TestStaticUrl:
    @pytest.mark.parametrize(
        ("options", "url"),
        [
            (AWS, "https://my-bucket.s3.amazonaws.com/static/"),
            (AWS, "https://my-bucket.s3.eu-west-1.amazonaws.com/static/"),
            (AWS, "https://my-bucket.s3-eu-west-1.amazonaws.com/static/"),
            (AWS, "https://s3.eu-west-1.amazonaws.com/my-bucket/static/"),
            (AWS, "https://s3.amazonaws.com/my-bucket/static/"),
            (AWS, "https://my-bucket.s3.dualstack.eu-west-1.amazonaws.com/static/"),
            (AWS, "//my-bucket.s3.amazonaws.com/static/"),
            (AWS, "http://my-bucket.s3.amazonaws.com/static/"),
            (CUBE, "https://my-bucket.s3.amazonaws.com/cube/public/static/"),
            (OTHER, "https://s3.example.com/my-bucket/static/"),
            (OTHER, "https://my-bucket.s3.example.com/static/"),
            # Any host that is not S3's is taken for a CDN.
            (AWS, "https://d111111abcdef8.cloudfront.net/"),
            (AWS, "https://cdn.example.com/assets/v2/"),
            (OTHER, "https://cdn.example.com/"),
            (INSIDE, "http://localhost:9000/my-bucket/static/"),
            (AWS, "https://cdn.example.com:8443/static/"),
            (AWS, "https://nonesuch.example.com/static/"),
            ({**AWS, "location": "stätic"}, "https://my-bucket.s3.amazonaws.com/st%C3%A4tic/"),
            ({**AWS, "location": ""}, "https://my-bucket.s3.amazonaws.com/"),
        ],
    )
    def test_accepted(self, settings: Settings, options: dict[str, Any], url: str) -> None:
        settings.STATIC_URL = url
        storage = S3StaticStorage(**options)
        storage.check_configuration()
        assert storage.url("a.css") == f"{url}a.css"

    @pytest.mark.parametrize(
        ("options", "url", "parts"),
        [
            (AWS, "/static/", ["'/static/'", "a path on this site"]),
            (AWS, "static/", ["a path on this site"]),
            (AWS, None, ["STATIC_URL is not set"]),
            (AWS, "", ["a path on this site"]),
            (
                AWS,
                "https://None.s3.amazonaws.com/static/",
                ["AWS_STORAGE_BUCKET_NAME", "heroku config:set"],
            ),
            (AWS, "https://none.s3.eu-west-1.amazonaws.com/static/", ["AWS_STORAGE_BUCKET_NAME"]),
            (AWS, "https://s3.amazonaws.com/None/static/", ["AWS_STORAGE_BUCKET_NAME"]),
            (OTHER, "https://s3.example.com/None/static/", ["AWS_STORAGE_BUCKET_NAME"]),
            (AWS, "https://my-bucket.s3.amazonaws.com/static", ["must end with a slash"]),
            (AWS, "https://cdn.example.com/static", ["must end with a slash"]),
            (AWS, "https://cdn.example.com", ["must end with a slash"]),
            (
                AWS,
                "https://other.s3.amazonaws.com/static/",
                ["'other/static'", "'my-bucket/static'"],
            ),
            (
                AWS,
                "https://my-bucket.s3.amazonaws.com/assets/",
                ["'my-bucket/assets'", "'my-bucket/static'"],
            ),
            (AWS, "https://my-bucket.s3.amazonaws.com/", ["'my-bucket/static'"]),
            (AWS, "https://s3.amazonaws.com/other/static/", ["'other/static'"]),
            (
                CUBE,
                "https://my-bucket.s3.amazonaws.com/static/",
                ["'my-bucket/cube/public/static'"],
            ),
            (OTHER, "https://s3.example.com/other/static/", ["'other/static'"]),
            (OTHER, "https://other.s3.example.com/static/", ["'other/static'"]),
            (
                OTHER,
                "https://my-bucket.s3.amazonaws.com/static/",
                ["at Amazon", "AWS_S3_ENDPOINT_URL", "'https://s3.example.com'"],
            ),
            (
                INSIDE,
                "http://minio:9000/my-bucket/static/",
                ["at AWS_S3_ENDPOINT_URL", "AWS_S3_PUBLIC_ENDPOINT_URL, 'http://localhost:9000'"],
            ),
            (
                INSIDE,
                "https://my-bucket.s3.amazonaws.com/static/",
                ["at Amazon", "AWS_S3_PUBLIC_ENDPOINT_URL, 'http://localhost:9000'"],
            ),
        ],
    )
    def test_refused(
        self, settings: Settings, options: dict[str, Any], url: str | None, parts: list[str]
    ) -> None:
        settings.STATIC_URL = url
        storage = S3StaticStorage(**options)
        for action in (storage.check_configuration, lambda: storage.url("a.css")):
            with pytest.raises(ImproperlyConfigured) as caught:
                action()
            message = str(caught.value)
            for part in [*parts, "STATIC_URL is", "In settings.py: "]:
                assert part in message

    @pytest.mark.parametrize(
        "environment",
        [
            {},
            {"AWS_STORAGE_BUCKET_NAME": "my-bucket"},
            {"AWS_STORAGE_BUCKET_NAME": "my-bucket", "AWS_S3_REGION_NAME": "us-west-2"},
            {"AWS_STORAGE_BUCKET_NAME": "main", "AWS_LOCATION": "cube"},
            {"AWS_STORAGE_BUCKET_NAME": "main", "AWS_S3_ENDPOINT_URL": "https://s3.example.com"},
            {"AWS_STORAGE_BUCKET_NAME": "main", "AWS_S3_CUSTOM_DOMAIN": "cdn.example.com"},
            {"AWS_ACCESS_KEY_ID": "half-a-key"},
        ],
        ids=str,
    )
    @pytest.mark.parametrize(
        "options", [AWS, OTHER, CUBE, INSIDE, {"bucket_name": "my-bucket"}], ids=str
    )
    def test_the_hint_is_right(
        self,
        settings: Settings,
        monkeypatch: pytest.MonkeyPatch,
        options: dict[str, Any],
        environment: dict[str, str],
    ) -> None:
        """The line in the hint gives the right URL, whatever the environment."""
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        settings.STATIC_URL = "https://elsewhere.s3.amazonaws.com/static/"
        settings.MEDIA_URL = "/media/"
        for storage, name in [
            (S3StaticStorage(**options), "STATIC_URL"),
            (S3MediaStorage(**options, querystring_auth=False), "MEDIA_URL"),
        ]:
            with pytest.raises(ConfigurationError) as caught:
                _ = storage.base_url
            line = caught.value.hint.removeprefix("In settings.py: ")
            if "AWS_ACCESS_KEY_ID" in environment:  # the helper itself reports it
                assert line.endswith("_url()")
                continue
            namespace: dict[str, Any] = {}
            exec(line, namespace)
            setattr(settings, name, namespace[name])
            assert storage.url("a.css") == f"{namespace[name]}a.css"
            if "cdn.example.com" not in namespace[name]:
                assert namespace[name] == files_url(storage)

    def test_the_hint_is_short(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_STORAGE_BUCKET_NAME", "my-bucket")
        settings.STATIC_URL = "/static/"
        for options, call in [
            ({"bucket_name": "my-bucket"}, "get_static_url()"),
            ({"bucket_name": "assets"}, 'get_static_url(bucket="assets")'),
            (AWS, 'get_static_url(region="eu-west-1")'),
            (CUBE, 'get_static_url("cube/public/static", region="eu-west-1")'),
            (INSIDE, 'get_static_url(endpoint_url="http://localhost:9000")'),
        ]:
            with pytest.raises(ConfigurationError) as caught:
                S3StaticStorage(**options).url("a.css")
            assert caught.value.hint.endswith(f"STATIC_URL = {call}")

    @pytest.mark.parametrize(
        "url", ["/static/", "https://None.s3.amazonaws.com/static/", "https://cdn.example.com/"]
    )
    def test_without_a_bucket(self, settings: Settings, url: str) -> None:
        """An S3 storage in local development: the bucket is missing."""
        settings.STATIC_URL = url
        storage = S3StaticStorage()
        with pytest.raises(ImproperlyConfigured, match="AWS_STORAGE_BUCKET_NAME") as caught:
            storage.check_configuration()
        assert "heroku config:set AWS_STORAGE_BUCKET_NAME=…" in str(caught.value)
        if url == "https://cdn.example.com/":
            assert storage.url("a.css") == f"{url}a.css"
            return
        with pytest.raises(ImproperlyConfigured, match="AWS_STORAGE_BUCKET_NAME") as caught:
            storage.url("a.css")
        assert "heroku config:set AWS_STORAGE_BUCKET_NAME=…" in str(caught.value)

    def test_host_with_another_region_is_refused(self, settings: Settings) -> None:
        """S3 would redirect every request."""
        settings.STATIC_URL = "https://my-bucket.s3.us-west-2.amazonaws.com/static/"
        with pytest.raises(ImproperlyConfigured, match="us-west-2"):
            S3StaticStorage(**AWS).check_configuration()


@pytest.mark.usefixtures("no_sockets")
class TestMediaUrl:
    def test_refused(self, settings: Settings) -> None:
        settings.MEDIA_URL = "/media/"
        storage = S3MediaStorage(**AWS, querystring_auth=False)
        with pytest.raises(ImproperlyConfigured, match="MEDIA_URL = get_media_url") as caught:
            storage.url("a.txt")
        assert "S3MediaStorage" in str(caught.value)

    def test_not_needed_for_signed_urls(self, settings: Settings) -> None:
        settings.MEDIA_URL = "/media/"
        storage = S3MediaStorage(**AWS, access_key="x", secret_key="x")
        storage.check_configuration()
        assert "X-Amz-Signature" in storage.url("a.txt")
