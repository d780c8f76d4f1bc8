"""List the objects below a location, 1,000 per page, with several pages in parallel."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from sys import intern
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree as ET

from herokuify.collect.inactivity import InactivityTimeout
from herokuify.collect.packed import Packed, Shared, digest_bytes
from herokuify.exceptions import S3Error
from herokuify.s3.errors import failures, status_of
from herokuify.s3.threads import Threads

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

AT_ONCE = 4  # parallel requests
_LISTED = "herokuify"


class Listed(NamedTuple):
    """An object as the listing shows it."""

    etag: str  # without quotes
    size: int  # bytes, as stored
    last_modified: str  # 2026-11-21T13:36:57Z

    @property
    def modified(self) -> float:
        """When it was written, in seconds since 1970."""
        return datetime.fromisoformat(self.last_modified.replace("Z", "+00:00")).timestamp()


_dates: Shared[str] = Shared()


class Objects(Packed[Listed]):
    """Listed objects by key."""

    @staticmethod
    def pack(listed: Listed) -> bytes | None:
        """Return the object as bytes; None unless its ETag is an MD5 digest."""
        etag = digest_bytes(listed.etag)
        if etag is None or listed.size >> 64:
            return None
        return _dates.number(listed.last_modified) + etag + listed.size.to_bytes(8, "big")

    @staticmethod
    def unpack(packed: bytes) -> Listed:
        """Return the object."""
        size = int.from_bytes(packed[20:], "big")
        return Listed(packed[4:20].hex(), size, _dates.value(packed[:4]))


class _Page(NamedTuple):
    objects: Objects
    token: str
    is_last: bool


class Listing:
    """All objects of a bucket below a prefix.

    ``expected`` are keys, in order, that probably exist: they determine how to divide the listing
    after the first page. If they are wrong, the result is still right, with at most AT_ONCE extra
    requests.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        prefix: str,
        timeout: InactivityTimeout,
        expected: Sequence[str] = (),
    ) -> None:
        self.client = client
        self.bucket = bucket
        self.timeout = timeout
        self._prefix = prefix
        self._expected = expected
        self._lock = threading.Lock()
        self._has_failed = False
        self.requests = 0

    def read(self) -> Objects:
        """List all objects; return them by key."""
        self.client.meta.events.register(
            "before-parse.s3.ListObjectsV2", _read_contents, unique_id="herokuify-listing"
        )
        first = self._ask({})
        if first.is_last:
            return first.objects
        keys = list(first.objects)
        # Directory buckets don't sort keys, so their listing can't be divided.
        bounds = self._bounds(keys[-1]) if keys == sorted(keys) else []
        threads = Threads(AT_ONCE)
        try:
            ranges = [
                threads.submit(partial(self._read_range, first, start, end))
                for start, end in zip([None, *bounds], [*bounds, None], strict=True)
            ]
            found = [one.result() for one in ranges]
        except BaseException:
            self._has_failed = True
            raise
        finally:
            threads.close()
        for some in [self._read_on(first)] if None in found else found:
            first.objects.take_all(some or Objects())
        return first.objects

    def _bounds(self, last: str) -> list[str]:
        """Return the last key of each range; all ranges hold equally many expected keys."""
        in_first = bisect_right(self._expected, last)
        rest = self._expected[in_first:]
        # As many ranges as there are pages, judging from the first page.
        count = min(AT_ONCE, -(-len(rest) // in_first) if in_first else len(rest))
        return [rest[len(rest) * number // count] for number in range(1, count)]

    def _read_range(self, first: _Page, start: str | None, end: str | None) -> Objects | None:
        """List the objects after ``start``, or after the first page if it is None, up to ``end``.

        Return None if the service doesn't support StartAfter.
        """
        if start is None:
            return self._read_on(first, end)
        try:
            page = self._ask({"StartAfter": start})
        except failures() as error:
            if status_of(error) in {400, 501}:
                return None
            raise
        if page.objects and min(page.objects) <= start:
            return None
        page.objects.take_all(self._read_on(page, end))
        return page.objects

    def _read_on(self, page: _Page, end: str | None = None) -> Objects:
        """List the objects after a page, up to ``end``."""
        objects = Objects()
        while not (page.is_last or self._has_failed):
            if end is not None and max(page.objects, default="") >= end:
                break
            token = page.token
            page = self._ask({"ContinuationToken": token})
            if page.token == token:
                raise S3Error(f"The listing of {self.bucket} does not end: {token!r} came twice.")
            objects.take_all(page.objects)
        return objects

    def _ask(self, position: dict[str, Any]) -> _Page:
        with self._lock:
            self.requests += 1
        answer = self.client.list_objects_v2(Bucket=self.bucket, Prefix=self._prefix, **position)
        self.timeout.reset()
        items: Any = answer.get("Contents", ())
        objects = Objects({intern(item["Key"]): item[_LISTED] for item in items})
        token = answer.get("NextContinuationToken", "")
        return _Page(objects, token, is_last=not (answer.get("IsTruncated") and token))


def _read_contents(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    """Parse a page's objects in place of botocore, whose parser takes 50 µs per object.

    botocore still decodes the keys, and handles responses that aren't a page.
    """
    try:
        root = ET.fromstring(response_dict["body"])  # noqa: S314  (S3's own answer)
    except ET.ParseError:
        return
    if not root.tag.endswith("ListBucketResult"):
        return
    space = root.tag.removesuffix("ListBucketResult")
    contents = []
    for element in root.findall(f"{space}Contents"):
        fields = {child.tag.removeprefix(space): child.text or "" for child in element}
        listed = Listed(
            fields["ETag"].strip('"'),
            int(fields["Size"]),
            fields["LastModified"][: len("2026-11-21T13:36:57")] + "Z",
        )
        contents.append({"Key": fields["Key"], _LISTED: listed})
        root.remove(element)
    response_dict["body"] = ET.tostring(root)
    customized_response_dict["Contents"] = contents
