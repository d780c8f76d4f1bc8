"""What is on S3: one listing, and the index that remembers what a listing can't show."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from herokuify.collect.inactivity import InactivityTimeout
from herokuify.collect.index import (
    DamagedIndexError,
    Entries,
    Entry,
    dump_index,
    is_removing,
    parse_index,
)
from herokuify.collect.listing import Listed, Listing, Objects
from herokuify.conf.addresses import without_logins
from herokuify.s3.errors import code_of, failures, status_of
from herokuify.s3.threads import Threads

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

logger = logging.getLogger("herokuify.collect")

#: Seconds that a run may take between its word that it removes objects and the last removal.
REMOVING = 60.0


class BucketMissingError(Exception):
    """There is no bucket; its cause is S3's answer."""


@dataclass(frozen=True)
class Index:
    """The stored index, and by what another version of it shows."""

    entries: Mapping[str, Entry] = field(default_factory=Entries)
    #: "" while there is none, or none that can be read.
    etag: str = ""
    #: Whether a run that may still be at work is about to remove objects.
    is_removing: bool = False


@dataclass(frozen=True)
class Remote:
    """The objects below a location, and their content if it is known."""

    objects: Mapping[str, Listed] = field(default_factory=Objects)
    entries: Mapping[str, Entry] = field(default_factory=Entries)
    requests: int = 0
    etag: str = ""  # the index's
    is_removing: bool = False

    def entry(self, key: str) -> Entry | None:
        """Return the object's entry, if the listing confirms it."""
        entry = self.entries.get(key)
        listed = self.objects.get(key)
        return entry if entry and listed and entry.etag == listed.etag else None

    @property
    def is_index_lost(self) -> bool:
        """Whether there are objects, and nothing tells whose they are."""
        return bool(self.objects) and not self.entries


def read(listing: Listing, index_key: str) -> Remote:
    """List the objects and load the index concurrently.

    A missing, damaged or foreign index is empty: it costs time, never correctness. Of a damaged
    one a line is said. Raises
    BucketMissingError when there is no bucket.
    """
    threads = Threads(1)
    try:
        loading = threads.submit(lambda: _load_index(listing.client, listing.bucket, index_key))
        try:
            objects = listing.read()
        except failures() as error:
            if code_of(error) == "NoSuchBucket":
                raise BucketMissingError from error
            raise
        index = loading.result()
        requests = listing.requests + 1
        return Remote(objects, index.entries, requests, index.etag, index.is_removing)
    finally:
        threads.close()


def look(client: S3Client, bucket: str, key: str, etag: str) -> Index | None:
    """Reload the index; None if its ETag is still the same."""
    try:
        return _changed(client, bucket, key, etag)
    except failures() as error:
        # Whoever can't read it was told so at the start.
        is_absent = code_of(error) in _ABSENT
        return Index() if etag and is_absent else None


def wait_for_removal(client: S3Client, bucket: str, key: str, timeout: InactivityTimeout) -> None:
    """Return when no run is about to remove objects: what it removes must show."""
    for _ in range(int(REMOVING)):
        if not _load_index(client, bucket, key).is_removing:
            return
        timeout.reset()
        time.sleep(1)


def _load_index(client: S3Client, bucket: str, key: str) -> Index:
    try:
        return _changed(client, bucket, key, "") or Index()
    except failures() as error:
        if code_of(error) not in _ABSENT:
            warn(bucket, key, code_of(error) or str(error))
        return Index()


_ABSENT = {"NoSuchKey", "NoSuchBucket", "404"}


def _changed(client: S3Client, bucket: str, key: str, etag: str) -> Index | None:
    condition: Any = {"IfNoneMatch": f'"{etag}"'} if etag else {}
    try:
        answer = client.get_object(Bucket=bucket, Key=key, **condition)
        stored = answer["Body"].read()
    except failures() as error:
        if status_of(error) == 304:
            return None
        raise
    found = answer.get("ETag", "").strip('"')
    if found and found == etag:  # of a service that knows no conditions
        return None
    try:
        entries = parse_index(stored)
    except DamagedIndexError as error:
        warn(bucket, key, str(error))
        entries = Entries()
    return Index(entries, found, is_removing(stored) and _is_young(answer))


def _is_young(answer: Any) -> bool:
    """Return whether who wrote the index may still be at work, by the server's own clock."""
    modified = answer.get("LastModified")
    if not modified:
        return False
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    now = parsedate_to_datetime(date) if date else datetime.now(timezone.utc)
    age: float = (now - modified).total_seconds()
    return age < REMOVING


def save_index(
    client: S3Client,
    bucket: str,
    key: str,
    entries: Mapping[str, Entry],
    *,
    replaces: str | None = None,
    removing: str = "",
) -> str | None:
    """Store the index; return its ETag, "" where it was refused.

    Then the next run compares every file anew. With ``replaces``, the ETag of the index that
    is known ("" for none), returns None when there is another one, where the service looks.
    """
    condition: Any = {}
    if replaces is not None:
        condition = {"IfMatch": f'"{replaces}"'} if replaces else {"IfNoneMatch": "*"}
    body = dump_index(entries, removing)
    put = partial(client.put_object, Bucket=bucket, Key=key, ContentType="application/gzip")
    try:
        try:
            answer = put(Body=body, **condition)
        except failures() as error:
            if not (condition and status_of(error) in {400, 404, 405, 409, 412, 501}):
                raise
            # Ceph says 412 of a condition that holds.
            if look(client, bucket, key, str(replaces)) is not None:
                return None
            answer = put(Body=body)
    except failures() as error:
        warn(bucket, key, code_of(error) or str(error))
        return ""
    return str(answer.get("ETag", "")).strip('"')


def warn(bucket: str, key: str, reason: str) -> None:
    """Warn that the index can't be used, and what that means."""
    logger.warning(
        "The index s3://%s/%s can't be read or written (%s): every file is compared again. "
        "It needs s3:GetObject and s3:PutObject.",
        bucket,
        key,
        without_logins(reason),
    )
