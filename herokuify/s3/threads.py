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

    On a dead network, requests wait for their timeouts; a command must be able to end earlier.
    """

    def __init__(self, count: int) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._unstarted = self._count = count
        self._lock = threading.Lock()

    def submit(self, work: Callable[[], ResultT]) -> Future[ResultT]:
        """Run ``work`` in a thread. Raise RuntimeError if no thread can be started."""
        future: Future[ResultT] = Future()

        def job() -> None:
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001  (raised by result())
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._lock:
            is_needed = self._unstarted > 0
            self._unstarted -= is_needed
        if is_needed:
            threading.Thread(target=self._work, name="herokuify-upload", daemon=True).start()
        self._jobs.put(job)
        return future

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def close(self) -> None:
        """End the threads when they have run all jobs."""
        for _ in range(self._count - self._unstarted):
            self._jobs.put(None)
