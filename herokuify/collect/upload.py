"""Sending files in parallel: bounded, retried, every failure kept."""

from __future__ import annotations

import io
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from herokuify.collect.local import LARGE, LocalFile, compressed
from herokuify.collect.plan import is_as_asked
from herokuify.collect.silence import Silence
from herokuify.collect.transport import BotoTransport, Threads, Transport, put_object

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

#: Of one file; each is up to five of the client's own.
ATTEMPTS = 5
PAUSE = 0.25  # seconds before the second attempt at the most, doubled for each further one
LONGEST_PAUSE = 8.0  # seconds
#: Not more: they all arrive at once, and on a line of 300 kB a second before SILENCE is over.
BYTES_IN_FLIGHT = 8 * 1024 * 1024
FAILURES = 100  # after so many, what is left would only fail the same way
_TRANSIENT_STATUSES = {429, 500, 502, 503, 504}
_TRANSIENT_CODES = {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable"}


class GaveUpError(Exception):
    """A file was not sent, because too much else had failed before."""


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed in a moment."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return status in _TRANSIENT_STATUSES or (
            error.response.get("Error", {}).get("Code") in _TRANSIENT_CODES
        )
    return isinstance(error, (BotoConnectionError, HTTPClientError))


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a file: the object's ETag, and the bytes that were sent for it."""

    etag: str
    size: int
    is_kept: bool = False


