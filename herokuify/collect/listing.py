"""The objects below a location, as S3 lists them: 1,000 a page, pages in parallel."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from sys import intern
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree as ET

from botocore.utils import parse_timestamp

from herokuify.collect.silence import Silence
from herokuify.collect.transport import Threads

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

AT_ONCE = 4  # requests
#: The share of a page that a stretch is to fill: with a key too many it would take two pages.
FILLED = 0.98
_LISTED = "herokuify"


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as the listing shows it."""

    etag: str  # without quotes
    size: int  # bytes, as stored
    last_modified: str  # 2026-11-21T13:36:57Z

    @property
    def modified(self) -> float:
        """When it was written, in seconds since 1970."""
        return parse_timestamp(self.last_modified).timestamp()


class _Page(NamedTuple):
    objects: dict[str, Listed]
    token: str
    is_last: bool


class Listing:
    """All objects of a bucket below a prefix.

    ``expected`` are keys, in order, that may be there, or some that lie among them: after
    the first page they tell where others may begin, which can then be asked for at once.
    They need not be right: what is between two of them is listed to its end.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        prefix: str,
        silence: Silence,
        expected: Sequence[str] = (),
    ) -> None:
        self.client = client
        self.bucket = bucket
        self.silence = silence
        self._prefix = prefix
        self._expected = expected
        self._lock = threading.Lock()
        self.objects: dict[str, Listed] = {}
        self.requests = 0

    def read(self) -> None:
        """Ask S3 for all of them."""
        self.client.meta.events.register(
            "before-parse.s3.ListObjectsV2", _read_contents, unique_id="herokuify-listing"
        )
        first = self._ask({})
        if first.is_last:
            return
        keys = list(first.objects)
        # Directory buckets have an order of their own, in which nothing can be left out.
        bounds = self._bounds(keys[-1]) if keys == sorted(keys) else []
        threads = Threads(AT_ONCE)
        try:
            stretches = [
                threads.submit(partial(self._read_stretch, first, start, end))
                for start, end in zip([None, *bounds], [*bounds, None], strict=True)
            ]
            is_whole = all(stretch.result() for stretch in stretches)
        finally:
            threads.close()
        if not is_whole:
            self._read_stretch(first, None, None)

    def _bounds(self, last: str) -> list[str]:
        """The last keys of stretches that hold as many expected keys as the first page."""
        in_first = bisect_right(self._expected, last)
        step = int(in_first * FILLED)
        return list(self._expected[in_first + step :: step]) if step else []

    def _read_stretch(self, page: _Page, start: str | None, end: str | None) -> bool:
        """List what comes after ``start``, or without it after the page, up to ``end``.

        Returns whether it could: a server may not know how to begin in the middle.
        """
        last = start
        if start is not None:
            page = self._ask({"StartAfter": start})
            if page.objects and min(page.objects) <= start:
                return False
        while not page.is_last:
            last = max(page.objects, default=last)
            if end is not None and last is not None and last >= end:
                break
            page = self._ask({"ContinuationToken": page.token})
        return True

    def _ask(self, position: dict[str, Any]) -> _Page:
        with self._lock:
            self.requests += 1
        answer = self.client.list_objects_v2(Bucket=self.bucket, Prefix=self._prefix, **position)
        self.silence.end()
        items: Any = answer.get("Contents", ())
        objects = {intern(item["Key"]): item[_LISTED] for item in items}
        token = answer.get("NextContinuationToken", "")
        with self._lock:
            self.objects.update(objects)
        return _Page(objects, token, is_last=not (answer.get("IsTruncated") and token))


def _read_contents(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    """Read a page's objects before botocore's parser does, which takes 50 µs for each.

    The keys are left for botocore to decode, and what is no page for botocore to refuse.
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
        # Of strings that the index has, too, one copy is enough.
        listed = Listed(
            intern(fields["ETag"].strip('"')),
            int(fields["Size"]),
            intern(fields["LastModified"][: len("2026-11-21T13:36:57")] + "Z"),
        )
        contents.append({"Key": fields["Key"], _LISTED: listed})
        root.remove(element)
    response_dict["body"] = ET.tostring(root)
    customized_response_dict["Contents"] = contents
