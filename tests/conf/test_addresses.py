from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3.session
import pytest
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from herokuify.conf.addresses import (
    S3Address,
    has_login,
    is_local,
    names_bucket,
    parse_s3_url,
    s3_base_url,
    url_path,
    without_logins,
)

pytestmark = pytest.mark.no_django

ENDPOINT = "https://objects.example.com"


class Empty:
    """The body of an answer to HEAD."""

    def stream(self) -> Iterator[bytes]:
        return iter(())


@cache
def client(region: str | None, endpoint_url: str | None, addressing_style: str | None) -> Any:
    s3_options: Any = {"addressing_style": addressing_style}
    return boto3.session.Session().client(
        "s3",
        region_name=region,
        endpoint_url=endpoint_url,
        config=Config(signature_version=UNSIGNED, s3=s3_options),
    )


def requested_url(bucket: str, key: str, **options: str | None) -> str:
    """Return the URL that botocore would request for an object; nothing is sent.

    botocore's presigned URLs are no oracle: except in "virtual" style, they have the global host
    for every region.
    """
    s3 = client(options.get("region"), options.get("endpoint_url"), options.get("addressing_style"))
    asked = []

    def answer(request: Any, **kwargs: Any) -> AWSResponse:
        asked.append(request.url)
        return AWSResponse(request.url, 200, HTTPHeaders(), Empty())

    s3.meta.events.register("before-send.s3.HeadObject", answer, unique_id="answer")
    try:
        s3.head_object(Bucket=bucket, Key=key)
    finally:
        s3.meta.events.unregister("before-send.s3.HeadObject", unique_id="answer")
    return str(asked[0])


class TestBaseUrl:
    @pytest.mark.parametrize(
        ("options", "url"),
        [
            ({}, "https://my-bucket.s3.amazonaws.com/static/"),
            ({"region": "us-east-1"}, "https://my-bucket.s3.amazonaws.com/static/"),
            ({"region": "eu-west-1"}, "https://my-bucket.s3.eu-west-1.amazonaws.com/static/"),
            (
                {"region": "eu-west-1", "addressing_style": "auto"},
                "https://my-bucket.s3.eu-west-1.amazonaws.com/static/",
            ),
            (
                {"region": "cn-north-1"},
                "https://my-bucket.s3.cn-north-1.amazonaws.com.cn/static/",
            ),
            (
                {"region": "eusc-de-east-1"},
                "https://my-bucket.s3.eusc-de-east-1.amazonaws.eu/static/",
            ),
            (
                {"region": "eu-west-1", "addressing_style": "path"},
                "https://s3.eu-west-1.amazonaws.com/my-bucket/static/",
            ),
            ({"addressing_style": "path"}, "https://s3.amazonaws.com/my-bucket/static/"),
            ({"endpoint_url": ENDPOINT}, f"{ENDPOINT}/my-bucket/static/"),
            (
                {"endpoint_url": f"{ENDPOINT}/", "addressing_style": "auto", "region": "eu"},
                f"{ENDPOINT}/my-bucket/static/",
            ),
            (
                {"endpoint_url": ENDPOINT, "addressing_style": "virtual"},
                "https://my-bucket.objects.example.com/static/",
            ),
            (
                {"endpoint_url": "http://127.0.0.1:9000", "addressing_style": "virtual"},
                "http://127.0.0.1:9000/my-bucket/static/",
            ),
            (
                {"endpoint_url": f"{ENDPOINT}:8443/s3"},
                "https://objects.example.com:8443/s3/my-bucket/static/",
            ),
        ],
    )
    def test_is_botocores(self, options: dict[str, str], url: str) -> None:
        assert s3_base_url("my-bucket", "static", **options) == url
        assert requested_url("my-bucket", "static/x", **options) == f"{url}x"

    @pytest.mark.parametrize("bucket", ["my.bucket", "My-Bucket", "my_bucket", "192.168.0.1"])
    def test_bucket_that_is_no_host_name_is_in_the_path(self, bucket: str) -> None:
        url = s3_base_url(bucket, "static", region="eu-west-1")
        assert url == f"https://s3.eu-west-1.amazonaws.com/{bucket}/static/"
        assert requested_url(bucket, "static/x", region="eu-west-1") == f"{url}x"

    @pytest.mark.parametrize(
        ("bucket", "url"),
        [
            ("my.bucket", "http://my.bucket.objects.example.com/a/"),
            ("b" * 63, f"http://{'b' * 63}.objects.example.com/a/"),
            ("b" * 64, f"http://objects.example.com/{'b' * 64}/a/"),
            ("my-.bucket", "http://objects.example.com/my-.bucket/a/"),
            ("my.-bucket", "http://objects.example.com/my.-bucket/a/"),
            ("192.168.0.1", "http://objects.example.com/192.168.0.1/a/"),
        ],
    )
    def test_allows_dots_in_the_host_without_tls(self, bucket: str, url: str) -> None:
        endpoint_url = "http://objects.example.com"
        virtual = {"endpoint_url": endpoint_url, "addressing_style": "virtual"}
        base = s3_base_url(bucket, "a", endpoint_url=endpoint_url, addressing_style="virtual")
        assert base == url
        assert requested_url(bucket, "a/x", **virtual) == f"{url}x"

    def test_invalid_bucket_names_are_quoted(self) -> None:
        url = s3_base_url("my bucket?", "a")
        assert url == "https://s3.amazonaws.com/my%20bucket%3F/a/"
        assert parse_s3_url(url) == S3Address("my bucket?", "a")

    @given(
        bucket=st.from_regex(
            r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]|[a-zA-Z0-9._-]{3,20}", fullmatch=True
        ).filter(
            lambda bucket: "--" not in bucket and not bucket.startswith("xn-") and bucket.strip(".")
        ),
        location=st.sampled_from(["", "static", "a/b c/%+#&=@~", "ü"]),
        region=st.sampled_from([None, "us-east-1", "eu-west-1", "us-gov-west-1", "cn-north-1"]),
        endpoint_url=st.sampled_from([None, ENDPOINT, "http://objects.example.com:9000/base"]),
        addressing_style=st.sampled_from([None, "auto", "path", "virtual"]),
    )
    def test_is_botocores_for_any_bucket(
        self, bucket: str, location: str, **options: str | None
    ) -> None:
        url = s3_base_url(bucket, location, **options)
        key = f"{location}/x" if location else "x"
        assert url.endswith("/")
        assert requested_url(bucket, key, **options) == f"{url}x"
        address = parse_s3_url(url, endpoint_url=options["endpoint_url"])
        assert address is not None
        assert address[:2] == (bucket, location)

    def test_custom_domain_wins(self) -> None:
        url = s3_base_url(
            "bucket", "a/static", custom_domain="cdn.example.com", endpoint_url=ENDPOINT
        )
        assert url == "https://cdn.example.com/a/static/"

    def test_empty_parts_of_the_location_are_dropped(self) -> None:
        assert url_path("/a//b c/") == "a/b%20c/"
        assert url_path("/") == url_path("") == ""


