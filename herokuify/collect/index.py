"""The index: a stored file with data about objects that a listing doesn't have."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import zlib
from collections.abc import Mapping
from functools import partial
from sys import intern
from typing import NamedTuple

from herokuify.collect.packed import Packed, Shared, digest_bytes

INDEX_VERSION = 2
#: The owner of objects in releases of several apps, which none of the apps may remove.
SHARED = "*"
#: Objects in one line of the stored index. It is read and written line by line, because parsing
#: the index of 40,000 objects as one text would take several times as much memory.
_IN_A_LINE = 1000
#: Bytes; a line with the longest keys, completely escaped, has 7 MB.
_LONGEST_LINE = 16 * 1024 * 1024
#: What reading a damaged index may raise; the last two for deeply nested JSON, and for data that
#: is a thousand times larger decompressed.
_DAMAGE = (
    *(OSError, EOFError, zlib.error, ValueError, TypeError, LookupError, AttributeError),
    *(StopIteration, RecursionError, MemoryError),
)


def index_key(location: str) -> str:
    """Return the key of collectstatic's index for a location without a trailing slash.

    It is outside the location, so that it isn't public.
    """
    parent, _, folder = location.rpartition("/")
    return "/".join(filter(None, (parent, ".herokuify", folder, "index.json.gz")))


class Entry(NamedTuple):
    """The index's data about an object, which is only valid if the object still has this ETag."""

    etag: str
    digest: str
    fingerprint: str
    #: When a release without the object was first published, in seconds since 1970; None while
    #: it is in the newest release.
    superseded: int | None = None
    #: The app whose collectstatic sent it; "" in the index of an earlier version.
    owner: str = ""

    def is_of(self, owner: str) -> bool:
        """Return whether only this app's collectstatic has sent it, so that it may remove it."""
        return self.owner in {"", owner}


#: Values that many entries share: fingerprint, superseded and owner.
_common: Shared[tuple[str, int | None, str]] = Shared()


class Entries(Packed[Entry]):
    """Entries by key."""

    @staticmethod
    def pack(entry: Entry) -> bytes | None:
        """Return the entry as bytes; None unless its digest and its ETag (or "") are 16 bytes."""
        etag = digest_bytes(entry.etag) if entry.etag else b""
        digest = digest_bytes(entry.digest)
        if etag is None or digest is None:
            return None
        return _common.number(entry[2:]) + digest + etag

    @staticmethod
    def unpack(packed: bytes) -> Entry:
        """Return the entry."""
        return Entry(packed[20:].hex(), packed[4:20].hex(), *_common.value(packed[:4]))


class DamagedIndexError(Exception):
    """The stored bytes aren't a valid index."""


def parse_index(stored: bytes) -> Entries:
    """Return entries by key; none for another version.

    Raises DamagedIndexError.
    """
    entries = Entries()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(stored)) as file:
            lines = iter(partial(_read_line, file), b"")
            if json.loads(next(lines))["version"] != INDEX_VERSION:
                return entries
            for line in lines:
                for key, fields in json.loads(line).items():
                    entry = _entry(fields)
                    if entry.digest:  # earlier versions added entries without one
                        entries[intern(key)] = entry  # the same string as in the listing
    except _DAMAGE as error:
        raise DamagedIndexError(f"it is not an index: {type(error).__name__}") from error
    return entries


def is_removing(stored: bytes) -> bool:
    """Return whether the run that wrote the index was about to remove objects."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(stored)) as file:
            return bool(json.loads(_read_line(file)).get("removing"))
    except _DAMAGE:
        return False


def _read_line(file: gzip.GzipFile) -> bytes:
    line = file.readline(_LONGEST_LINE)
    if len(line) == _LONGEST_LINE:
        raise ValueError("a line is too long")
    return line


def _entry(fields: object) -> Entry:
    if not isinstance(fields, list):
        raise TypeError
    etag, digest, fingerprint, *rest = fields
    superseded = rest.pop(0) if rest else None
    owner = rest.pop(0) if rest else ""
    if rest or not (superseded is None or type(superseded) is int):
        raise TypeError
    if not all(type(text) is str for text in (etag, digest, fingerprint, owner)):
        raise TypeError
    return Entry(etag, digest, fingerprint, superseded, owner)


def dump_index(entries: Mapping[str, Entry], removing: str = "") -> bytes:
    """Return the index as gzipped lines of JSON; equal entries give equal bytes.

    ``removing``, a random text, tells other runs that this one is about to remove objects.
    """
    header: dict[str, object] = {"version": INDEX_VERSION}
    if removing:
        header["removing"] = removing
    stored = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=stored, mode="wb", mtime=0) as lines:
        lines.write(_line(header))
        keys = iter(sorted(entries))
        while some := list(itertools.islice(keys, _IN_A_LINE)):
            lines.write(_line({key: _fields(entries[key]) for key in some}))
    return stored.getvalue()


def _fields(entry: Entry) -> list[str | int | None]:
    fields: list[str | int | None] = [entry.etag, entry.digest, entry.fingerprint]
    if entry.owner:
        return [*fields, entry.superseded, entry.owner]
    return fields if entry.superseded is None else [*fields, entry.superseded]


def _line(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"
