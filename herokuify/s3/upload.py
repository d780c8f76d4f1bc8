"""Upload one object, completely or not at all; it replaces another only if that is allowed."""

from __future__ import annotations

import io
import logging
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from herokuify.exceptions import S3Error
from herokuify.s3.client import RetryProfile, connect
from herokuify.s3.destination import Destination, Transfer
from herokuify.s3.errors import (
    NotS3Error,
    cause_of,
    code_of,
    explained,
    failures,
    is_unsupported,
    status_of,
)
from herokuify.s3.headers import merged
from herokuify.s3.multipart import PartUpload
from herokuify.s3.reader import StoredObject
from herokuify.s3.sender import Sender

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

logger = logging.getLogger("herokuify.s3")

#: Metadata that identifies a save (``x-amz-meta-herokuify-save``).
TOKEN = "herokuify-save"  # noqa: S105
#: 412: the object exists. 409: it was just deleted, or another save of the same name is in
#: progress (Amazon S3 User Guide, "How to prevent object overwrites with conditional writes").
#: 304: older MinIO's 412.
_TAKEN = {304, 409, 412}
#: (endpoint, operation) that are known to evaluate conditions, and that don't support them.
_honouring: set[tuple[str, str]] = set()
_without_conditions: set[tuple[str, str]] = set()
_PUT, _COMPLETE, _COPY = "PutObject", "CompleteMultipartUpload", "CopyObject"
#: Bytes; a larger object is copied in parts, many at a time. S3 copies about 100 MB/s in one
#: request. Parts are small enough for a slow service to copy ten of them before a web request
#: times out.
LARGEST_COPY = 256 * 1024 * 1024
COPIED_PART = 16 * 1024 * 1024
COPIES = 10


class NameTakenError(S3Error, FileExistsError):
    """The object already exists; the save needs another name."""


