"""What is in the bucket: one object, a folder, and their end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation, SuspiciousOperation
from django.utils.timezone import get_default_timezone, make_naive
from storages.utils import clean_name

from herokuify.exceptions import S3Error
from herokuify.storage.connected import ConnectedStorage
from herokuify.storage.errors import explained, status_of
from herokuify.storage.reading import StoredObject

ResultT = TypeVar("ResultT")

#: Keys in one request to delete (Amazon S3 API Reference, "DeleteObjects").
MOST_DELETIONS = 1000
MOST_NAMED = 20  # failures that a message repeats


class ObjectStorage(ConnectedStorage):
    """django-storages' backend with errors that tell an absent object from a refusal."""

    def key_of(self, name: Any) -> str:
        """The object's key for a name; raises SuspiciousFileOperation outside the location."""
        try:
            key: str = self._normalize_name(clean_name(name))
        except SuspiciousOperation as error:
            raise SuspiciousFileOperation(str(error)) from None
        return key

    def find(self, name: Any) -> StoredObject:
        """What a HEAD tells of an object, ready to be read; FileNotFoundError when absent."""
        head = self._head(name)
        key = self.key_of(name)
        address = {"Bucket": self.bucket_name, "Key": key, **self._reading_parameters(key)}
        return StoredObject(
            connect=lambda: self.client,
            target=self.target,
            address=address,
            etag=head["ETag"],
            size=head["ContentLength"],
            encoding=head.get("ContentEncoding"),
        )

    def _present(self, name: Any, permission: str, request: Callable[[], ResultT]) -> ResultT:
        """What ``request`` answers about an object; FileNotFoundError when it is absent."""
        try:
            with explained(self.target, permission, self.key_of(name)):
                try:
                    return request()
                except ClientError as error:
                    if status_of(error) in {301, 400, 403}:
                        self._ask_for_reason(self.key_of(name))
                    raise
        except ClientError as error:
            raise FileNotFoundError(f"File does not exist: {self.key_of(name)}") from error

    def _head(self, name: Any) -> Any:
        key = self.key_of(name)
        return self._present(
            name,
            "s3:GetObject",
            lambda: self.client.head_object(
                Bucket=self.bucket_name, Key=key, **self._reading_parameters(key)
            ),
        )

    def _reading_parameters(self, key: str) -> dict[str, Any]:
        """What of AWS_S3_OBJECT_PARAMETERS a request to read takes, such as RequestPayer."""
        return self.accepted_by("GetObject", self.get_object_parameters(key))

    def accepted_by(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """What of the parameters of a PUT another operation of S3's takes as well."""
        shape: Any = self.client.meta.service_model.operation_model(operation).input_shape
        return {name: value for name, value in parameters.items() if name in shape.members}

    def _ask_for_reason(self, key: str) -> None:
        """Raise what S3 says to a GET: the answer to a HEAD has no body, and so no reason."""
        answer = self.client.get_object(Bucket=self.bucket_name, Key=key, Range="bytes=0-0")
        answer["Body"].close()

    def exists(self, name: Any) -> bool:
        """Whether the object is there."""
        try:
            self._head(name)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: Any) -> int:
        """The object's length in bytes, as stored; FileNotFoundError when it is absent."""
        return int(self._head(name)["ContentLength"])

    def get_modified_time(self, name: Any) -> datetime:
        """When the object was written: aware if USE_TZ, else naive in the local time zone."""
        modified: datetime = self._head(name)["LastModified"]
        # Not the visitor's zone, which timezone.activate() makes the current one.
        return modified if settings.USE_TZ else make_naive(modified, get_default_timezone())

    def listdir(self, name: Any) -> tuple[list[str], list[str]]:
        """Names of the folders and of the files directly below a folder."""
        with explained(self.target, "s3:ListBucket", self.key_of(name)):
            folders, files = super().listdir(name)
            return folders, files

    def delete(self, name: Any) -> None:
        """Remove the object; its absence is no error."""
        key = self._deletable_key(name)
        try:
            with explained(self.target, "s3:DeleteObject", key):
                self.client.delete_object(Bucket=self.bucket_name, Key=key)
        except ClientError:
            return

    def delete_many(self, names: Iterable[Any]) -> None:
        """Remove many objects, a thousand with each request; their absence is no error.

        Raises S3Error with the names that are left, after all have been tried.
        """
        keys = iter([self._deletable_key(name) for name in names])
        left: dict[str, str] = {}
        while batch := list(islice(keys, MOST_DELETIONS)):
            with explained(self.target, "s3:DeleteObject"):
                answer = self.client.delete_objects(
                    Bucket=self.bucket_name,
                    Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True},
                )
            left |= {error["Key"]: error["Code"] for error in answer.get("Errors", ())}
        if left:
            lines = [f"{key}: {code}" for key, code in islice(left.items(), MOST_NAMED)]
            more = f" and {len(left) - MOST_NAMED} more" if len(left) > MOST_NAMED else ""
            raise S3Error(
                f"{self.target.storage}: S3 has not deleted {', '.join(lines)}{more}. Where it is "
                "AccessDenied, the permission s3:DeleteObject is missing."
            )

    def _deletable_key(self, name: Any) -> str:
        if not name:
            raise ValueError("The name must be given to delete().")
        return self.key_of(name)
