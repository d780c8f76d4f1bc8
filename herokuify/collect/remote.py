"""The state of the bucket: a listing, and the index for what a listing doesn't have.

A run that is about to remove objects marks the index (``is_removing``), so that other runs wait.
"""

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

#: Seconds for which a removal mark is valid. A run must have removed its objects by then.
REMOVING = 60.0


class BucketMissingError(Exception):
    """The bucket doesn't exist; ``__cause__`` is S3's response."""


@dataclass(frozen=True)
class Index:
    """The stored index."""

    entries: Mapping[str, Entry] = field(default_factory=Entries)
    #: Changes with each write; "" if there is no index, or none that can be read.
    etag: str = ""
    #: Whether another run may be removing objects at the moment.
    is_removing: bool = False


@dataclass(frozen=True)
class Remote:
    """The objects below a location, and the index."""

    objects: Mapping[str, Listed] = field(default_factory=Objects)
    entries: Mapping[str, Entry] = field(default_factory=Entries)
    requests: int = 0
    etag: str = ""  # the index's
    is_removing: bool = False

    def entry(self, key: str) -> Entry | None:
        """Return the object's entry in the index; None if the object has changed since."""
        entry = self.entries.get(key)
        listed = self.objects.get(key)
        return entry if entry and listed and entry.etag == listed.etag else None

    @property
    def is_index_lost(self) -> bool:
        """Whether there are objects, but the index is missing or empty."""
        return bool(self.objects) and not self.entries


def read(listing: Listing, index_key: str) -> Remote:
    """List the objects and load the index concurrently.

    A missing, damaged or unreadable index counts as empty, so that all files are compared; for a
    damaged or unreadable one, a warning is logged. Raises BucketMissingError.
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
    """Reload the index; return None if it still has this ETag or can't be read."""
    try:
        return _changed(client, bucket, key, etag)
    except failures() as error:
        # If it can't be read, ``read`` has logged a warning.
        is_absent = code_of(error) in _ABSENT
        return Index() if etag and is_absent else None


def wait_for_removal(client: S3Client, bucket: str, key: str, timeout: InactivityTimeout) -> None:
    """Wait until no other run is removing objects, or a minute has passed."""
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
    if found and found == etag:  # the service ignores conditions
        return None
    try:
        entries = parse_index(stored)
    except DamagedIndexError as error:
        warn(bucket, key, str(error))
        entries = Entries()
    return Index(entries, found, is_removing(stored) and _is_recent(answer))


def _is_recent(answer: Any) -> bool:
    """Return whether the index's removal mark is still valid, by the server's clock."""
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
    """Store the index; return its ETag, or "" after an error.

    After an error, the next run compares all files. With ``replaces``, the ETag of the known index
    ("" for none), store it conditionally, and return None if there is a different one. A service
    that ignores conditions overwrites that one.
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
            # Ceph responds with 412 even if the condition is true.
            if look(client, bucket, key, str(replaces)) is not None:
                return None
            answer = put(Body=body)
    except failures() as error:
        warn(bucket, key, code_of(error) or str(error))
        return ""
    return str(answer.get("ETag", "")).strip('"')


def warn(bucket: str, key: str, reason: str) -> None:
    """Log a warning that the index can't be read or written."""
    logger.warning(
        "The index s3://%s/%s can't be read or written (%s): every file is compared again. "
        "It needs s3:GetObject and s3:PutObject.",
        bucket,
        key,
        without_logins(reason),
    )
