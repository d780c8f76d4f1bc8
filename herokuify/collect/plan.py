"""Decide what to do with each object. Pure functions."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable, Collection, Container, Iterator, Mapping
from typing import Any

from herokuify.collect.index import SHARED, Entries, Entry
from herokuify.collect.local import LocalFile
from herokuify.collect.remote import Remote

#: Parameters that a HEAD returns, and their defaults.
_SHOWN: Mapping[str, Any] = {
    "CacheControl": None,
    "ContentDisposition": None,
    "ContentEncoding": None,
    "ContentLanguage": None,
    "ContentType": "binary/octet-stream",
    "StorageClass": "STANDARD",
    "WebsiteRedirectLocation": None,
}
#: Parameters that a HEAD also returns if the bucket sets them by default.
_SHOWN_WHEN_ASKED = {"ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled"}


class Action(enum.Enum):
    """What to do with a file of the release."""

    KEEP = "keep"
    SEND = "send"
    #: The index has no entry for the object: a HEAD must show whether it differs.
    ASK = "ask"


def decide(file: LocalFile, remote: Remote) -> Action:
    """Decide whether to keep, send or ask about the object for a file."""
    listed = remote.objects.get(file.key)
    if listed is None:
        return Action.SEND
    entry = remote.entry(file.key)
    if entry is not None:
        is_same = (entry.digest, entry.fingerprint) == (file.content.digest, file.fingerprint)
        return Action.KEEP if is_same else Action.SEND
    # Without an entry, only the ETag identifies the content, if it is an MD5 digest.
    can_ask = not file.content.is_large and "-" not in listed.etag and _is_shown(file.parameters)
    if can_ask and (file.is_gzipped or listed.size == file.content.size):
        return Action.ASK
    return Action.SEND


def _is_shown(parameters: Mapping[str, Any]) -> bool:
    return set(parameters) <= {*_SHOWN, *_SHOWN_WHEN_ASKED, "Metadata"}


def is_as_asked(head: Mapping[str, Any], body: bytes, parameters: Mapping[str, Any]) -> bool:
    """Return whether the response to a HEAD has exactly this body and these parameters."""
    return (
        head["ETag"].strip('"') == hashlib.md5(body, usedforsecurity=False).hexdigest()
        and head.get("Metadata", {}) == parameters.get("Metadata", {})
        and all(
            head.get(name, absent) == parameters.get(name, absent)
            for name, absent in _SHOWN.items()
        )
        and all(
            head.get(name) == parameters.get(name) for name in _SHOWN_WHEN_ASKED & set(parameters)
        )
        and "Expires" not in head
    )


def next_index(
    remote: Remote,
    release: Mapping[str, Entry],
    removed: Collection[str],
    now: int,
    in_scope: Callable[[str], bool],
    owner: str = "",
) -> Entries:
    """Return the index after a release: mark objects that are no longer in it as superseded.

    Objects that were not in the index before weren't sent by collectstatic, and get no entry.
    Entries out of scope and those of other owners stay unchanged.
    """
    entries = Entries()
    for key in remote.entries:
        if key in removed or key in release:
            continue
        if not in_scope(key):
            entries.take(key, remote.entries)
        elif (entry := remote.entry(key)) is not None:
            is_open = entry.superseded is None and entry.is_of(owner)
            entries[key] = entry._replace(superseded=now) if is_open else entry
    for key, entry in release.items():
        known = remote.entries.get(key)
        whose = owner if known is None or known.is_of(owner) else SHARED
        if entry.owner == whose and entry.superseded is None:
            entries.take(key, release)
        else:  # superseded before, and in a release again
            entries[key] = entry._replace(owner=whose, superseded=None)
    return entries


def revived(remote: Remote, release: Mapping[str, Entry]) -> Entries:
    """Return the current index, with the objects of the release not superseded."""
    entries = Entries()
    for key in remote.entries:
        entries.take(key, remote.entries)
    for key, entry in release.items():
        if entry.etag:
            entries[key] = entry._replace(superseded=None)
    return entries


def prunable(
    remote: Remote, release: Container[str], now: int, days: float, owner: str = ""
) -> list[str]:
    """Return the owner's keys in the index that were superseded more than ``days`` ago.

    If an object was written after it was superseded, such as by `compress` in the same build, the
    time since then counts.
    """
    oldest = now - days * 24 * 60 * 60
    return [
        key
        for key, entry in _superseded(remote, release, owner)
        if max(entry.superseded or 0, remote.objects[key].modified) < oldest
    ]


def clearable(remote: Remote, release: Container[str], owner: str = "") -> list[str]:
    """Return the owner's keys in the index that are in neither this nor the previous release.

    The previous release consists of the entries that aren't superseded.
    """
    return [key for key, _ in _superseded(remote, release, owner)]


def _superseded(remote: Remote, release: Container[str], owner: str) -> Iterator[tuple[str, Entry]]:
    for key in sorted(remote.objects):
        entry = remote.entry(key)
        if key not in release and entry and entry.superseded is not None and entry.is_of(owner):
            yield key, entry
