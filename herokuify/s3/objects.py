"""Look up, list and delete objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from herokuify.exceptions import S3Error
from herokuify.s3.client import RetryProfile, connect
from herokuify.s3.destination import Destination
from herokuify.s3.errors import cause_of, explained, status_of
from herokuify.s3.upload import accepted_by

#: Keys in one request to delete (Amazon S3 API Reference, "DeleteObjects").
MOST_DELETIONS = 1000
MOST_NAMED = 20  # failures that a message lists


class Objects:
    """The objects of one bucket. Raises S3Error, and FileNotFoundError for absent objects."""

    def __init__(self, destination: Destination, profile: RetryProfile) -> None:
        self._destination = destination
        self._client = connect(destination, profile)

    def reading_parameters(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a PUT that a GET also accepts, such as RequestPayer."""
        return accepted_by(self._client, "GetObject", parameters)

    def head(self, key: str, parameters: Mapping[str, Any]) -> Any:
        """Return the response to a HEAD."""
        from botocore.exceptions import ClientError

        address: Any = {"Bucket": self._destination.bucket, "Key": key}
        with explained(self._destination, "s3:GetObject", key, may_be_absent=True):
            try:
                return self._client.head_object(**address, **self.reading_parameters(parameters))
            except ClientError as error:
                if status_of(error) in {301, 400, 403}:
                    # The response to a HEAD has no body, so no reason: a GET raises it.
                    self._client.get_object(**address, Range="bytes=0-0")["Body"].close()
                raise

    def first(
        self, keys: Sequence[str], parameters: Callable[[str], Mapping[str, Any]]
    ) -> tuple[str, Any]:
        """Return the first of the keys that exists, and the response to its HEAD."""
        *others, last = keys
        for key in others:
            try:
                return key, self.head(key, parameters(key))
            except FileNotFoundError:
                pass
            except S3Error as error:
                # Some services refuse unusual keys, or respond 403 for absent ones.
                cause = cause_of(error)
                if cause is None or status_of(cause) not in {400, 403}:
                    raise
        return last, self.head(last, parameters(last))

    def folder(self, prefix: str) -> tuple[list[str], list[str]]:
        """Return the names of the folders and of the files directly below a prefix.

        Leave out names that can't be part of a path, on which a recursive walk would not end:
        "" (the folder itself, or between two slashes), ".", "..", and any with a backslash.
        """
        folders: list[str] = []
        files: list[str] = []
        with explained(self._destination, "s3:ListBucket", prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._destination.bucket, Delimiter="/", Prefix=prefix
            )
            for page in pages:
                found: Any = page.get("CommonPrefixes", ())
                folders += [one["Prefix"][len(prefix) : -1] for one in found]
                files += [one["Key"][len(prefix) :] for one in page.get("Contents", ())]
        return [*filter(_is_path_part, folders)], [*filter(_is_path_part, files)]

    def delete(self, key: str) -> None:
        """Remove an object, if it exists."""
        with (
            suppress(FileNotFoundError),
            explained(self._destination, "s3:DeleteObject", key, may_be_absent=True),
        ):
            self._client.delete_object(Bucket=self._destination.bucket, Key=key)

    def delete_many(self, keys: Iterable[str]) -> None:
        """Remove the objects that exist, a thousand per request.

        Raises S3Error with the remaining keys, after all have been tried.
        """
        waiting = iter(keys)
        left: dict[str, str] = {}
        while batch := list(islice(waiting, MOST_DELETIONS)):
            with explained(self._destination, "s3:DeleteObject"):
                answer: Any = self._client.delete_objects(
                    Bucket=self._destination.bucket,
                    Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True},
                )
            left |= {error["Key"]: error["Code"] for error in answer.get("Errors", ())}
        if left:
            lines = [f"{key}: {code}" for key, code in islice(left.items(), MOST_NAMED)]
            more = f" and {len(left) - MOST_NAMED} more" if len(left) > MOST_NAMED else ""
            raise S3Error(
                f"{self._destination.storage}: S3 did not delete {', '.join(lines)}{more}.",
                "For AccessDenied, grant the permission s3:DeleteObject.",
            )


def _is_path_part(name: str) -> bool:
    return name not in {"", ".", ".."} and "\\" not in name
