"""Objects that browsers upload directly: the site's requests before, during and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from herokuify.exceptions import S3Error
from herokuify.s3.client import RetryProfile, connect
from herokuify.s3.destination import Destination
from herokuify.s3.errors import code_of, explained, translate
from herokuify.s3.objects import Objects
from herokuify.s3.reader import StoredObject
from herokuify.s3.upload import accepted_by

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


class Part(NamedTuple):
    """A part that S3 has."""

    size: int
    etag: str


class StagedObject:
    """One object, put in one request or in parts that somebody else sends. Raise S3Error."""

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
        """Remove the object; its absence is no error."""
        self._objects.delete(self._key)

    def start(self, parameters: Mapping[str, Any]) -> str:
        """Begin an upload in parts with the parameters of a PUT; return its id."""
        client = self._client
        with explained(self._destination, "s3:PutObject", self._key):
            extra = accepted_by(client, "CreateMultipartUpload", parameters)
            answer = client.create_multipart_upload(**self._address, **extra)
        return answer["UploadId"]

    def parts(self, upload_id: str) -> dict[int, Part] | None:
        """Return the parts that S3 has, by their numbers; None when the upload is over."""
        address = {**self._address, "UploadId": upload_id}
        found = {}
        try:
            with self._explained("s3:ListMultipartUploadParts"):
                for page in self._client.get_paginator("list_parts").paginate(**address):
                    for part in page.get("Parts", ()):
                        found[part["PartNumber"]] = Part(part["Size"], part["ETag"])
        except _OverError:
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
        except _OverError:
            return False
        return True

    def abort(self, upload_id: str) -> None:
        """Abort the multipart upload on S3; do nothing if it has ended."""
        try:
            with self._explained("s3:AbortMultipartUpload"):
                self._client.abort_multipart_upload(**self._address, UploadId=upload_id)
        except _OverError:
            return

    @contextmanager
    def _explained(self, permission: str) -> Iterator[None]:
        try:
            with explained(self._destination, permission, self._key):
                yield
        except S3Error:
            raise
        except Exception as error:
            from botocore.exceptions import ClientError

            if not isinstance(error, ClientError):
                raise
            if code_of(error) in {"NoSuchUpload", "NoSuchKey"}:  # the latter says Ceph
                raise _OverError from error
            raise translate(error, self._destination, permission, self._key) from error


class _OverError(Exception):
    """S3 knows no such upload: it is complete, or was aborted."""
