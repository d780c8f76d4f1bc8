"""What has to happen to each object; pure decisions."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable, Collection, Container, Iterator, Mapping
from typing import Any

from herokuify.collect.index import SHARED, Entries, Entry
from herokuify.collect.local import LocalFile
from herokuify.collect.remote import Remote

#: Parameters that a HEAD answers with, and what their absence means.
_SHOWN: Mapping[str, Any] = {
    "CacheControl": None,
    "ContentDisposition": None,
    "ContentEncoding": None,
    "ContentLanguage": None,
    "ContentType": "binary/octet-stream",
    "StorageClass": "STANDARD",
    "WebsiteRedirectLocation": None,
}
#: Shown, too, but set by the bucket when nobody asked for it.
_SHOWN_WHEN_ASKED = {"ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled"}


class Action(enum.Enum):
    """What to do about a file of the release."""

    KEEP = "keep"
    SEND = "send"
    #: The object may be right, but nothing remembers its headers: ask it (a HEAD).
    ASK = "ask"


def decide(file: LocalFile, remote: Remote) -> Action:
    """Keep what the index shows as unchanged, send what differs, ask about the rest."""
    listed = remote.objects.get(file.key)
    if listed is None:
        return Action.SEND
    entry = remote.entry(file.key)
    if entry is not None:
        is_same = (entry.digest, entry.fingerprint) == (file.content.digest, file.fingerprint)
        return Action.KEEP if is_same else Action.SEND
    # Without an entry only the ETag tells the content, and only where it is an MD5.
    can_ask = not file.content.is_large and "-" not in listed.etag and _is_shown(file.parameters)
    if can_ask and (file.is_gzipped or listed.size == file.content.size):
        return Action.ASK
    return Action.SEND


def _is_shown(parameters: Mapping[str, Any]) -> bool:
    return set(parameters) <= {*_SHOWN, *_SHOWN_WHEN_ASKED, "Metadata"}


def is_as_asked(head: Mapping[str, Any], body: bytes, parameters: Mapping[str, Any]) -> bool:
    """Return whether a HEAD's answer shows just this body with just these parameters."""
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
    """Return the index after a release: its objects, and when the others were superseded.

    What no index has named is not collectstatic's, and gets no entry. Keys out of scope are
    another command's, and another owner's its own: they stay as they were.
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
        else:  # it may belong to a release again after it was superseded
            entries[key] = entry._replace(owner=whose, superseded=None)
    return entries


def revived(remote: Remote, release: Mapping[str, Entry]) -> Entries:
    """Return the index before a release, in which none of its objects is superseded."""
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
    """Return the keys outside the release that were superseded more than ``days`` ago.

    Only what the index names as the owner's: another app's objects stay, and what nobody
    knows. An object that was written since it was superseded, by `compress` in the same
    build, counts from then.
    """
    oldest = now - days * 24 * 60 * 60
    return [
        key
        for key, entry in _superseded(remote, release, owner)
        if max(entry.superseded or 0, remote.objects[key].modified) < oldest
    ]


def clearable(remote: Remote, release: Container[str], owner: str = "") -> list[str]:
    """Return the owner's keys in the index that neither this release nor the last one has.

    The previous release is what the index says is not superseded. What it does not know
    at all could belong to it, and stays.
    """
    return [key for key, _ in _superseded(remote, release, owner)]


def _superseded(remote: Remote, release: Container[str], owner: str) -> Iterator[tuple[str, Entry]]:
    for key in sorted(remote.objects):
        entry = remote.entry(key)
        if key not in release and entry and entry.superseded is not None and entry.is_of(owner):
            yield key, entry
