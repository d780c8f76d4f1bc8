import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore
import pytest
from botocore.config import Config

from herokuify.s3.template import PutTemplate
from tests.fault_proxy import sink
from tests.replay import replay

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

pytestmark = pytest.mark.no_django

#: Shared, because each session reads botocore's models again.
_SESSION = boto3.session.Session()


def make_client(endpoint_url: str | None = None, **options: Any) -> "S3Client":
    """Create a client like herokuify's; other ``options`` than boto3's are those of its Config."""
    names = {"region_name", "use_ssl", "verify", "aws_access_key_id"}
    arguments: dict[str, Any] = {
        "region_name": "eu-west-1",
        "aws_access_key_id": "test-key",
        "aws_secret_access_key": "test-secret",
    }
    arguments |= {name: options.pop(name) for name in names & set(options)}
    return _SESSION.client("s3", endpoint_url=endpoint_url, config=Config(**options), **arguments)


PATH: Any = {"addressing_style": "path"}
VIRTUAL: Any = {"addressing_style": "virtual"}


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore the proxies of this machine."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("no_sockets")
@pytest.mark.parametrize(
    ("endpoint", "options", "url"),
    [
        (None, {}, "https://example.s3.eu-west-1.amazonaws.com/"),
        (None, {"region_name": "us-east-1"}, "https://example.s3.amazonaws.com/"),
        (None, {"use_ssl": False}, "http://example.s3.eu-west-1.amazonaws.com/"),
        (None, {"s3": PATH}, "https://s3.eu-west-1.amazonaws.com/example/"),
        (
            None,
            {"s3": {"use_accelerate_endpoint": True}},
            "https://example.s3-accelerate.amazonaws.com/",
        ),
        (
            None,
            {"s3": {"use_dualstack_endpoint": True}},
            "https://example.s3.dualstack.eu-west-1.amazonaws.com/",
        ),
        ("http://127.0.0.1:9000", {}, "http://127.0.0.1:9000/example/"),
        ("http://[::1]:9000", {}, "http://[::1]:9000/example/"),
        ("https://s3.test", {"s3": PATH}, "https://s3.test/example/"),
        ("https://s3.test:443", {"s3": PATH}, "https://s3.test/example/"),
        ("http://s3.test:80", {"s3": PATH}, "http://s3.test/example/"),
        ("http://s3.test:443", {"s3": PATH}, "http://s3.test:443/example/"),
        ("https://s3.test:8443", {"s3": VIRTUAL}, "https://example.s3.test:8443/"),
        ("https://s3.test/below/a", {"s3": PATH}, "https://s3.test/below/a/example/"),
        ("https://s3.test/below/a/", {"s3": VIRTUAL}, "https://example.s3.test/below/a/"),
    ],
)
def test_address(endpoint: str | None, options: dict[str, Any], url: str) -> None:
    template = PutTemplate.of(make_client(endpoint, **options), "example")
    assert template is not None
    assert template.url == url
    assert template.is_secure == url.startswith("https")
    assert template.region == options.get("region_name", "eu-west-1")
    assert template.path("a b/ü~.css") == f"{template.folder}a%20b/%C3%BC~.css"


@pytest.mark.usefixtures("no_sockets")
class TestOf:
    def test_arn_of_an_access_point(self) -> None:
        bucket = "arn:aws:s3:us-west-2:123456789012:accesspoint/name"
        template = PutTemplate.of(make_client(), bucket)
        assert template is not None
        assert template.host == "name-123456789012.s3-accesspoint.us-west-2.amazonaws.com"
        assert template.region == "us-west-2"

    @pytest.mark.parametrize(
        ("options", "signs_body", "has_checksum"),
        [
            ({}, False, True),
            ({"use_ssl": False}, True, True),
            ({"request_checksum_calculation": "when_required"}, True, False),
        ],
    )
    def test_integrity(self, options: dict[str, Any], signs_body: bool, has_checksum: bool) -> None:
        template = PutTemplate.of(make_client(**options), "example")
        assert template is not None
        assert (template.signs_body, template.has_checksum) == (signs_body, has_checksum)
        body = b"123456789"
        digest = hashlib.sha256(body).hexdigest()
        assert template.payload(body) == (digest if signs_body else "UNSIGNED-PAYLOAD")
        # The check value of CRC-32: 0xCBF43926.
        crc32 = template.checksum(body).get("x-amz-checksum-crc32")
        assert crc32 == ("y/Q5Jg==" if has_checksum else None)

    @pytest.mark.parametrize(
        "options",
        [
            {"signature_version": botocore.UNSIGNED},
            {"signature_version": "s3"},
            {"proxies": {"https": "http://127.0.0.1:3128"}},
            {"client_cert": "client.pem"},
        ],
        ids=["unsigned", "version 2", "proxy", "client certificate"],
    )
    def test_is_none_for_unusual_settings(self, options: dict[str, Any]) -> None:
        assert PutTemplate.of(make_client(**options), "example") is None

    @pytest.mark.parametrize("bucket", ["name--use1-az4--x-s3", "no such name"])
    def test_is_none_for_unusual_buckets(self, bucket: str) -> None:
        assert PutTemplate.of(make_client(), bucket) is None

    @pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
    def test_is_none_behind_the_environments_proxy(
        self, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(name, "http://127.0.0.1:3128")
        assert PutTemplate.of(make_client(), "example") is None
        assert PutTemplate.of(make_client(use_ssl=False), "example") is not None

    def test_is_none_for_another_checksum(self) -> None:
        client = make_client()

        def choose(params: dict[str, Any], **_: Any) -> None:
            params["ChecksumAlgorithm"] = "SHA256"

        client.meta.events.register("provide-client-params.s3.PutObject", choose)
        assert PutTemplate.of(client, "example") is None

    def test_is_none_without_credentials(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))
        client = boto3.session.Session().client("s3", region_name="eu-west-1")
        assert PutTemplate.of(client, "example") is None


def test_sends_no_request_and_blocks_no_other() -> None:
    with replay("http://127.0.0.1:1") as proxy:  # the rule answers all requests
        proxy.rule = sink
        client = make_client(proxy.url)
        etags: list[str] = []

        def send_another(**_: Any) -> None:
            client.meta.events.unregister("before-call.s3.PutObject", send_another)
            etags.append(client.put_object(Bucket="example", Key="another", Body=b"1")["ETag"])

        client.meta.events.register("before-call.s3.PutObject", send_another)
        assert PutTemplate.of(client, "example") is not None
        client.put_object(Bucket="example", Key="later", Body=b"2")
        assert [put.path for put in proxy.requests] == ["/example/another", "/example/later"]
        assert len(etags) == 1
