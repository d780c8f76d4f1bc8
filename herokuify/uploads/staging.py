"""Staged objects below ``pending/``, and the requests with which browsers write them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from storages.utils import setting

from herokuify.s3.destination import MOST_PARTS
from herokuify.s3.headers import METADATA_PREFIX, http_headers
from herokuify.s3.reader import StoredObject
from herokuify.s3.staging import StagedObject
from herokuify.storage.locations import located
from herokuify.storage.urls import Urls
from herokuify.uploads.tokens import Token

FOLDER = "pending"
#: Bytes; larger files are sent in parts, so that a broken connection costs one part at most.
LARGEST_PUT = 64 * 2**20
PART = 16 * 2**20
#: Seconds that a URL is valid; the browser requests it immediately before it is used.
LIFE = 900
#: Metadata that identifies the upload.
MARK = "herokuify-upload"
#: Parameters of the storage that staged objects need, too, because a bucket may require them.
ENCRYPTION = (
    *("ServerSideEncryption", "SSEKMSKeyId", "SSEKMSEncryptionContext", "BucketKeyEnabled"),
    *("ExpectedBucketOwner", "RequestPayer"),
)


def pending_location() -> str:
    """Return the location of staged objects, beside ``media/``, without a trailing slash."""
    return located(setting("AWS_LOCATION", ""), FOLDER)


def new_key() -> str:
    """Return a random key for a staged object, which can't be guessed."""
    return f"{pending_location()}/{secrets.token_hex(20)}"


def encryption_of(storage: Any) -> dict[str, Any]:
    """Return the storage's parameters that staged objects need."""
    parameters = storage.parameters_for("pending")
    return {name: parameters[name] for name in ENCRYPTION if name in parameters}


def header_names(storage: Any) -> list[str]:
    """Return the headers of a browser's PUT that CORS must allow, in lower case."""
    extra = http_headers(encryption_of(storage)) or {}
    return ["content-type", "if-none-match", f"{METADATA_PREFIX}{MARK}", *sorted(extra)]


@dataclass(frozen=True)
class Stage:
    """The staged object of a token, in the bucket of a storage. Raises S3Error."""

    storage: Any
    token: Token

    @cached_property
    def _object(self) -> StagedObject:
        return StagedObject(self.storage.destination, self.storage.profile, self.token.key)

    @property
    def part_size(self) -> int:
        """The length of all parts but the last, in bytes."""
        if self.token.size <= LARGEST_PUT:
            return self.token.size
        return max(PART, -(-self.token.size // MOST_PARTS))

    @property
    def count(self) -> int:
        """The number of parts; 1 for an upload in one request."""
        return -(-self.token.size // self.part_size)

    def length_of(self, number: int) -> int:
        """Return the length of a part in bytes."""
        return min(self.part_size, self.token.size - (number - 1) * self.part_size)

    @property
    def _parameters(self) -> dict[str, Any]:
        own = {"ContentType": self.token.type, "Metadata": {MARK: self.token.mark}}
        return {**encryption_of(self.storage), **own}

    @property
    def _headers(self) -> dict[str, str]:
        own = {"content-type": self.token.type, f"{METADATA_PREFIX}{MARK}": self.token.mark}
        return own | (http_headers(encryption_of(self.storage)) or {})

    def start(self) -> str:
        """Start a multipart upload and return its id; return "" for an upload in one request."""
        return self._object.start(self._parameters) if self.token.size > LARGEST_PUT else ""

    def requests(self, numbers: Iterable[int]) -> dict[int, dict[str, Any]]:
        """Return, for each part number, the URL and the headers of the browser's PUT."""
        urls = Urls(self.storage)
        found = {}
        for number in numbers:
            query: dict[str, str] = {}
            headers: dict[str, str] = {}
            if self.token.upload_id:
                query = {"partNumber": str(number), "uploadId": self.token.upload_id}
            else:
                headers = {"if-none-match": "*", **self._headers}
            signed = {**headers, "content-length": str(self.length_of(number))}
            url = urls.of_upload(self.token.key, query, signed, LIFE)
            found[number] = {"url": url, "headers": headers}
        return found

    def find(self) -> StoredObject | None:
        """Return the object; None if it is missing, or not the one that the token allows."""
        found = self._object.find()
        if found is None:
            return None
        stored, metadata = found
        is_own = stored.size == self.token.size and metadata.get(MARK) == self.token.mark
        return stored if is_own else None

    def received(self) -> list[int] | None:
        """Return the numbers of the received parts; None if the upload was aborted."""
        if self.token.upload_id:
            parts = self._object.parts(self.token.upload_id)
            if parts is not None:
                return [n for n, part in parts.items() if part.size == self.length_of(n)]
        if self.find() is not None:
            return [*range(1, self.count + 1)]
        return None if self.token.upload_id else []

    def finish(self) -> list[int] | None:
        """Complete the upload; return the numbers of missing parts; None if it was aborted."""
        upload_id = self.token.upload_id
        parts = self._object.parts(upload_id) if upload_id else None
        if parts is None:
            if self.find() is not None:
                return []
            return None if upload_id else [1]
        numbers = range(1, self.count + 1)
        missing = [n for n in numbers if n not in parts or parts[n].size != self.length_of(n)]
        if missing:
            return missing
        is_complete = self._object.complete(upload_id, {n: parts[n] for n in numbers})
        return [] if is_complete or self.find() is not None else None

    def abort(self) -> None:
        """Abort the upload, and remove the object."""
        if self.token.upload_id:
            self._object.abort(self.token.upload_id)
        self._object.delete()
