"""The listing of a bucket, on real servers, with small pages."""

import math
import os
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from herokuify.collect.inactivity import InactivityTimeout
from herokuify.collect.listing import AT_ONCE, Listing, Objects
from tests.servers import S3Server, client_of

pytestmark = pytest.mark.no_django

PAGE = 10
BUCKET = f"listing-{os.getpid()}"  # several processes share a server
SOURCES = [f"static/{folder}/{n:02} ü.css" for folder in ("a", "b+", "日本") for n in range(20)]
HASHED = [name.replace(".css", f".{n:012x}.css") for n, name in enumerate(SOURCES)]
OLD = [name.replace(".css", f".f{n:011x}.css") for n, name in enumerate(SOURCES)]


@pytest.fixture(scope="module", params=["moto", "ceph"])
def listed_server(request: pytest.FixtureRequest) -> Iterator[S3Server]:
    server: S3Server = request.getfixturevalue(request.param)
    client = client_of(server)
    client.create_bucket(Bucket=BUCKET)
    names = [*SOURCES, *HASHED, *OLD]
    for name in names:
        client.put_object(Bucket=BUCKET, Key=name, Body=b"")
    client.put_object(Bucket=BUCKET, Key="static2/beside", Body=b"")
    yield server
    for name in [*names, "static2/beside"]:
        client.delete_object(Bucket=BUCKET, Key=name)
    client.delete_bucket(Bucket=BUCKET)


class Asked:
    """A client with small pages; records where its requests start."""

    def __init__(self, server: S3Server) -> None:
        self.starts: list[str] = []
        self.client = server.client()
        self.client.meta.events.register(
            "before-parameter-build.s3.ListObjectsV2", self._small, unique_id="small"
        )

    def _small(self, params: dict[str, Any], **_: Any) -> None:
        params["MaxKeys"] = PAGE
        if "StartAfter" in params:
            self.starts.append(params["StartAfter"])

    def read(self, expected: Sequence[str], prefix: str = "static/") -> tuple[Objects, int]:
        """Return the objects, and the number of requests."""
        listing = Listing(self.client, BUCKET, prefix, InactivityTimeout(), sorted(expected))
        return listing.read(), listing.requests


ALL = [*SOURCES, *HASHED, *OLD]
PAGES = math.ceil(len(ALL) / PAGE)
EXPECTED = {
    "nothing": [],
    "the same": [*SOURCES, *HASHED, *OLD],
    "a third": SOURCES,
    "more": [f"{name}{n}" for name in SOURCES for n in range(9)],
    "only the first": SOURCES[:1],
    "only the last": SOURCES[-1:],
    "others before": [f"s{n}" for n in range(100)],
    "others after": [f"t{n}" for n in range(100)],
    "another half": SOURCES[1::2],
    "none on the first page": SOURCES[20:],
}


@pytest.mark.parametrize("expected", EXPECTED.values(), ids=EXPECTED)
def test_finds_all_objects_whatever_is_expected(
    listed_server: S3Server, expected: list[str]
) -> None:
    objects, requests = Asked(listed_server).read(expected)
    assert sorted(objects) == sorted(ALL)
    assert PAGES <= requests <= PAGES + AT_ONCE


@pytest.mark.parametrize("expected", ["the same", "a third", "more", "none on the first page"])
def test_parts_are_read_concurrently(listed_server: S3Server, expected: str) -> None:
    asked = Asked(listed_server)
    asked.read(EXPECTED[expected])
    assert len(asked.starts) == AT_ONCE - 1


def test_short_listings_are_not_divided(listed_server: S3Server) -> None:
    asked = Asked(listed_server)
    objects, requests = asked.read(SOURCES[:5], prefix="static/a/0")
    assert (len(objects), requests) == (30, 3)
    objects, requests = asked.read(SOURCES, prefix="static/a/00")
    assert (len(objects), requests) == (3, 1)


@pytest.mark.parametrize("answer", ["from the start", "refuses"])
def test_servers_that_ignore_or_refuse_start_after(listed_server: S3Server, answer: str) -> None:
    asked = Asked(listed_server)

    def spoil(params: dict[str, Any], **_: Any) -> None:
        if "StartAfter" in params:
            del params["StartAfter"]
            if answer == "refuses":
                params["ContinuationToken"] = ""  # a 400 of any server

    asked.client.meta.events.register("before-parameter-build.s3.ListObjectsV2", spoil)
    objects, _ = asked.read(SOURCES)
    assert asked.starts
    assert sorted(objects) == sorted(ALL)


def test_refusal_in_the_middle_is_an_error(listed_server: S3Server) -> None:
    asked = Asked(listed_server)

    def spoil(params: dict[str, Any], **_: Any) -> None:
        if "StartAfter" in params:
            params["Bucket"] = "no-such-bucket"

    asked.client.meta.events.register("before-parameter-build.s3.ListObjectsV2", spoil)
    with pytest.raises(ClientError, match="NoSuchBucket"):
        asked.read(SOURCES)
