"""Headers of existing uploads that differ from the current settings."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from django.core.exceptions import SuspiciousFileOperation

from herokuify.exceptions import S3ConfigurationError, S3Error
from herokuify.s3.errors import code_of, failures, status_of, translated
from herokuify.s3.headers import http_headers
from herokuify.s3.policies import location_around
from herokuify.s3.rewrite import rewrite
from herokuify.s3.threads import Threads
from herokuify.storage.media import S3MediaStorage
from herokuify.storage.registry import by_bucket, s3_storages, share_bucket

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

CONCURRENCY = 16  # requests at a time
WAITING = 4 * CONCURRENCY  # objects in memory at a time
#: Headers from the settings; ACLs, encryption and storage classes of objects are not changed.
COMPARED = (
    *("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType"),
    *("Expires", "WebsiteRedirectLocation"),
)
#: Content types of files that were uploaded without a type.
UNKNOWN = {"", "application/octet-stream", "binary/octet-stream"}


@dataclass(frozen=True)
class Result:
    """An object whose headers differ from the settings: the changes, or why they can't be made."""

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""

    def lines(self) -> Iterator[str]:
        """Yield a line for each header, with its new and old value."""
        for name, value in self.changes.items():
            yield f"{name}: {_text(name, value)} (was {_text(name, self.before.get(name))})"


def media_storages() -> list[tuple[str, S3MediaStorage]]:
    """Return the project's storages for uploads, one for each location, with their settings."""
    named = [(one.setting, each) for one, each in s3_storages() if isinstance(each, S3MediaStorage)]
    found = []
    for group in by_bucket(storage for _, storage in named):
        locations: set[str] = set()
        for setting, storage in named:
            location = storage.location.strip("/")
            if any(storage is one for one in group) and location not in locations:
                locations.add(location)
                found.append((setting, storage))
    return found


def header_changes(storage: S3MediaStorage, name: str, head: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that a new file would have, and the object has not.

    Headers that are not in the settings are not changed.
    """
    given = head.get("ContentType", "")
    desired = storage.parameters_for(name, None if given in UNKNOWN else given)
    changes = {
        parameter: desired[parameter]
        for parameter in COMPARED
        if parameter in desired
        and _text(parameter, desired[parameter]) != _text(parameter, head.get(parameter))
    }
    # An attachment with a file name is an attachment already.
    disposition = str(head.get("ContentDisposition", "")).partition(";")[0].strip().lower()
    if changes.get("ContentDisposition") == disposition == "attachment":
        del changes["ContentDisposition"]
    metadata = head.get("Metadata", {})
    ours = {key.lower(): value for key, value in desired.get("Metadata", {}).items()}
    if any(metadata.get(key) != value for key, value in ours.items()):
        changes["Metadata"] = {**metadata, **ours}
    return changes


def _text(parameter: str, value: Any) -> str:
    if value is None:
        return "none"
    if parameter == "Metadata":
        return ", ".join(f"{name}={text}" for name, text in sorted(value.items()))
    return next(iter((http_headers({parameter: value}) or {"": str(value)}).values()))


def listed_names(
    storage: S3MediaStorage, client: S3Client, most: int | None = None
) -> Iterator[str]:
    """Yield the names of a storage's objects, without those in other storages' locations."""
    location = storage.location.strip("/")
    prefix = f"{location}/" if location else ""
    inner = [
        other.location
        for _, other in s3_storages()
        if share_bucket(storage, other)
        and other.location.strip("/") != location
        and location_around(other.location, [location]) is not None
    ]
    seen = 0
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=str(storage.bucket_name), Prefix=prefix
    )
    for page in pages:
        for item in page.get("Contents", ()):
            key = item["Key"]
            seen += 1
            if most is not None and seen > most:
                return
            # Skip folders that S3's console creates, and collectstatic's index.
            if key.endswith("/") or ".herokuify/" in key or location_around(key, inner) is not None:
                continue
            yield key[len(prefix) :]


def examine(storage: S3MediaStorage, client: S3Client, name: str, *, apply: bool) -> Result | None:
    """Compare one object, and with ``apply`` change it; return None if there is nothing to do.

    An object that has been deleted or changed in the meantime is skipped. Raises S3Error for
    other refusals.
    """
    try:
        key = storage.key_of(name)
    except SuspiciousFileOperation:
        return Result(name, fault="no file of this storage can have this name")
    bucket = str(storage.bucket_name)
    with translated(storage.destination, key):
        try:
            head: Any = client.head_object(Bucket=bucket, Key=key)
            changes = header_changes(storage, name, head)
            if not changes:
                return None
            if apply:
                rewrite(client, bucket, key, head, changes)
        except failures() as error:
            if status_of(error) in {404, 412}:
                return None
            if code_of(error) != "InvalidObjectState":
                raise
            return Result(
                name, fault="it is archived, and must be restored before it can be copied"
            )
    return Result(name, changes, {parameter: head.get(parameter) for parameter in changes})


def examine_all(storage: S3MediaStorage, *, apply: bool) -> Iterator[Result | None]:
    """Compare all objects of a storage, several at a time, with limited memory.

    Raises S3ConfigurationError at the first refusal, which would be the same for all objects.
    """
    client = storage.client
    threads = Threads(CONCURRENCY)
    waiting: deque[tuple[str, Future[Result | None]]] = deque()
    try:
        with translated(storage.destination, storage.location):
            for name in listed_names(storage, client):
                work = partial(examine, storage, client, name, apply=apply)
                waiting.append((name, threads.submit(work)))
                if len(waiting) >= WAITING:
                    yield _result(*waiting.popleft())
            while waiting:
                yield _result(*waiting.popleft())
    finally:
        threads.close()


def _result(name: str, future: Future[Result | None]) -> Result | None:
    try:
        return future.result()
    except S3ConfigurationError:
        raise
    except S3Error as error:
        return Result(name, fault=str(error))
