"""What is on S3: one listing, and the index that remembers what a listing can't show."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from herokuify.collect.index import DamagedIndexError, Entry, dump_index, parse_index
from herokuify.collect.listing import Listed, Listing
from herokuify.conf.addresses import without_logins
from herokuify.s3.errors import code_of, failures
from herokuify.s3.threads import Threads

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

logger = logging.getLogger("herokuify.collect")


class BucketMissingError(Exception):
    """There is no bucket; its cause is S3's answer."""


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


def read(listing: Listing, index_key: str) -> Remote:
    """List the objects and load the index, both at once.

    A missing, damaged or foreign index is empty: it costs time, never correctness. Of a damaged
    one a line is said. Raises
    BucketMissingError when there is no bucket.
    """
    threads = Threads(1)
    try:
        index = threads.submit(lambda: _load_index(listing.client, listing.bucket, index_key))
        try:
            objects = listing.read()
        except failures() as error:
            if code_of(error) == "NoSuchBucket":
                raise BucketMissingError from error
            raise
        return Remote(objects, index.result(), requests=listing.requests + 1)
    finally:
        threads.close()


def _load_index(client: S3Client, bucket: str, key: str) -> Mapping[str, Entry]:
    try:
        stored = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    except failures() as error:
        if code_of(error) not in {"NoSuchKey", "NoSuchBucket", "404"}:
            warn(bucket, key, code_of(error) or str(error))
        return {}
    try:
        return parse_index(stored)
    except DamagedIndexError as error:
        warn(bucket, key, str(error))
        return {}


def save_index(client: S3Client, bucket: str, key: str, entries: Mapping[str, Entry]) -> None:
    """Store the index; where that is refused, the next run compares every file anew."""
    try:
        client.put_object(
            Bucket=bucket, Key=key, Body=dump_index(entries), ContentType="application/gzip"
        )
    except failures() as error:
        warn(bucket, key, code_of(error) or str(error))


def warn(bucket: str, key: str, reason: str) -> None:
    """Say why the index is of no use, and what that means."""
    logger.warning(
        "The index s3://%s/%s can't be read or written (%s): every file is compared anew. "
        "It needs s3:GetObject and s3:PutObject.",
        bucket,
        key,
        without_logins(reason),
    )
