"""What is on S3: one listing, and the index that remembers what a listing can't show."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from botocore.exceptions import BotoCoreError, ClientError
from botocore.utils import parse_timestamp

from herokuify.collect.index import Entry, dump_index, parse_index
from herokuify.collect.silence import Silence
from herokuify.collect.transport import Threads

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

logger = logging.getLogger("herokuify.collect")

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


@dataclass(frozen=True)
class Remote:
    """The objects below a location and, where it is known, what they hold."""

    objects: Mapping[str, Listed] = field(default_factory=dict)
    entries: Mapping[str, Entry] = field(default_factory=dict)
    requests: int = 0

    def entry(self, key: str) -> Entry | None:
        """The object's entry, if the listing confirms it."""
        entry = self.entries.get(key)
        listed = self.objects.get(key)
        return entry if entry and listed and entry.etag == listed.etag else None


def read(
    client: S3Client,
    bucket: str,
    prefix: str,
    index_key: str,
    create_bucket: Callable[[], None] | None,
    silence: Silence,
) -> Remote:
    """List the objects below a prefix and load the index, both at once.

    ``create_bucket`` is called when the bucket is missing. A missing, damaged or foreign
    index is empty: it costs time, never correctness.
    """
    threads = Threads(1)
    try:
        remembered = threads.submit(lambda: _load_index(client, bucket, index_key))
        try:
            objects, pages = _list(client, bucket, prefix, silence)
        except ClientError as error:
            is_missing = error.response.get("Error", {}).get("Code") == "NoSuchBucket"
            if create_bucket is None or not is_missing:
                raise
            create_bucket()
            silence.end()
            objects, pages = {}, 1
        return Remote(objects, remembered.result(), requests=pages + 1)
    finally:
        threads.close()


def _list(
    client: S3Client, bucket: str, prefix: str, silence: Silence
) -> tuple[dict[str, Listed], int]:
    client.meta.events.register_first(
        "before-parse.s3.ListObjectsV2", _read_contents, unique_id="herokuify-listing"
    )
    objects: dict[str, Listed] = {}
    pages = 0
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        silence.end()
        pages += 1
        for item in page.get("Contents", ()):
            objects[intern(item["Key"])] = item[_LISTED]  # type: ignore[literal-required]
    return objects, pages


def _read_contents(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    """Read a page's objects before botocore's parsers do, one of which takes 50 µs for each.

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
        listed = Listed(
            intern(fields["ETag"].strip('"')),
            int(fields["Size"]),
            intern(fields["LastModified"][: len("2026-11-21T13:36:57")] + "Z"),
        )
        contents.append({"Key": fields["Key"], _LISTED: listed})
        root.remove(element)
    response_dict["body"] = ET.tostring(root)
    customized_response_dict["Contents"] = contents


def _load_index(client: S3Client, bucket: str, key: str) -> Mapping[str, Entry]:
    try:
        stored = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if _code(error) not in {"NoSuchKey", "NoSuchBucket", "404"}:
            warn(bucket, key, _code(error))
        return {}
    except BotoCoreError as error:  # the answer broke off
        warn(bucket, key, str(error))
        return {}
    return parse_index(stored)


def save_index(client: S3Client, bucket: str, key: str, entries: Mapping[str, Entry]) -> None:
    """Store the index; where that is refused, the next run compares every file anew."""
    try:
        client.put_object(
            Bucket=bucket, Key=key, Body=dump_index(entries), ContentType="application/gzip"
        )
    except ClientError as error:
        warn(bucket, key, _code(error))
    except BotoCoreError as error:
        warn(bucket, key, str(error))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code"))


def warn(bucket: str, key: str, reason: str) -> None:
    """Say why the index is of no use, and what that means."""
    logger.warning(
        "The index s3://%s/%s can't be read or written (%s): every file is compared anew. "
        "It needs s3:GetObject and s3:PutObject.",
        bucket,
        key,
        reason,
    )
