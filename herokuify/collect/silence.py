"""How long a network may be silent before a run is given up."""

from __future__ import annotations

import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError  # not built in before 3.11
from typing import TypeVar

from botocore.exceptions import HTTPClientError

#: Seconds without any answer from S3. The clients' own time-outs are longer: they can't tell
#: a network that is dead from one that is slow, with more under way than it can carry by then.
SILENCE = 30.0

ResultT = TypeVar("ResultT")


class SilentError(HTTPClientError):
    """S3 has not answered, though it had time enough."""

    fmt = "S3 has not answered for {seconds:.0f} s"


class Silence:
    """Knows when S3 was last heard; safe to use from several threads."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def end(self) -> None:
        """S3 was heard, or has just been asked."""
        self._since = time.monotonic()

    @property
    def is_too_long(self) -> bool:
        """Whether nobody should wait any more."""
        return time.monotonic() - self._since > SILENCE

    def error(self) -> SilentError:
        """What to raise then."""
        return SilentError(seconds=SILENCE)

    def wait(self, future: Future[ResultT]) -> ResultT:
        """The future's result; raises SilentError when nothing was heard for too long."""
        while not future.done():
            if self.is_too_long:
                raise self.error()
            try:
                future.exception(timeout=min(1.0, SILENCE))
            except FutureTimeoutError:
                continue
        return future.result()
