"""Send files in parallel, in bounded memory, and collect all failures."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

from herokuify.collect.inactivity import InactivityError, InactivityTimeout
from herokuify.collect.local import LocalFile
from herokuify.collect.plan import is_as_asked
from herokuify.s3.client import RetryProfile, connect
from herokuify.s3.destination import Destination
from herokuify.s3.errors import failures, status_of
from herokuify.s3.sender import Sender
from herokuify.s3.threads import Threads
from herokuify.s3.upload import Upload
from herokuify.storage.content import compressed

#: On a line with 300 kB/s, this many bytes arrive before the inactivity timeout.
BYTES_IN_FLIGHT = 8 * 1024 * 1024
FAILURES = 100  # after so many, the remaining files are skipped


class GaveUpError(Exception):
    """A file was not sent, because too many others had failed."""


class Sent(NamedTuple):
    """The result for a file."""

    etag: str  # the object's
    size: int  # bytes sent
    is_kept: bool = False  # the object was the same, and nothing was sent
    requests: int = 1


class Uploader:
    """Sends as many files in parallel as the profile has connections, with 8 MB in total.

    One larger file may be sent alone. ``submit`` blocks while these limits are reached, so memory
    is bounded. Use it from one thread; it calls ``tick`` at least once a second while it waits.
    ``on_sent`` is called for each key that was sent, by one thread at a time.
    """

    def __init__(
        self,
        destination: Destination,
        profile: RetryProfile,
        *,
        on_sent: Callable[[str, Sent], None],
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self._destination = destination
        self._profile = profile
        self._on_sent = on_sent
        self._tick = tick
        self._threads = Threads(profile.connections)
        self._change = threading.Condition()
        self._active: dict[str, int] = {}  # bytes by key
        self._bytes = 0
        self._timeout = InactivityTimeout()
        self._sender = Sender(destination, profile, on_answer=self._timeout.reset)
        self._is_abandoned = False
        self.failures: dict[str, BaseException] = {}

    # In the caller's thread

    def submit(self, file: LocalFile, *, ask: bool = False) -> None:
        """Send a file in a thread; with ``ask``, only if a HEAD shows that the object differs."""
        size = min(file.content.size, BYTES_IN_FLIGHT)
        with self._change:
            self._wait(
                lambda: (
                    len(self._active) < self._profile.connections
                    and (self._bytes + size <= BYTES_IN_FLIGHT or not self._active)
                )
            )
            if self._is_abandoned or len(self.failures) >= FAILURES:
                self.failures[file.key] = GaveUpError("skipped after too many failures")
                return
            if not self._active:
                self._timeout.reset()
            self._active[file.key] = size
            self._bytes += size
        self._threads.submit(lambda: self._work(file, ask=ask))

    def drain(self) -> None:
        """Wait until everything submitted has succeeded or failed."""
        with self._change:
            self._wait(lambda: not self._active)

    def close(self) -> None:
        """Release the threads."""
        self._threads.close()

    def _wait(self, is_ready: Callable[[], bool]) -> None:
        while not is_ready():
            self._tick()
            if self._timeout.is_over:
                self._abandon()
            else:
                self._change.wait(timeout=1.0)

    def _abandon(self) -> None:
        """Count all files in progress as failed; their threads run until their timeouts."""
        self._is_abandoned = True
        self.failures.update(dict.fromkeys(self._active, InactivityError()))
        self._active.clear()
        self._bytes = 0

    # In other threads

    def _work(self, file: LocalFile, *, ask: bool) -> None:
        try:
            sent: Sent | Exception = self._send(file, ask=ask)
        except Exception as error:  # noqa: BLE001  (collected in ``failures``)
            sent = error
        if isinstance(sent, Sent):
            self._timeout.reset()
        with self._change:
            size = self._active.pop(file.key, None)
            if size is None:  # abandoned
                return
            self._bytes -= size
            if isinstance(sent, Sent):
                self._on_sent(file.key, sent)
            else:
                self.failures[file.key] = sent
            self._change.notify_all()

    def _send(self, file: LocalFile, *, ask: bool) -> Sent:
        if file.content.is_large:
            return self._send_large(file)
        body = file.content.read()
        parameters = dict(file.parameters)
        if file.is_gzipped and (smaller := compressed(io.BytesIO(body))) is not None:
            with smaller:
                body = smaller.read()
            parameters["ContentEncoding"] = "gzip"
        if ask:
            head = self._head(file.key)
            if head is not None and is_as_asked(head, body, parameters):
                return Sent(head["ETag"].strip('"'), 0, is_kept=True)
        etag = self._sender.put(file.key, body, parameters)
        return Sent(etag, len(body), requests=1 + ask)

    def _head(self, key: str) -> Any:
        try:
            return connect(self._destination, self._profile).head_object(
                Bucket=self._destination.bucket, Key=key
            )
        except failures() as error:
            if status_of(error) == 404:
                return None  # removed since the listing
            raise

    def _send_large(self, file: LocalFile) -> Sent:
        parameters = dict(file.parameters)
        with ExitStack() as opened:
            body = original = opened.enter_context(file.content.open())
            smaller = compressed(original) if file.is_gzipped else None
            if smaller is not None:
                body = opened.enter_context(smaller)
                parameters["ContentEncoding"] = "gzip"
            size = body.seek(0, io.SEEK_END)
            body.seek(0)
            upload = Upload(
                self._destination, self._profile, file.key, parameters, may_replace=True
            )
            # confirm() checks, before the object appears, that the file hasn't changed.
            etag = upload.send(body, confirm=file.content.confirm, tick=self._timeout.reset)
        return Sent(etag, size, requests=upload.requests)
