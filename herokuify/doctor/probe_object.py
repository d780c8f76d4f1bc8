"""An object that is put, read and deleted, to test a storage's permissions."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from herokuify.doctor.access import ask, is_status
from herokuify.doctor.findings import Finding, Subject
from herokuify.exceptions import S3Error
from herokuify.s3.errors import cause_of, status_of
from herokuify.s3.upload import accepted_by
from herokuify.storage import S3BotoStorage

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

#: The prefix of the names of the doctor's objects.
PREFIX = "herokuify-doctor-"


class ProbeObject:
    """A small object with a random name in a storage's location, with the storage's headers."""

    def __init__(self, storage: S3BotoStorage, subject: Subject) -> None:
        self.name = f"{PREFIX}{uuid.uuid4().hex}.txt"
        self.key = storage.key_of(self.name)
        self.body = f"A probe of manage.py herokuify doctor: {uuid.uuid4().hex}\n".encode()
        #: Whether it is in the bucket, according to S3's last response.
        self.is_there = False
        self._storage = storage
        self._subject = subject
        self._client: S3Client = storage.probing_client
        self._address: Any = {"Bucket": storage.bucket_name, "Key": self.key}
        self._versions: list[str] = []
        self._is_uncertain = False  # whether a request without a response may have stored it

    @property
    def uri(self) -> str:
        """The object's S3 URI, for messages."""
        return f"s3://{self._storage.bucket_name}/{self.key}"

    def put(self) -> Finding:
        """Put the object, with the parameters of the storage's files."""
        try:
            self._put()
        except S3Error as error:
            return self._subject.refused("s3.put", error, "Try again.")
        self.is_there = True
        return self._subject.ok("s3.put", f"Files can be put below {self._folder}.")

    def put_again(self) -> Finding:
        """Put the object again on condition that it doesn't exist, which must fail."""
        probe = "s3.conditional-put"
        if self._storage.file_overwrite:
            return self._subject.skipped(probe, "this storage overwrites, without a condition")
        try:
            self._put(IfNoneMatch="*")
        except S3Error as error:
            if is_status(error, 409, 412):
                return self._subject.ok(probe, "S3 refuses to overwrite a file.")
            if not is_status(error, 501):
                return self._subject.refused(probe, error, "Try again.")
            answer = "does not support conditional writes"
        else:
            answer = "ignores the condition of a conditional write"
        return self._subject.warning(
            probe,
            f"{self._storage.destination.endpoint} {answer}: of two files saved "
            "under one name, one can replace the other.",
            "Update the service to a release that honours If-None-Match: *",
        )

    def get(self) -> Finding:
        """Read the object."""
        try:
            answer = ask(self._storage, self.key, self._get)
        except S3Error as error:
            return self._subject.refused("s3.get", error, "Try again.")
        if answer != self.body:
            return self._subject.failed(
                "s3.get",
                f"{self.uri} was read with different content than was stored.",
                "Look for a proxy between here and S3: AWS_S3_PROXIES, AWS_S3_ENDPOINT_URL",
            )
        return self._subject.ok("s3.get", "Files can be read.")

    def delete(self) -> Finding:
        """Delete the object, with all its versions."""
        probe = "s3.delete"
        try:
            self._delete()
        except S3Error as error:
            finding = self._subject.refused(probe, error, "Try again.")
            if self.remove():
                return finding
            return self._subject.failed(
                probe,
                f"{finding.message} The object of this probe remains: {self.uri}",
                f"{finding.hint} Then delete the probe's object: {self.uri}",
            )
        try:
            self._delete_versions()
        except S3Error as error:
            finding = self._subject.refused(probe, error)
            return self._subject.warning(
                probe,
                "Files can be deleted, but the bucket keeps their versions, and those of this "
                f"probe's object remain: {self.uri} ({finding.message})",
                "Grant s3:DeleteObjectVersion and s3:ListBucketVersions, or let a lifecycle rule "
                "of the bucket expire old versions.",
            )
        return self._subject.ok(probe, "Files can be deleted, and the probe's object was removed.")

    def remove(self) -> bool:
        """Remove the object silently, if it may still exist; return whether it is gone."""
        if self.is_there or self._is_uncertain:
            try:
                self._delete()
                self._delete_versions()
            except S3Error:
                return False  # s3.delete reports it
        return True

    @property
    def _folder(self) -> str:
        return self.uri.removesuffix(self.name)

    def _put(self, **condition: Any) -> None:
        self._change(
            lambda: self._client.put_object(
                **self._address, Body=self.body, **self._parameters(), **condition
            )
        )

    def _delete(self) -> None:
        self._change(lambda: self._client.delete_object(**self._address))
        self.is_there = False

    def _change(self, request: Callable[[], Any]) -> None:
        """Send a PUT or DELETE, and record the version that it creates in a versioned bucket."""
        try:
            answer = ask(self._storage, self.key, request)
        except S3Error as error:
            refusal = cause_of(error)
            self._is_uncertain |= refusal is None or status_of(refusal) >= 500
            raise
        # The first attempt of a retried request may have created another version.
        self._is_uncertain |= bool(answer["ResponseMetadata"].get("RetryAttempts"))
        if version := answer.get("VersionId"):
            self._versions.append(version)

    def _parameters(self) -> dict[str, Any]:
        """Return the storage's parameters without object locks, which would prevent deletion."""
        parameters = self._storage.parameters_for(self.name)
        kept = {k: v for k, v in parameters.items() if not k.startswith("ObjectLock")}
        return {**kept, "CacheControl": "no-store"}

    def _get(self) -> bytes:
        parameters = accepted_by(self._client, "GetObject", self._parameters())
        with self._client.get_object(**self._address, **parameters)["Body"] as body:
            return body.read()

    def _delete_versions(self) -> None:
        # In a versioned bucket, the deletion has added a version here.
        if self._is_uncertain and self._versions:
            self._versions += self._listed_versions()
        self._is_uncertain = False
        while self._versions:
            self._delete_version(self._versions[-1])
            self._versions.pop()

    def _delete_version(self, version: str) -> None:
        ask(
            self._storage,
            self.key,
            lambda: self._client.delete_object(**self._address, VersionId=version),
        )

    def _listed_versions(self) -> list[str]:
        answer = ask(
            self._storage,
            self.key,
            lambda: self._client.list_object_versions(
                Bucket=self._storage.bucket_name, Prefix=self.key
            ),
        )
        found = [*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())]
        known = set(self._versions)
        return [item["VersionId"] for item in found if item["VersionId"] not in known]
