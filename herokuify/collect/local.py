"""The files of a release, with the content and headers that they should have on S3."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from herokuify.storage.content import Content


class Stage(enum.IntEnum):
    """When a file is sent: each stage starts when the previous one has succeeded."""

    #: With a hash of the content in its name: visitors don't see it before the manifest.
    HASHED = 0
    #: With a name that doesn't change: visitors see it when it is sent.
    PLAIN = 1
    #: A copy of the manifest under its own hash.
    MANIFEST_COPY = 2
    #: The manifest under its usual name.
    MANIFEST = 3


@dataclass(frozen=True, slots=True)
class LocalFile:
    """One object of a release: its key, content and parameters."""

    name: str  # relative to the location
    key: str  # in the bucket
    stage: Stage
    content: Content
    parameters: Mapping[str, Any]  # of boto3's put_object
    is_gzipped: bool = False  # if that makes it smaller

    def without_data(self) -> LocalFile:
        """Return the file without its bytes, if they can be read again."""
        content = self.content.without_data()
        return self if content is self.content else replace(self, content=content)

    @property
    def fingerprint(self) -> str:
        """A hash of the parameters: 16 hex digits."""
        return _fingerprint(f"{self.is_gzipped} {sorted(self.parameters.items())!r}")


@lru_cache(maxsize=1024)
def _fingerprint(described: str) -> str:
    return hashlib.sha256(described.encode()).hexdigest()[:16]
