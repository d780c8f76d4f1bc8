"""What is on S3: one listing, and the index that remembers what a listing can't show."""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from botocore.exceptions import BotoCoreError, ClientError
from botocore.utils import parse_timestamp

from herokuify.collect.silence import Silence
from herokuify.collect.transport import Threads

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

logger = logging.getLogger("herokuify.collect")

INDEX_VERSION = 1
_LISTED = "herokuify"


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as the listing shows it."""

    etag: str  # without quotes
    size: int  # bytes, as stored
    last_modified: str  # as S3 writes it: 2026-11-21T13:36:57.123Z

    @property
    def modified(self) -> float:
        """When it was written, in seconds since 1970."""
        return parse_timestamp(self.last_modified).timestamp()


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index remembers of an object; it counts only under the object's ETag."""

    etag: str
    digest: str
    fingerprint: str
    #: When the object was first absent from the newest release, in seconds since 1970;
    #: None while it belongs to it.
    superseded: int | None = None


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
        index = threads.submit(lambda: _load_index(client, bucket, index_key))
        try:
            objects, pages = _list(client, bucket, prefix, silence)
        except ClientError as error:
            is_missing = error.response.get("Error", {}).get("Code") == "NoSuchBucket"
            if create_bucket is None or not is_missing:
                raise
            create_bucket()
            silence.end()
            objects, pages = {}, 1
        return Remote(objects, index.result(), requests=pages + 1)
    finally:
        threads.close()


def _list(
    client: S3Client, bucket: str, prefix: str, silence: Silence
) -> tuple[dict[str, Listed], int]:
    client.meta.events.register(
        "before-parse.s3.ListObjectsV2", _read_contents, unique_id="herokuify-listing"
    )
    objects: dict[str, Listed] = {}
    pages = 0
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        silence.end()
        pages += 1
        for item in page.get("Contents", ()):
            objects[item["Key"]] = item[_LISTED]  # type: ignore[literal-required]
    return objects, pages


def _read_contents(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    """Read a page's objects before botocore's parser does, which takes 50 µs for each.

    The keys are left for botocore to decode.
    """
    if response_dict["status_code"] != 200:
        return
    root = ET.fromstring(response_dict["body"])  # noqa: S314  (S3's own answer)
    space = root.tag.removesuffix("ListBucketResult")
    contents = []
    for element in root.findall(f"{space}Contents"):
        fields = {child.tag.removeprefix(space): child.text or "" for child in element}
        listed = Listed(fields["ETag"].strip('"'), int(fields["Size"]), fields["LastModified"])
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


def parse_index(stored: bytes) -> Mapping[str, Entry]:
    """Entries by key; none when the bytes are no index of this version."""
    try:
        document = json.loads(gzip.decompress(stored))
        if document["version"] != INDEX_VERSION:
            return {}
        return {key: _entry(*fields) for key, fields in document["objects"].items()}
    except (OSError, EOFError, zlib.error, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _entry(etag: str, digest: str, fingerprint: str, superseded: int | None = None) -> Entry:
    if not (isinstance(superseded, int) or superseded is None):
        raise TypeError
    return Entry(str(etag), str(digest), str(fingerprint), superseded)


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


def dump_index(entries: Mapping[str, Entry]) -> bytes:
    """The index's bytes: gzipped JSON, the same for the same entries."""
    document: dict[str, Any] = {
        "version": INDEX_VERSION,
        "objects": {
            key: [entry.etag, entry.digest, entry.fingerprint]
            + ([] if entry.superseded is None else [entry.superseded])
            for key, entry in sorted(entries.items())
        },
    }
    return gzip.compress(json.dumps(document, separators=(",", ":")).encode(), mtime=0)
