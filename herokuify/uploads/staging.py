"""The place below ``pending/`` that a browser may write to, and what it needs for that."""

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
#: Bytes; what is larger goes in parts, so that a cut connection costs a part at most.
LARGEST_PUT = 64 * 2**20
PART = 16 * 2**20
#: Seconds that a URL is valid: it is signed when the browser is about to use it.
LIFE = 900
#: The object's metadata that tells whose upload it is.
MARK = "herokuify-upload"
#: Parameters of the storage's own that an object must come with: a bucket may refuse others.
ENCRYPTION = (
    *("ServerSideEncryption", "SSEKMSKeyId", "SSEKMSEncryptionContext", "BucketKeyEnabled"),
    *("ExpectedBucketOwner", "RequestPayer"),
)


def pending_location() -> str:
    """Return the folder, beside ``media/`` and ``static/``, without a slash at its end."""
    return located(setting("AWS_LOCATION", ""), FOLDER)


def new_key() -> str:
    """Return a key that nobody can guess."""
    return f"{pending_location()}/{secrets.token_hex(20)}"


def encryption_of(storage: Any) -> dict[str, Any]:
    """Return the parameters that every object of a storage's bucket comes with."""
    parameters = storage.parameters_for("pending")
    return {name: parameters[name] for name in ENCRYPTION if name in parameters}


def header_names(storage: Any) -> list[str]:
    """Return the headers of a browser's PUT that CORS must allow, in lower case."""
    extra = http_headers(encryption_of(storage)) or {}
    return ["content-type", "if-none-match", f"{METADATA_PREFIX}{MARK}", *sorted(extra)]


@dataclass(frozen=True)
class Stage:
    """The object of one token, in the bucket of a storage. Raises S3Error."""

    storage: Any
    token: Token

    @cached_property
    def _object(self) -> StagedObject:
        return StagedObject(self.storage.destination, self.storage.profile, self.token.key)

    @property
    def part_size(self) -> int:
        """Bytes of each part but the last."""
        if self.token.size <= LARGEST_PUT:
            return self.token.size
        return max(PART, -(-self.token.size // MOST_PARTS))

    @property
    def count(self) -> int:
        """The number of parts; 1 of what goes in one request."""
        return -(-self.token.size // self.part_size)

    def length_of(self, number: int) -> int:
        """Return the bytes of a part."""
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
        """Begin an upload in parts; return its id, which is ``""`` for one request."""
        return self._object.start(self._parameters) if self.token.size > LARGEST_PUT else ""

    def requests(self, numbers: Iterable[int]) -> dict[int, dict[str, Any]]:
        """Return for each part the URL of its PUT, and the headers that it must send."""
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
        """Return the object, if it is there as it was allowed."""
        found = self._object.find()
        if found is None:
            return None
        stored, metadata = found
        is_own = stored.size == self.token.size and metadata.get(MARK) == self.token.mark
        return stored if is_own else None

    def received(self) -> list[int] | None:
        """Return the numbers of the parts that are there; None when the upload is no more."""
        if self.token.upload_id:
            parts = self._object.parts(self.token.upload_id)
            if parts is not None:
                return [n for n, part in parts.items() if part.size == self.length_of(n)]
        if self.find() is not None:
            return [*range(1, self.count + 1)]
        return None if self.token.upload_id else []

    def finish(self) -> list[int] | None:
        """Join the parts to an object; return the missing ones, None as in ``received``."""
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
        """Remove everything."""
        if self.token.upload_id:
            self._object.abort(self.token.upload_id)
        self._object.delete()
