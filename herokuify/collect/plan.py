"""What has to happen to each object; pure decisions."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from herokuify.collect.index import Entry
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
    """Keep what the index knows to be the same, send what differs, ask what is unknown."""
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
    """Whether a HEAD's answer shows just this body with just these parameters."""
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
) -> dict[str, Entry]:
    """The index after a release: its own objects, and since when the others are superseded.

    Keys out of scope are another command's, and stay as they were.
    """
    entries = {
        key: entry
        for key, entry in remote.entries.items()
        if not in_scope(key) and key not in removed
    }
    for key, listed in remote.objects.items():
        if key in removed or not in_scope(key):
            continue
        known = remote.entry(key) or Entry(listed.etag, "", "")
        entries[key] = known if known.superseded is not None else replace(known, superseded=now)
    entries.update(release)
    return entries


def prunable(remote: Remote, release: Iterable[str], now: int, days: float) -> list[str]:
    """Keys outside the release, and superseded more than ``days`` ago.

    An object of unknown age counts as superseded now. One that was written since it
    was superseded, by `compress` in the same build, counts from then.
    """
    oldest = now - days * 24 * 60 * 60
    current = set(release)
    found = []
    for key, listed in remote.objects.items():
        entry = remote.entry(key)
        if key in current or entry is None or entry.superseded is None:
            continue
        if max(entry.superseded, listed.modified) < oldest:
            found.append(key)
    return sorted(found)


def clearable(remote: Remote, release: Iterable[str]) -> list[str]:
    """Keys in neither this release nor the previous one.

    The previous release is what the index says is not superseded. What it does not know
    at all could belong to it, and stays.
    """
    current = set(release)
    return sorted(
        key
        for key in remote.objects
        if key not in current and (entry := remote.entry(key)) and entry.superseded is not None
    )
