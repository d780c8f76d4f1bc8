"""Worker threads for requests."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

ResultT = TypeVar("ResultT")


class Threads:
    """Worker threads that, unlike ThreadPoolExecutor's, don't delay the interpreter's exit.

    A network that has gone silent keeps a request waiting for its time-out; the command
    must be able to end before that.
    """

    def __init__(self, count: int) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._unstarted = self._count = count
        self._lock = threading.Lock()

    def submit(self, work: Callable[[], ResultT]) -> Future[ResultT]:
        """Run ``work`` in a thread."""
        future: Future[ResultT] = Future()

        def job() -> None:
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001  (the future's reader raises it)
                future.set_exception(error)
            else:
                future.set_result(result)

        self._jobs.put(job)
        with self._lock:
            is_needed = self._unstarted > 0
            self._unstarted -= is_needed
        if is_needed:
            threading.Thread(target=self._work, name="herokuify-upload", daemon=True).start()
        return future

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def close(self) -> None:
        """Let the threads end when they are done."""
        for _ in range(self._count - self._unstarted):
            self._jobs.put(None)
