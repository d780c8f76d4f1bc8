"""Sending files in parallel: bounded, every failure kept."""

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

#: Not more: they all arrive at once, and on a line of 300 kB a second before the inactivity
#: timeout.
BYTES_IN_FLIGHT = 8 * 1024 * 1024
FAILURES = 100  # after so many, what is left would only fail the same way


class GaveUpError(Exception):
    """A file was not sent, because too much else had failed before."""


class Sent(NamedTuple):
    """What became of a file: the object's ETag, and the bytes that were sent for it."""

    etag: str
    size: int
    is_kept: bool = False
    requests: int = 1


class Uploader:
    """Sends files, at most as many as the profile has connections, and 8 MB at a time.

    One file may be larger. ``submit`` blocks while that much is under way, so that memory stays
    bounded however fast files arrive. A request is tried again by ``herokuify.s3``. Use it from
    one thread; while that waits, it calls ``tick`` at times. ``on_sent`` is called for each key
    that was sent, by one thread at a time.
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

    # What the caller's thread does

    def submit(self, file: LocalFile, *, ask: bool = False) -> None:
        """Send a file, or with ``ask`` only if a HEAD shows that the object differs."""
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
        """Count everything in progress as failed; its threads run into their timeouts."""
        self._is_abandoned = True
        self.failures.update(dict.fromkeys(self._active, InactivityError()))
        self._active.clear()
        self._bytes = 0

    # What the threads do

    def _work(self, file: LocalFile, *, ask: bool) -> None:
        try:
            sent: Sent | Exception = self._send(file, ask=ask)
        except Exception as error:  # noqa: BLE001  (kept, to be raised for all at once)
            sent = error
        if isinstance(sent, Sent):
            self._timeout.reset()
        with self._change:
            size = self._active.pop(file.key, None)
            if size is None:  # it was given up meanwhile
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
            # That these are the bytes that were hashed shows before the object does.
            etag = upload.send(body, confirm=file.content.confirm, tick=self._timeout.reset)
        return Sent(etag, size, requests=upload.requests)
