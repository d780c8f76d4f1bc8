"""Give up a run if S3 doesn't respond for too long."""

from __future__ import annotations

import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError  # not built in before 3.11
from typing import TypeVar

from herokuify.exceptions import S3Error

#: Seconds without a response from S3. The clients' own timeouts are longer, because a single
#: request can't distinguish a dead network from a slow one that is busy with other requests.
TIMEOUT = 30.0

ResultT = TypeVar("ResultT")


class InactivityError(S3Error):
    """S3 has not responded for ``TIMEOUT`` seconds."""

    def __init__(self) -> None:
        super().__init__(f"S3 has not responded for {TIMEOUT:.0f} s.", "Try again.")

    def __reduce__(self) -> tuple[type[InactivityError], tuple[()]]:
        return type(self), ()


class InactivityTimeout:
    """Measures the time since S3's last response; thread-safe."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def reset(self) -> None:
        """Restart the timer: a request was sent, or S3 has responded."""
        self._since = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether S3 has not responded for too long."""
        return time.monotonic() - self._since > TIMEOUT

    def wait(self, future: Future[ResultT]) -> ResultT:
        """Return the future's result; raise InactivityError if S3 doesn't respond for too long."""
        while not future.done():
            if self.is_over:
                raise InactivityError
            try:
                future.exception(timeout=min(1.0, TIMEOUT))
            except FutureTimeoutError:
                continue
        return future.result()
