"""The site's requests for objects that browsers upload directly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from herokuify.exceptions import S3Error
from herokuify.s3.client import RetryProfile, connect
from herokuify.s3.destination import Destination
from herokuify.s3.errors import cause_of, code_of, explained
from herokuify.s3.objects import Objects
from herokuify.s3.reader import StoredObject
from herokuify.s3.upload import accepted_by

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


class Part(NamedTuple):
    """A part that S3 has received."""

    size: int  # bytes
    etag: str


class StagedObject:
    """An object that a browser uploads, in one request or in parts. Raises S3Error."""

    def __init__(self, destination: Destination, profile: RetryProfile, key: str) -> None:
        self._destination = destination
        self._profile = profile
        self._key = key
        self._address: Any = {"Bucket": destination.bucket, "Key": key}

    @property
    def _client(self) -> S3Client:
        with explained(self._destination, "the request"):
            return connect(self._destination, self._profile)

    @property
    def _objects(self) -> Objects:
        with explained(self._destination, "the request"):
            return Objects(self._destination, self._profile)

    def find(self) -> tuple[StoredObject, Mapping[str, str]] | None:
        """Return the object, ready to be read, and its metadata; None if it doesn't exist."""
        try:
            head = self._objects.head(self._key, {})
        except FileNotFoundError:
            return None
        stored = StoredObject(
            destination=self._destination,
            profile=self._profile,
            address=self._address,
            etag=head["ETag"],
            size=head["ContentLength"],
        )
        return stored, head.get("Metadata", {})

    def delete(self) -> None:
        """Remove the object, if it exists."""
        self._objects.delete(self._key)

    def start(self, parameters: Mapping[str, Any]) -> str:
        """Start a multipart upload with the parameters of a PUT; return its id."""
        client = self._client
        with explained(self._destination, "s3:PutObject", self._key):
            extra = accepted_by(client, "CreateMultipartUpload", parameters)
            answer = client.create_multipart_upload(**self._address, **extra)
        return answer["UploadId"]

    def parts(self, upload_id: str) -> dict[int, Part] | None:
        """Return the received parts by number; None if the multipart upload has ended."""
        address = {**self._address, "UploadId": upload_id}
        found = {}
        try:
            with self._explained("s3:ListMultipartUploadParts"):
                for page in self._client.get_paginator("list_parts").paginate(**address):
                    for part in page.get("Parts", ()):
                        found[part["PartNumber"]] = Part(part["Size"], part["ETag"])
        except _EndedError:
            return None
        return found

    def complete(self, upload_id: str, parts: Mapping[int, Part]) -> bool:
        """Complete the multipart upload; return False if it has ended."""
        listed: Any = [{"PartNumber": number, "ETag": parts[number].etag} for number in parts]
        try:
            with self._explained("s3:PutObject"):
                self._client.complete_multipart_upload(
                    **self._address, UploadId=upload_id, MultipartUpload={"Parts": listed}
                )
        except _EndedError:
            return False
        return True

    def abort(self, upload_id: str) -> None:
        """Abort the multipart upload on S3; do nothing if it has ended."""
        try:
            with self._explained("s3:AbortMultipartUpload"):
                self._client.abort_multipart_upload(**self._address, UploadId=upload_id)
        except _EndedError:
            return

    @contextmanager
    def _explained(self, permission: str) -> Iterator[None]:
        try:
            with explained(self._destination, permission, self._key):
                yield
        except S3Error as error:
            cause = cause_of(error)
            if cause is not None and code_of(cause) in {"NoSuchUpload", "NoSuchKey"}:  # Ceph
                raise _EndedError from error
            raise


class _EndedError(Exception):
    """The multipart upload doesn't exist: it was completed or aborted."""
