"""The static files of a release, as they are on this machine."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from herokuify.storage.content import Content


class Stage(enum.IntEnum):
    """When a file may become visible: each stage waits for the one before to succeed."""

    #: Named by its content: nothing refers to it before the manifest does.
    HASHED = 0
    #: A lasting name: each upload is its own publication.
    PLAIN = 1
    #: A copy of the manifest under its own hash.
    MANIFEST_COPY = 2
    #: The manifest under its usual name.
    MANIFEST = 3


@dataclass(frozen=True, slots=True)
class LocalFile:
    """One object of a release: its key, content and parameters."""

    name: str  # inside the location
    key: str  # in the bucket
    stage: Stage
    content: Content
    parameters: Mapping[str, Any]  # of boto3's put_object
    is_gzipped: bool = False  # where that makes it smaller

    def without_data(self) -> LocalFile:
        """Return the same without the bytes, where they can be read again."""
        content = self.content.without_data()
        return self if content is self.content else replace(self, content=content)

    @property
    def fingerprint(self) -> str:
        """What the object's headers, encoding and type must be, in 16 hex digits."""
        return _fingerprint(f"{self.is_gzipped} {sorted(self.parameters.items())!r}")


@lru_cache(maxsize=1024)
def _fingerprint(described: str) -> str:
    return hashlib.sha256(described.encode()).hexdigest()[:16]
