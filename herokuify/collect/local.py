"""The static files of a release, as they are on this machine."""

from __future__ import annotations

import enum
import gzip
import hashlib
import io
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast

#: Bytes; a larger file is never held in memory.
LARGE = 8 * 1024 * 1024
#: Bytes; most files are smaller. A buffer is as large as what is asked for, not as what comes.
CHUNK = 64 * 1024


class ChangedError(Exception):
    """A file is no longer what it was when it was hashed, and named by that."""

    def __init__(self) -> None:
        super().__init__("The file changed while it was collected. Run collectstatic again.")


class Stage(enum.IntEnum):
    """When a file may become visible: each stage waits for the one before to succeed."""

    #: Named by its content: nothing refers to it before the manifest does.
    CONTENT_NAMED = 0
    #: A lasting name: each upload is its own publication.
    PLAIN = 1
    #: A copy of the manifest under its own hash.
    MANIFEST_COPY = 2
    #: The manifest under its usual name.
    MANIFEST = 3


def compressed(source: BinaryIO) -> BinaryIO | None:
    """The bytes of a file, gzipped; None when that makes them no smaller.

    Without a name or a time in its header: the same input gives the same output. The
    result is a temporary file, in memory while it is small.
    """
    target = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=LARGE))  # noqa: SIM115
    with gzip.GzipFile(filename="", fileobj=target, mode="wb", mtime=0) as stream:
        shutil.copyfileobj(source, stream)
    if target.tell() >= source.tell():
        target.close()
        return None
    target.seek(0)
    return target


@dataclass(frozen=True, slots=True)
class Content:
    """A file's bytes, at hand or behind an opener or both, with their length and digest."""

    size: int  # bytes
    digest: str  # 32 hex digits of SHA-256
    data: bytes | None
    opener: Callable[[], BinaryIO] = io.BytesIO

    @classmethod
    def of_bytes(cls, data: bytes) -> Content:
        """The content that these bytes are."""
        return cls(len(data), hashlib.sha256(data).hexdigest()[:32], data)

    @classmethod
    def of_file(cls, opener: Callable[[], BinaryIO]) -> Content:
        """A file's content, read once; with its bytes at hand unless it is large."""
        with opener() as file:
            hasher = hashlib.sha256()
            size = 0
            parts: list[bytes] = []
            while chunk := file.read(CHUNK):
                hasher.update(chunk)
                size += len(chunk)
                if size < LARGE:
                    parts.append(chunk)
                else:
                    parts.clear()
        data = None if size >= LARGE else b"".join(parts)
        return cls(size, hasher.hexdigest()[:32], data, opener)

    def put_away(self) -> Content:
        """The same without the bytes, where they can be read again."""
        return self if self.opener is io.BytesIO else replace(self, data=None)

    @property
    def is_large(self) -> bool:
        """Whether the bytes must not be read into memory at once."""
        return self.size >= LARGE

    def open(self) -> BinaryIO:
        """A binary file of the bytes."""
        return self.opener() if self.data is None else io.BytesIO(self.data)

    def read(self) -> bytes:
        """All bytes; for small content. Raises ChangedError as ``confirm`` does."""
        return cast(bytes, self.confirm().data)

    def confirm(self) -> Content:
        """The same as the file holds it now; raises ChangedError if that is another."""
        if self.data is not None:
            return self
        now = Content.of_file(self.opener)
        if now.digest != self.digest:
            raise ChangedError
        return now

    def written_to(self, path: Path) -> bool:
        """Whether the file at ``path`` holds just these bytes."""
        try:
            return path.stat().st_size == self.size and (
                Content.of_file(lambda: path.open("rb")).digest == self.digest
            )
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class LocalFile:
    """One object of a release: where it belongs, what it holds, what is sent along."""

    name: str  # inside the location
    key: str  # in the bucket
    stage: Stage
    content: Content
    parameters: Mapping[str, Any]  # of boto3's put_object
    is_gzipped: bool = False  # where that makes it smaller

    @property
    def fingerprint(self) -> str:
        """What the object's headers, encoding and type must be, in 16 hex digits."""
        return _fingerprint(f"{self.is_gzipped} {sorted(self.parameters.items())!r}")


@lru_cache(maxsize=1024)
def _fingerprint(described: str) -> str:
    return hashlib.sha256(described.encode()).hexdigest()[:16]
