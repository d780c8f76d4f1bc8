"""Multipart uploads: several parts at a time, in bounded memory, all or nothing."""

from __future__ import annotations

import io
import logging
import os
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TYPE_CHECKING, Any, cast

from herokuify.s3.destination import MOST_PARTS
from herokuify.s3.errors import failures
from herokuify.s3.threads import Threads

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef

logger = logging.getLogger("herokuify.s3")

#: Seconds that an abort waits for parts in transit, because S3 keeps parts that arrive later.
PATIENCE = 10


class _Upload:
    """What ``abort`` needs, without a reference to PartUpload, which it must not keep alive."""

    def __init__(self, client: S3Client, address: Mapping[str, Any]) -> None:
        self.client = client
        self.address = address
        self.pending: set[Future[Any]] = set()
        self.is_over = False
        self._process = os.getpid()

    def abort(self) -> None:
        """Abort the multipart upload on S3; log a failure."""
        if self.is_over or self._process != os.getpid():  # a fork must not abort it
            return
        self.is_over = True
        wait(self.pending, timeout=PATIENCE)
        try:
            self.client.abort_multipart_upload(**cast(Any, self.address))
        except failures() as error:
            logger.warning(
                "The parts of the aborted upload of s3://%s/%s could not be removed "
                "(%s). A lifecycle rule that aborts incomplete uploads removes them.",
                self.address["Bucket"],
                self.address["Key"],
                error,
            )


class PartUpload:
    """A multipart upload: ``complete`` creates the object, ``abort`` removes all parts.

    It aborts by itself when it is garbage-collected or the interpreter exits. ``extra`` are
    parameters of UploadPart; ``tick`` is called after each part. Raises botocore's errors, and
    NotS3Error for a response that doesn't come from S3.
    """

    def __init__(
        self,
        client: S3Client,
        address: Mapping[str, Any],
        concurrency: int,
        *,
        tick: Callable[[], None],
        **extra: Any,
    ) -> None:
        self._upload = _Upload(client, address)
        self._tick = tick
        self._extra = extra
        self._concurrency = concurrency
        self._threads = Threads(concurrency) if concurrency > 1 else None
        self._parts: dict[int, Future[CompletedPartTypeDef]] = {}
        # Runs at the interpreter's exit, too.
        weakref.finalize(self, self._upload.abort)

    def send(self, body: bytes, number: int = 0) -> None:
        """Send the next part, or part ``number`` again; block while too many are in transit.

        Raises the error of any part that has failed.
        """
        upload, extra = self._upload, self._extra
        bodies = [body]
        del body  # only ``bodies`` refers to it, and is cleared once the part is sent

        def request(number: int) -> Any:
            body = io.BytesIO(bodies[0])
            # A stream, so that the timeout applies to each block, not to the whole part.
            answer = upload.client.upload_part(
                **cast(Any, upload.address), PartNumber=number, Body=body, **extra
            )
            bodies.clear()
            return answer

        self._submit(request, number)

    def copy(self, source: Mapping[str, Any]) -> None:
        """Make S3 copy the next part from another object; block like ``send``.

        ``source`` are parameters of UploadPartCopy, such as CopySource.
        """
        upload = self._upload

        def request(number: int) -> Any:
            answer = upload.client.upload_part_copy(
                **cast(Any, upload.address), PartNumber=number, **cast(Any, source)
            )
            return answer["CopyPartResult"]

        self._submit(request)

    def _submit(self, request: Callable[[int], Any], number: int = 0) -> None:
        number = number or len(self._parts) + 1
        if number > MOST_PARTS:
            raise ValueError(
                f"S3 takes {MOST_PARTS} parts at most. Make parts larger: "
                "AWS_S3_TRANSFER_CONFIG = TransferConfig(multipart_chunksize=…)"
            )
        if number in self._parts:
            self._parts[number].result()  # the new bytes must arrive after the old ones
        pending = self._upload.pending
        while len(pending) >= self._concurrency:
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()  # a failed part stays pending, and fails all further calls
                pending.discard(future)
        future = self._start(self._work(number, request))
        self._parts[number] = future
        pending.add(future)

    def _work(
        self, number: int, request: Callable[[int], Any]
    ) -> Callable[[], CompletedPartTypeDef]:
        upload, tick = self._upload, self._tick

        def work() -> CompletedPartTypeDef:
            if upload.is_over:
                raise InterruptedError("the upload was aborted")
            answer = request(number)
            tick()
            checksums = {name: v for name, v in answer.items() if name.startswith("Checksum")}
            checksums.pop("ChecksumType", None)
            part: Any = {"PartNumber": number, "ETag": answer["ETag"], **checksums}
            return cast("CompletedPartTypeDef", part)

        return work

    def _start(self, work: Callable[[], CompletedPartTypeDef]) -> Future[CompletedPartTypeDef]:
        if self._threads is not None:
            try:
                return self._threads.submit(work)
            except RuntimeError:
                # Can't start a thread: the interpreter is exiting, or the dyno's limit is reached.
                self._concurrency = 1
                self._end_threads()
        future: Future[CompletedPartTypeDef] = Future()
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  (raised by result())
            future.set_exception(error)
        return future

    def _end_threads(self) -> None:
        if self._threads is not None:
            self._threads.close()
            self._threads = None

    def finish(self, count: int | None = None) -> list[CompletedPartTypeDef]:
        """Wait for all parts, or the first ``count``; return the list for ``complete``."""
        futures = [future for number, future in sorted(self._parts.items())][:count]
        parts = [future.result() for future in futures]
        self._upload.pending.clear()
        self._end_threads()
        return parts

    def complete(self, parts: list[CompletedPartTypeDef], **extra: Any) -> str:
        """Complete the multipart upload, which creates the object; return its ETag."""
        answer = self._upload.client.complete_multipart_upload(
            **cast(Any, self._upload.address), MultipartUpload={"Parts": parts}, **extra
        )
        self.mark_complete()
        return answer["ETag"].strip('"')

    def mark_complete(self) -> None:
        """Record that the object exists, so that nothing is aborted."""
        self._upload.is_over = True

    def abort(self, *, in_background: bool = False) -> None:
        """Abort; only log a failure, because an error is being raised already.

        With ``in_background``, return at once: if S3 doesn't respond, the abort takes long, too.
        """
        try:
            if in_background:
                Threads(1).submit(self._upload.abort)
            else:
                self._upload.abort()
        finally:
            self._end_threads()
