"""Headers of uploads that are there already: which today's settings would give otherwise."""

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
WAITING = 4 * CONCURRENCY  # objects that are known at a time
#: Headers that the settings decide; ACLs, encryption and classes stay as the objects have them.
COMPARED = (
    *("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType"),
    *("Expires", "WebsiteRedirectLocation"),
)
#: What S3 and tools call a file of which nobody has told them the type.
UNKNOWN = {"", "application/octet-stream", "binary/octet-stream"}


@dataclass(frozen=True)
class Result:
    """An object that today's headers would change: what they change, or why they could not."""

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""

    def lines(self) -> Iterator[str]:
        """Yield each header: its new value and its old one."""
        for name, value in self.changes.items():
            yield f"{name}: {_text(name, value)} (was {_text(name, self.before.get(name))})"


def media_storages() -> list[tuple[str, S3MediaStorage]]:
    """Return the project's upload storages, one for each location, and their names."""
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
    """Return the parameters that differ from those of a save today.

    What the settings say nothing of stays as it is.
    """
    given = head.get("ContentType", "")
    wanted = storage.parameters_for(name, None if given in UNKNOWN else given)
    changes = {
        parameter: wanted[parameter]
        for parameter in COMPARED
        if parameter in wanted
        and _text(parameter, wanted[parameter]) != _text(parameter, head.get(parameter))
    }
    # A download under a name of its own is a download.
    now = str(head.get("ContentDisposition", "")).partition(";")[0].strip().lower()
    if changes.get("ContentDisposition") == now == "attachment":
        del changes["ContentDisposition"]
    metadata = head.get("Metadata", {})
    ours = {key.lower(): value for key, value in wanted.get("Metadata", {}).items()}
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
    """Yield the names of a storage's objects, without those of other storages inside it."""
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
            # Folders that consoles make, and what collectstatic keeps beside a location.
            if key.endswith("/") or ".herokuify/" in key or location_around(key, inner) is not None:
                continue
            yield key[len(prefix) :]


def examine(storage: S3MediaStorage, client: S3Client, name: str, *, apply: bool) -> Result | None:
    """Compare one object, and with ``apply`` change it; None if nothing differs.

    Raises S3Error, but for an object that has gone, or has changed meanwhile.
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
    """Compare all objects of a storage, several at a time, in bounded memory.

    Raises S3ConfigurationError at once: what is forbidden for one is forbidden for all.
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
