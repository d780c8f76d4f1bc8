"""How long a network may be silent before a run is given up."""

from __future__ import annotations

import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError  # not built in before 3.11
from typing import TypeVar

from herokuify.exceptions import S3Error

#: Seconds without any answer from S3. The clients' own time-outs are longer: they can't tell
#: a network that is dead from one that is slow, with more under way than it can carry by then.
TIMEOUT = 30.0

ResultT = TypeVar("ResultT")


class InactivityError(S3Error):
    """S3 has not answered, though it had time enough."""

    def __init__(self) -> None:
        super().__init__(f"S3 has not responded for {TIMEOUT:.0f} s.", "Try again.")

    def __reduce__(self) -> tuple[type[InactivityError], tuple[()]]:
        return type(self), ()


class InactivityTimeout:
    """Knows when S3 was last heard; safe to use from several threads."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def reset(self) -> None:
        """Restart the timer: a request was sent, or S3 has responded."""
        self._since = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether nobody should wait any more."""
        return time.monotonic() - self._since > TIMEOUT

    def wait(self, future: Future[ResultT]) -> ResultT:
        """Return the future's result; raise InactivityError if nothing happens for too long."""
        while not future.done():
            if self.is_over:
                raise InactivityError
            try:
                future.exception(timeout=min(1.0, TIMEOUT))
            except FutureTimeoutError:
                continue
        return future.result()