class Upload:
    """Uploads one object, in one request or in parts.

    Without ``may_replace``, requests are conditional, and raise NameTakenError if the object
    exists. A retry, after the response to the first request was lost, may find the object that the
    first request created: each upload stores a token in the metadata, by which it recognizes its
    own object. ``create_bucket`` is called if the bucket is missing. Raises S3Error.
    """

    def __init__(
        self,
        destination: Destination,
        profile: RetryProfile,
        key: str,
        parameters: Mapping[str, Any],
        *,
        may_replace: bool,
        create_bucket: Callable[[], None] | None = None,
    ) -> None:
        self._destination = destination
        self._profile = profile
        self._key = key
        self._parameters = parameters
        self._may_replace = may_replace
        self._create_bucket = create_bucket
        self._token = uuid.uuid4().hex
        self._address = {"Bucket": destination.bucket, "Key": key}
        self.requests = 0

    @cached_property
    def _client(self) -> S3Client:
        return connect(self._destination, self._profile)

    def send(
        self,
        source: BinaryIO,
        *,
        confirm: Callable[[], object] = lambda: None,
        tick: Callable[[], None] = lambda: None,
    ) -> str:
        """Upload all bytes of a seekable stream, which is at its start; return the ETag.

        ``confirm`` is called before a large object is created, and aborts the upload if it raises;
        ``tick`` is called for each part that was sent.
        """
        transfer = self._destination.transfer
        start = source.read(transfer.threshold)
        if len(start) < transfer.threshold:
            return self.put(start)
        del start  # free the memory
        transfer = transfer.for_size(_length(source))
        source.seek(0)
        upload = self.start(transfer, tick)
        try:
            while self._send_next(upload, source, transfer.part_size):
                pass
            confirm()
            return self.complete(upload)
        except BaseException as error:
            upload.abort(in_background=_is_silence(error))
            raise

    # In one request

    def put(self, body: bytes) -> str:
        """Put the object in one request; return the ETag."""
        if self._may_replace:
            return self._put(body, self._parameters)
        marked = self._marked()
        try:
            if self._lacks_conditions(_PUT):
                self._look()
                return self._put(body, marked)
            return self._put(body, marked, only_new=True)
        except S3Error as error:
            answer = cause_of(error, _PUT)
            if answer is not None and status_of(answer) in _TAKEN:
                etag = self._own_etag()
                if etag is None:
                    raise self._taken() from answer
                return etag
            if answer is None or not self._refuses_condition(_PUT, answer):
                raise
        return self.put(body)

    def _put(self, body: bytes, parameters: Mapping[str, Any], *, only_new: bool = False) -> str:
        sender = Sender(self._destination, self._profile)
        send = partial(sender.put, self._key, body, parameters, only_new=only_new)
        return str(self._with_bucket(send))

    # In parts

    def start(self, transfer: Transfer, tick: Callable[[], None] = lambda: None) -> PartUpload:
        """Start to put the object in parts; see ``complete``."""
        parameters = self._marked()
        config: Any = self._client.meta.config
        if config.request_checksum_calculation == "when_supported":
            # boto3 sends this checksum with each part, and S3 must know it in advance.
            parameters.setdefault("ChecksumAlgorithm", "CRC32")
        answer = self._with_bucket(
            lambda: self._client.create_multipart_upload(**cast(Any, self._address), **parameters)
        )

        def count() -> None:
            self.requests += 1
            tick()

        return PartUpload(
            self._client,
            {**self._address, "UploadId": answer["UploadId"]},
            transfer.concurrency,
            tick=count,
            **accepted_by(self._client, "UploadPart", parameters),
        )

    def send_part(self, upload: PartUpload, body: bytes, number: int = 0) -> None:
        """Send the next part, or part ``number`` again, in a thread; raise any part's error."""
        with self._explained():
            upload.send(body, number)

    def _send_next(self, upload: PartUpload, source: BinaryIO, size: int) -> bool:
        """Send the next part of a stream; return False at its end.

        A function of its own, so that no variable keeps the part in memory.
        """
        body = source.read(size)
        if body:
            self.send_part(upload, body)
        return bool(body)

    def complete(self, upload: PartUpload, count: int | None = None) -> str:
        """Create the object from all parts, or the first ``count``; return the ETag.

        The caller must abort if this raises.
        """
        with self._explained():
            parts = upload.finish(count)
        extra = accepted_by(self._client, _COMPLETE, self._parameters)
        if not self._may_replace:
            if not self._honours_condition(_COMPLETE):
                # Some services, such as Ceph 16, accept the condition and ignore it.
                self._look()
            if not self._lacks_conditions(_COMPLETE):
                extra["IfNoneMatch"] = "*"
        self.requests += 1
        try:
            with self._explained():
                etag = upload.complete(parts, **extra)
            if not etag:  # Ceph 16: the handler below looks whether the object exists
                endpoint = self._destination.endpoint
                raise NotS3Error(
                    f"{endpoint} completed an upload without an ETag, but the object is missing.",
                    "Check AWS_S3_ENDPOINT_URL.",
                )
            return etag
        except S3Error as error:
            if _is_silence(error):
                raise
            # After a broken connection, or "NoSuchUpload" for a retry, S3 may have completed it.
            own_etag = self._own_etag()
            if own_etag is not None:
                upload.mark_complete()
                return own_etag
            answer = cause_of(error, _COMPLETE)
            if answer is not None and status_of(answer) in _TAKEN:
                _honouring.add((self._destination.endpoint, _COMPLETE))
                raise self._taken() from answer
            is_unknown = "IfNoneMatch" in extra and answer is not None
            if not (is_unknown and self._refuses_condition(_COMPLETE, cast(Any, answer))):
                raise
        return self.complete(upload, count)

    # From another object

    def copy(self, source: StoredObject) -> str:
        """Make S3 copy an existing object, with this upload's headers; return the ETag.

        Raises S3Error if the source is replaced meanwhile.
        """
        address = {name: source.address[name] for name in ("Bucket", "Key")}
        # Some services, such as Ceph 16, ignore this condition: confirm() checks again.
        origin = {"CopySource": address, "CopySourceIfMatch": source.etag}
        is_large = source.size > LARGEST_COPY
        etag = self._copy_in_parts(source.size, origin) if is_large else self._copy(source, origin)
        try:
            source.confirm()
        except (S3Error, FileNotFoundError):
            with self._explained():
                self._client.delete_object(**cast(Any, self._address))
            raise
        return etag

    def _copy(self, source: StoredObject, origin: Mapping[str, Any]) -> str:
        extra = accepted_by(self._client, _COPY, self._marked())
        if not self._may_replace:
            self._look()
            if not self._lacks_conditions(_COPY):
                # Only recent releases of boto3 accept it.
                extra |= accepted_by(self._client, _COPY, {"IfNoneMatch": "*"})
        try:
            answer = self._with_bucket(
                lambda: self._client.copy_object(
                    **cast(Any, self._address), **origin, MetadataDirective="REPLACE", **extra
                )
            )
            return str(answer["CopyObjectResult"]["ETag"]).strip('"')
        except S3Error as error:
            if _is_silence(error):
                raise
            etag = self._own_etag()
            if etag is not None:
                return etag
            answer = cause_of(error, _COPY)
            if answer is not None and status_of(answer) in _TAKEN:
                source.confirm()  # the 412 may be for the source's ETag
                raise self._taken() from answer
            is_unknown = "IfNoneMatch" in extra and answer is not None
            if not (is_unknown and self._refuses_condition(_COPY, cast(Any, answer))):
                raise
        return self._copy(source, origin)

    def _copy_in_parts(self, size: int, origin: Mapping[str, Any]) -> str:
        transfer = Transfer(part_size=COPIED_PART, concurrency=COPIES).for_size(size)
        upload = self.start(transfer)
        try:
            with self._explained():
                for start in range(0, size, transfer.part_size):
                    stop = min(start + transfer.part_size, size)
                    upload.copy({**origin, "CopySourceRange": f"bytes={start}-{stop - 1}"})
            return self.complete(upload)
        except BaseException as error:
            upload.abort(in_background=_is_silence(error))
            raise

    # Conditions

    def _lacks_conditions(self, operation: str) -> bool:
        return (self._destination.endpoint, operation) in _without_conditions

    def _honours_condition(self, operation: str) -> bool:
        """Return whether the service is known to evaluate conditions, as Amazon S3 does."""
        endpoint = self._destination.endpoint
        return not self._destination.endpoint_url or (endpoint, operation) in _honouring

    def _refuses_condition(self, operation: str, answer: Any) -> bool:
        """Return whether the service refused the request for its condition, and remember it."""
        if not is_unsupported(answer) or self._lacks_conditions(operation):
            return False
        endpoint = self._destination.endpoint
        _without_conditions.add((endpoint, operation))
        logger.warning(
            "%s refuses conditional writes (%s): if two files are saved under one name at the same "
            "time, one can replace the other.",
            endpoint,
            operation,
        )
        return True

    def _look(self) -> None:
        """Raise NameTakenError if the object exists."""
        with self._explained():
            if self._head() is not None:
                raise self._taken()

    def _taken(self) -> NameTakenError:
        where = f"s3://{self._destination.bucket}/{self._key}"
        return NameTakenError(f"{self._destination.storage}: {where} already exists.")

    def _own_etag(self) -> str | None:
        """Return the object's ETag if this upload created it; None if not, or after an error.

        If it did after all, the save takes another name, and one object is left over.
        """
        try:
            head = self._head()
        except failures():
            return None
        if head is None or head["Metadata"].get(TOKEN) != self._token:
            return None
        return str(head["ETag"]).strip('"')

    def _head(self) -> Any:
        """Return the response to a HEAD; None if the object doesn't exist."""
        from botocore.exceptions import ClientError

        parameters = accepted_by(self._client, "HeadObject", self._parameters)
        self.requests += 1
        try:
            return self._client.head_object(**cast(Any, self._address), **parameters)
        except ClientError as error:
            if status_of(error) == 404:
                return None
            raise

    def _marked(self) -> dict[str, Any]:
        return merged(self._parameters, {"Metadata": {TOKEN: self._token}})

    # Errors

    def _with_bucket(self, request: Callable[[], Any]) -> Any:
        """Return the response to a request; create the bucket for it if necessary."""
        from botocore.exceptions import ClientError

        self.requests += 1
        with self._explained():
            try:
                return request()
            except ClientError as error:
                if self._create_bucket is None or code_of(error) != "NoSuchBucket":
                    raise
                self._create_bucket()
                self.requests += 1
                return request()

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self._destination, "s3:PutObject", self._key)


def accepted_by(client: S3Client, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a PUT that another S3 operation also accepts."""
    shape: Any = client.meta.service_model.operation_model(operation).input_shape
    return {name: value for name, value in parameters.items() if name in shape.members}


def _is_silence(error: BaseException) -> bool:
    """Return whether S3 didn't respond in time, so that another request would take as long."""
    from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

    return isinstance(error.__cause__, (ConnectTimeoutError, ReadTimeoutError))


def _length(source: BinaryIO) -> int:
    """Return a stream's length in bytes; 0 if it is unknown."""
    try:
        return source.seek(0, io.SEEK_END)
    except (OSError, ValueError):
        return 0
