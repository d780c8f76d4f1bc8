"""One object on its way to S3: never over another unless it may, never half, never lost."""

from __future__ import annotations

import io
import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from botocore.exceptions import BotoCoreError, ClientError

from herokuify.exceptions import S3Error
from herokuify.storage.errors import code_of, explained, status_of, translate
from herokuify.storage.headers import merged
from herokuify.storage.parts import PartUpload, Transfer

if TYPE_CHECKING:
    from herokuify.storage.base import S3BotoStorage

logger = logging.getLogger("herokuify.storage")

#: The object's metadata that tells one save from another (``x-amz-meta-herokuify-save``).
TOKEN = "herokuify-save"  # noqa: S105
#: 412: there is an object of this name. 409: there was a moment ago, or another save of the
#: same name is under way (Amazon S3 User Guide, "How to prevent object overwrites with
#: conditional writes").
_TAKEN = {409, 412}
#: Endpoints that have refused a completion because of its condition, so that they look at it.
_honouring: set[str] = set()
#: Endpoints that know no conditional PUT.
_without_conditions: set[str] = set()


class NameTakenError(S3Error):
    """There is an object of this name already; the save needs another one."""


class Saving:
    """Puts one object, in one request or in parts.

    Unless it ``may_replace`` what is there, each request is conditional, and NameTakenError
    is raised when the name was taken. A request that was sent twice because its answer was
    lost can meet its own object: it carries a token, and the object that shows it is ours.
    """

    def __init__(
        self, storage: S3BotoStorage, key: str, parameters: Mapping[str, Any], *, may_replace: bool
    ) -> None:
        self._storage = storage
        self._key = key
        self._parameters = parameters
        self._may_replace = may_replace
        self._token = uuid.uuid4().hex
        self._address = {"Bucket": storage.bucket_name, "Key": key}

    def send(self, source: BinaryIO) -> None:
        """Put all bytes of a seekable stream that is at its start."""
        threshold = self._storage.transfer.threshold
        start = source.read(threshold)
        if len(start) < threshold:
            self.put(start)
            return
        del start  # it would be one part more in memory
        transfer = self._storage.transfer.for_size(_length(source))
        source.seek(0)
        upload = self.start(transfer)
        try:
            while self._send_next(upload, source, transfer.part_size):
                pass
            self.complete(upload)
        except BaseException:
            upload.abort()
            raise

    def put(self, body: bytes) -> None:
        """Put the object in one request."""
        if self._may_replace:
            self._with_bucket(lambda: self._put(body, self._parameters))
            return
        marked = self._marked()
        endpoint = self._storage.target.endpoint
        try:
            if endpoint in _without_conditions:
                self._look()
                self._with_bucket(lambda: self._put(body, marked))
            else:
                self._with_bucket(lambda: self._put(body, marked, IfNoneMatch="*"))
        except S3Error as error:
            status = _status_of(error, "PutObject")
            if status in _TAKEN:
                if not self._is_ours():
                    raise self._taken() from error.__cause__
            elif status == 501 and endpoint not in _without_conditions:
                _without_conditions.add(endpoint)
                logger.warning(
                    "%s refuses conditional writes: of two files that are saved under one name "
                    "in the same instant, one can replace the other.",
                    endpoint,
                )
                self.put(body)
            else:
                raise

    def _put(self, body: bytes, parameters: Mapping[str, Any], **condition: Any) -> None:
        # A stream: the time-out holds for each block that is sent, not for all of the body.
        self._storage.client.put_object(
            **cast(Any, self._address), Body=io.BytesIO(body), **parameters, **condition
        )

    def start(self, transfer: Transfer) -> PartUpload:
        """Start to put the object in parts; see ``complete``."""
        client = self._storage.client
        parameters = self._marked()
        if client.meta.config.request_checksum_calculation == "when_supported":  # type: ignore[attr-defined]
            # The parts will have one, and S3 wants to know beforehand which.
            parameters.setdefault("ChecksumAlgorithm", "CRC32")
        answer = self._with_bucket(
            lambda: client.create_multipart_upload(**cast(Any, self._address), **parameters)
        )
        return PartUpload(
            client,
            {**self._address, "UploadId": answer["UploadId"]},
            transfer.concurrency,
            **self._storage.accepted_by("UploadPart", parameters),
        )

    def send_part(self, upload: PartUpload, body: bytes) -> None:
        """Send the next part, in the background; raises what an earlier one has met."""
        with self._explained():
            upload.send(body)

    def _send_next(self, upload: PartUpload, source: BinaryIO, size: int) -> bool:
        """Send the next part of a stream; False at its end."""
        body = source.read(size)
        if body:
            self.send_part(upload, body)
        return bool(body)

    def complete(self, upload: PartUpload) -> None:
        """Let the object appear. The caller aborts the upload when this raises."""
        with self._explained():
            parts = upload.finish()
        extra = self._storage.accepted_by("CompleteMultipartUpload", self._parameters)
        if not self._may_replace:
            extra["IfNoneMatch"] = "*"
            if self._storage.endpoint_url and self._storage.target.endpoint not in _honouring:
                # Some services take the condition and don't look at it, Ceph 16 among them.
                self._look()
        try:
            with self._explained():
                upload.complete(parts, **extra)
        except S3Error as error:
            # Also when the connection broke, or a retry met "NoSuchUpload": S3 may be done.
            if not self._is_ours():
                if _status_of(error, "CompleteMultipartUpload") in _TAKEN:
                    _honouring.add(self._storage.target.endpoint)
                    raise self._taken() from error.__cause__
                raise
            upload.settle()

    # What is there

    def _look(self) -> None:
        """Raise NameTakenError when there is an object of this name."""
        with self._explained():
            if self._head() is not None:
                raise self._taken()

    def _taken(self) -> NameTakenError:
        target = self._storage.target
        return NameTakenError(
            f"{target.storage}: s3://{target.bucket}/{self._key} is there already."
        )

    def _is_ours(self) -> bool:
        try:
            head = self._head()
        except (ClientError, BotoCoreError):
            # Not to be known. Another name costs an object too many; nothing is lost.
            return False
        return head is not None and head["Metadata"].get(TOKEN) == self._token

    def _head(self) -> Any:
        """The answer to a HEAD; None when there is no object."""
        parameters = self._storage.accepted_by("HeadObject", self._parameters)
        try:
            return self._storage.client.head_object(**cast(Any, self._address), **parameters)
        except ClientError as error:
            if status_of(error) == 404:
                return None
            raise

    def _marked(self) -> dict[str, Any]:
        return merged(self._parameters, {"Metadata": {TOKEN: self._token}})

    # Errors

    def _with_bucket(self, request: Any) -> Any:
        """What a request answers, after the bucket was created for it if need be."""
        with self._explained():
            try:
                return request()
            except ClientError as error:
                if not (self._storage.auto_create_bucket and code_of(error) == "NoSuchBucket"):
                    raise
                self._storage.create_bucket()
                return request()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        target, permission = self._storage.target, "s3:PutObject"
        try:
            with explained(target, permission, self._key):
                yield
        except ClientError as error:  # a 404 that is no bucket's: whatever answers is not S3
            raise translate(error, target, permission, self._key) from error


def _status_of(error: S3Error, operation: str) -> int:
    """The HTTP status that S3 has answered to this operation; 0 when it was another."""
    cause = error.__cause__
    is_about_it = isinstance(cause, ClientError) and cause.operation_name == operation
    return status_of(cast(ClientError, cause)) if is_about_it else 0


def _length(source: BinaryIO) -> int:
    """A stream's length in bytes; 0 when it can't tell, as one that unpacks on the way."""
    try:
        return source.seek(0, io.SEEK_END)
    except (OSError, ValueError):
        return 0


def alternative_name(storage: S3BotoStorage, name: str) -> str:
    """Another name for a file whose own is taken, as Django makes it."""
    folder, _, file = name.replace("\\", "/").rpartition("/")
    suffix = "".join(PurePosixPath(file).suffixes)
    changed = storage.get_alternative_name(file.removesuffix(suffix), suffix)
    return f"{folder}/{changed}" if folder else str(changed)
