"""A server that browsers reach at a different address from the site."""

from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from django.core.files.base import ContentFile
from pytest_django import Settings

from herokuify.exceptions import ConfigurationError
from herokuify.s3.client import connect as connect_to
from herokuify.storage import S3MediaStorage, S3StaticStorage
from herokuify.storage.registry import share_bucket
from herokuify.storage.urls import Urls
from tests.cutting_proxy import Cutter
from tests.servers import S3Server
from tests.storage.helpers import on_ceph, status
from tests.storages import Connect

KEYS: dict[str, Any] = {"bucket_name": "my-bucket", "access_key": "key", "secret_key": "secret"}


@pytest.fixture
def outside(cutter: Cutter) -> str:
    """The address of a proxy, which forwards to the server."""
    return cutter.url


# Only Ceph checks signatures, which include the host.
@on_ceph
def test_signed_for_browsers(s3: S3Server, bucket: str, connect: Connect, outside: str) -> None:
    connect(s3, bucket, AWS_S3_PUBLIC_ENDPOINT_URL=outside)
    storage = S3MediaStorage()
    name = storage.save("a b.txt", ContentFile(b"x"))
    assert storage.open(name).read() == b"x"
    # Signed by herokuify, with a parameter, and by boto3, as for forms.
    for url in (
        storage.url(name),
        storage.url(name, {"ResponseContentType": "text/css"}),
        connect_to(storage.public_destination).generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": storage.key_of(name)}
        ),
    ):
        assert url.startswith(f"{outside}/{bucket}/media/")
        with urlopen(url) as answer:
            assert answer.read() == b"x"
        assert status(url.replace(outside, s3.endpoint_url)) == 403
    assert storage.destination.endpoint_url == s3.endpoint_url
    # The site's own requests don't use the public address.
    connect(s3, bucket, AWS_S3_PUBLIC_ENDPOINT_URL="https://files.invalid")
    storage = S3MediaStorage()
    assert storage.open(storage.save("c.txt", ContentFile(b"y"))).read() == b"y"
    assert urlsplit(storage.url("c.txt")).netloc == "files.invalid"


@pytest.mark.usefixtures("no_sockets")
def test_amazons_own_hosts(settings: Settings) -> None:
    """The site uses AWS PrivateLink; browsers can't."""
    link = "https://bucket.vpce-1a2b3c4d.s3.eu-west-1.vpce.amazonaws.com"
    storage = S3MediaStorage(
        **KEYS,
        region_name="eu-west-1",
        endpoint_url=link,
        public_endpoint_url="https://s3.eu-west-1.amazonaws.com",
        addressing_style="virtual",
    )
    assert storage.url("a").startswith("https://my-bucket.s3.eu-west-1.amazonaws.com/media/a?")
    assert storage.destination.endpoint_url == link


@pytest.mark.usefixtures("no_sockets")
def test_direct_uploads() -> None:
    """URLs are signed by herokuify for "s3v4", and otherwise by boto3."""
    for version in ("s3v4", "s3"):
        storage = S3MediaStorage(
            **KEYS,
            region_name="eu-west-1",
            endpoint_url="http://minio:9000",
            public_endpoint_url="https://files.example.com",
            addressing_style="path",
            signature_version=version,
        )
        url = Urls(storage).of_upload("pending/a", {}, {"content-length": "1"}, 60)
        assert url.startswith("https://files.example.com/my-bucket/pending/a?")


@pytest.mark.usefixtures("no_sockets")
def test_both_addresses_are_one_server() -> None:
    inside = S3StaticStorage(
        **KEYS, endpoint_url="http://minio:9000", public_endpoint_url="http://localhost:9000/"
    )
    outside = S3MediaStorage(**KEYS, endpoint_url="http://localhost:9000")
    other = S3MediaStorage(**KEYS, endpoint_url="http://localhost:9001")
    assert share_bucket(inside, outside)
    assert share_bucket(outside, inside)
    assert not share_bucket(inside, other)
    assert not share_bucket(other, S3MediaStorage(**KEYS))


@pytest.mark.usefixtures("no_sockets")
@pytest.mark.parametrize("url", ["localhost:9000", "//localhost:9000", "ftp://a.b"])
def test_invalid_address(url: str) -> None:
    storage = S3MediaStorage(**KEYS, public_endpoint_url=url)
    for action in (storage.check_configuration, lambda: storage.url("a")):
        with pytest.raises(ConfigurationError, match="AWS_S3_PUBLIC_ENDPOINT_URL") as caught:
            action()
        assert "secret" not in str(caught.value)