class TestParse:
    @pytest.mark.parametrize(
        ("url", "region"),
        [
            ("https://bucket.s3.amazonaws.com/a/b/", None),
            ("http://bucket.s3.amazonaws.com/a/b", None),
            ("//bucket.s3.amazonaws.com/a/b/", None),
            ("https://BUCKET.S3.AMAZONAWS.COM:443/a/b/", None),
            ("https://bucket.s3.eu-west-1.amazonaws.com/a/b/", "eu-west-1"),
            ("https://bucket.s3-eu-west-1.amazonaws.com/a/b/", "eu-west-1"),
            ("https://bucket.s3-external-1.amazonaws.com/a/b/", "us-east-1"),
            ("https://bucket.s3.dualstack.eu-west-1.amazonaws.com/a/b/", "eu-west-1"),
            ("https://bucket.s3-fips.us-gov-west-1.amazonaws.com/a/b/", "us-gov-west-1"),
            ("https://bucket.s3-fips.dualstack.us-east-2.amazonaws.com/a/b/", "us-east-2"),
            ("https://bucket.s3-accelerate.amazonaws.com/a/b/", None),
            ("https://bucket.s3-accelerate.dualstack.amazonaws.com/a/b/", None),
            ("http://bucket.s3-website-eu-west-1.amazonaws.com/a/b/", "eu-west-1"),
            ("http://bucket.s3-website.eu-central-1.amazonaws.com/a/b/", "eu-central-1"),
            ("https://bucket.s3.cn-north-1.amazonaws.com.cn/a/b/", "cn-north-1"),
            ("https://bucket.s3.eusc-de-east-1.amazonaws.eu/a/b/", "eusc-de-east-1"),
            ("https://s3.amazonaws.com/bucket/a/b/", None),
            ("https://s3.eu-west-1.amazonaws.com/bucket/a/b/?x=1#y", "eu-west-1"),
            ("https://s3-eu-west-1.amazonaws.com/bucket/a/b/", "eu-west-1"),
            ("https://s3.dualstack.eu-west-1.amazonaws.com/bucket/a/b/", "eu-west-1"),
            ("https://s3.cn-north-1.amazonaws.com.cn/bucket/a/b/", "cn-north-1"),
        ],
    )
    def test_knows_each_form_of_aws(self, url: str, region: str | None) -> None:
        assert parse_s3_url(url) == S3Address("bucket", "a/b", region, True)
        assert parse_s3_url(url, endpoint_url=ENDPOINT) == S3Address("bucket", "a/b", region, True)

    @pytest.mark.parametrize(
        ("url", "bucket", "prefix"),
        [
            ("https://my.s3.bucket.s3.amazonaws.com/", "my.s3.bucket", ""),
            ("https://my-bucket.s3.amazonaws.com", "my-bucket", ""),
            ("https://bucket.s3.amazonaws.com/a%20b/%C3%BC%2Fc/", "bucket", "a b/ü/c"),
            ("https://s3.amazonaws.com/bucket", "bucket", ""),
            ("https://None.s3.amazonaws.com/static/", "none", "static"),
        ],
    )
    def test_finds_bucket_and_prefix(self, url: str, bucket: str, prefix: str) -> None:
        assert parse_s3_url(url) == S3Address(bucket, prefix)

    @pytest.mark.parametrize(
        ("endpoint_url", "url"),
        [
            (ENDPOINT, "https://objects.example.com/bucket/a/"),
            (f"{ENDPOINT}/", "https://bucket.objects.example.com/a/"),
            (ENDPOINT, "//objects.example.com/bucket/a/"),
            (ENDPOINT, "https://objects.example.com:443/bucket/a"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000/bucket/a/"),
            (f"{ENDPOINT}/s3", "https://objects.example.com/s3/bucket/a/"),
        ],
    )
    def test_knows_the_endpoint(self, endpoint_url: str, url: str) -> None:
        expected = S3Address("bucket", "a", None, is_aws=False)
        assert parse_s3_url(url, endpoint_url=endpoint_url) == expected
        assert parse_s3_url(url) is None

    def test_knows_the_endpoint_without_a_path(self) -> None:
        address = parse_s3_url("https://bucket.objects.example.com", endpoint_url=ENDPOINT)
        assert address == S3Address("bucket", "", None, is_aws=False)

    @pytest.mark.parametrize(
        "url",
        [
            "https://cdn.example.com/static/",
            "https://d111111abcdef8.cloudfront.net/static/",
            "https://amazonaws.com/static/",
            "https://bucket.s3.amazonaws.com.example.com/static/",
            "https://bucket.s3xamazonaws.com/static/",
            "https://x.s3-control.eu-west-1.amazonaws.com/a/",
            "https://bucket.s3.amazonaws.com:9000/a/",
            "https://s3.amazonaws.com/",
            "https://objects.example.com/",
            "https://objects.example.com:8443/bucket/a/",
            "https://myobjects.example.com/bucket/a/",
            "http://objects.example.com/bucket/a/",
            "s3://bucket/a",
            "ftp://bucket.s3.amazonaws.com/a/",
            "/static/",
            "",
            "https://[::1/static/",
            "https://bucket.s3.amazonaws.com:port/a/",
            "https://objects.example.com:99999/bucket/a/",
        ],
    )
    def test_other_hosts_are_none(self, url: str) -> None:
        assert parse_s3_url(url, endpoint_url=ENDPOINT) is None
        assert parse_s3_url(url) is None

    def test_other_paths_of_the_endpoint_are_none(self) -> None:
        endpoint_url = f"{ENDPOINT}/s3"
        assert parse_s3_url(f"{ENDPOINT}/s3x/bucket/a/", endpoint_url=endpoint_url) is None
        assert parse_s3_url(f"{ENDPOINT}/bucket/a/", endpoint_url=endpoint_url) is None

    @pytest.mark.parametrize(
        ("endpoint_url", "expected"),
        [
            (f"{ENDPOINT}/bucket", True),
            (f"{ENDPOINT}/s3/bucket/", True),
            ("https://bucket.s3.eu-west-1.amazonaws.com", True),
            ("https://s3.amazonaws.com/bucket", True),
            (ENDPOINT, False),
            (f"{ENDPOINT}/bucket/s3", False),
            ("https://s3.eu-west-1.amazonaws.com", False),
            ("https://another.s3.amazonaws.com", False),
            # A bucket may have the name of a part of its host.
            ("https://bucket.example.com", False),
        ],
    )
    def test_knows_an_endpoint_that_names_the_bucket(
        self, endpoint_url: str, expected: bool
    ) -> None:
        assert names_bucket(endpoint_url, "bucket") is expected

    @given(st.text())
    def test_never_raises(self, url: str) -> None:
        parse_s3_url(url, endpoint_url=url)
        parse_s3_url(f"https://{url}", endpoint_url=f"https://{url}")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:pass@host/path", "https://host/path"),
        ("https://me@host:9000", "https://host:9000"),
        ("//me:p@ss@host/@x", "//host/@x"),
        ("HTTP://me:p%40ss@[::1]:1/", "HTTP://[::1]:1/"),
        ("at http://a:b@h/ and http://c:d@i", "at http://h/ and http://i"),
        ("https://host/@me", "https://host/@me"),
        ("ada@example.com", "ada@example.com"),
    ],
)
def test_logins_are_removed(text: str, shown: str) -> None:
    assert without_logins(text) == shown
    assert has_login(text) == (text != shown)


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ("", True),
        ("localhost", True),
        ("127.0.0.2", False),
        ("[::1]", True),
        ("/var/run", True),
        ("localhost,::1", True),
        ("localhost,db.example.com", False),
        ("10.0.0.1", False),
        ("db.example.com", False),
    ],
)
def test_all_hosts_must_be_local(hosts: str, expected: bool) -> None:
    assert is_local(hosts) is expected