class Uploader:
    """Sends files, at most ``concurrency`` and 8 MB at a time, or one file of any size.

    ``submit`` blocks while that much is under way, so that memory stays bounded however
    fast files arrive. Use it from one thread; while that waits, it calls ``tick`` at times.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        *,
        concurrency: int,
        make_transport: Callable[[], Transport | None] = lambda: None,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._concurrency = concurrency
        self._tick = tick
        self._threads = Threads(concurrency)
        self._boto = BotoTransport(client, bucket, self._threads)
        self._make_transport = make_transport
        self._transport: Transport | None = None
        self._change = threading.Condition()
        self._active: dict[str, int] = {}  # bytes by key
        self._silence = Silence()
        self._is_abandoned = False
        self.sent: dict[str, Sent] = {}
        self.failures: dict[str, BaseException] = {}
        self.requests = 0

    # What the caller's thread does

    def submit(self, file: LocalFile, *, ask: bool = False) -> None:
        """Send a file, or with ``ask`` only if a HEAD shows that the object differs."""
        size = min(file.content.size, BYTES_IN_FLIGHT)
        with self._change:
            self._wait(
                lambda: (
                    len(self._active) < self._concurrency
                    and (sum(self._active.values()) + size <= BYTES_IN_FLIGHT or not self._active)
                )
            )
            if self._is_abandoned or len(self.failures) >= FAILURES:
                self.failures[file.key] = GaveUpError("not tried: too much had failed before")
                return
            if not self._active:
                self._silence.end()
            self._active[file.key] = size
        self._start(file, ask=ask, attempt=0)

    def drain(self) -> None:
        """Wait until everything submitted has succeeded or failed."""
        with self._change:
            self._wait(lambda: not self._active)

    def close(self) -> None:
        """Release threads and connections."""
        self._threads.close()
        if self._transport:
            self._transport.close()

    def _wait(self, is_ready: Callable[[], bool]) -> None:
        while not is_ready():
            self._tick()
            if self._silence.is_too_long:
                self._abandon()
            else:
                self._change.wait(timeout=1.0)

    def _abandon(self) -> None:
        """Count all that is under way as failed; its threads are left to their time-outs."""
        self._is_abandoned = True
        self.failures.update(dict.fromkeys(self._active, self._silence.error()))
        self._active.clear()

    # What the transports' threads do

    def _start(self, file: LocalFile, *, ask: bool, attempt: int) -> None:
        try:
            future = self._attempt(file, ask=ask, attempt=attempt)
        except Exception as error:  # noqa: BLE001  (a file that can't be read is a failure, too)
            future = Future()
            future.set_exception(error)
        future.add_done_callback(lambda done: self._finish(done, file, ask=ask, attempt=attempt))

    def _attempt(self, file: LocalFile, *, ask: bool, attempt: int) -> Future[Sent]:
        if file.content.is_large:
            return self._threads.submit(lambda: self._send_large(file))
        if file.is_gzipped or ask:
            return self._threads.submit(lambda: self._send_prepared(file, ask=ask))
        body = file.content.read()
        # boto3 knows more ways to reach a server that another client has failed to reach.
        transport = self._boto if attempt else self._fast_transport()
        sent: Future[Sent] = Future()
        with self._change:
            self.requests += 1
        transport.put(file.key, body, file.parameters).add_done_callback(
            lambda done: _pass_on(done, sent, lambda etag: Sent(etag, len(body)))
        )
        return sent

    def _fast_transport(self) -> Transport:
        # Made for the first file: a redeploy that sends nothing need not import and start it.
        if self._transport is None:
            self._transport = self._make_transport() or self._boto
        return self._transport

    def _send_prepared(self, file: LocalFile, *, ask: bool) -> Sent:
        body = file.content.read()
        parameters = dict(file.parameters)
        if file.is_gzipped and (smaller := compressed(io.BytesIO(body))) is not None:
            with smaller:
                body = smaller.read()
            parameters["ContentEncoding"] = "gzip"
        with self._change:
            self.requests += 1 + ask
        if ask:
            head = self._head(file.key)
            if head is not None and is_as_asked(head, body, parameters):
                with self._change:
                    self.requests -= 1
                return Sent(head["ETag"].strip('"'), 0, is_kept=True)
        etag = put_object(self._client, self._bucket, file.key, body, parameters)
        return Sent(etag, len(body))

    def _head(self, key: str) -> Any:
        try:
            return self._client.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
                return None  # removed since the listing
            raise

    def _send_large(self, file: LocalFile) -> Sent:
        parameters = dict(file.parameters)
        with ExitStack() as opened:
            body = original = opened.enter_context(file.content.open())
            if file.is_gzipped and (smaller := compressed(original)) is not None:
                body = opened.enter_context(smaller)
                parameters["ContentEncoding"] = "gzip"
            size = body.seek(0, 2)
            body.seek(0)
            self._client.upload_fileobj(
                body,
                self._bucket,
                file.key,
                ExtraArgs=parameters,
                Config=TransferConfig(
                    multipart_threshold=LARGE,
                    multipart_chunksize=LARGE,
                    use_threads=False,
                    preferred_transfer_client="classic",
                ),
                Callback=lambda _bytes: self._silence.end(),
            )
        file.content.confirm()  # that these were the bytes
        head = self._client.head_object(Bucket=self._bucket, Key=file.key)
        with self._change:
            self.requests += 3 + -(-size // LARGE)
        return Sent(head["ETag"].strip('"'), size)

    def _finish(self, done: Future[Sent], file: LocalFile, *, ask: bool, attempt: int) -> None:
        error = done.exception()
        if error is None or isinstance(error, ClientError):
            self._silence.end()
        is_wanted = file.key in self._active  # and not given up on meanwhile
        if is_wanted and error is not None and is_transient(error) and attempt + 1 < ATTEMPTS:
            pause = random.uniform(0, min(LONGEST_PAUSE, PAUSE * 2**attempt))  # noqa: S311
            timer = threading.Timer(pause, lambda: self._start(file, ask=ask, attempt=attempt + 1))
            timer.daemon = True
            timer.start()
            return
        with self._change:
            if self._active.pop(file.key, None) is None:
                return
            if error is None:
                self.sent[file.key] = done.result()
            else:
                self.failures[file.key] = error
            self._change.notify_all()


def _pass_on(done: Future[str], target: Future[Sent], convert: Callable[[str], Sent]) -> None:
    error = done.exception()
    if error is None:
        target.set_result(convert(done.result()))
    else:
        target.set_exception(error)
