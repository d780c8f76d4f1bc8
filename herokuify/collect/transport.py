"""How one object travels: a small interface, and boto3 in threads behind it."""

from __future__ import annotations

import io
import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

ResultT = TypeVar("ResultT")


class Transport(Protocol):
    """Sends small objects; one attempt each, retries are the uploader's."""

    def put(self, key: str, body: bytes, parameters: Mapping[str, Any]) -> Future[str]:
        """Start a PUT; the future has the ETag without quotes, or botocore's error."""

    def close(self) -> None:
        """Release connections and threads."""


class Threads:
    """Worker threads that don't hold up the interpreter's end, as ThreadPoolExecutor's do.

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


def put_object(
    client: S3Client, bucket: str, key: str, body: bytes, parameters: Mapping[str, Any]
) -> str:
    """PUT an object; returns its ETag without quotes."""
    # Bytes would be sent in one call, which must end within the time-out for connecting.
    stream = io.BytesIO(body)
    answer = client.put_object(Bucket=bucket, Key=key, Body=stream, **parameters)
    return answer["ETag"].strip('"')


class BotoTransport:
    """boto3's put_object in threads."""

    def __init__(self, client: S3Client, bucket: str, threads: Threads) -> None:
        self._client = client
        self._bucket = bucket
        self._threads = threads

    def put(self, key: str, body: bytes, parameters: Mapping[str, Any]) -> Future[str]:
        """Start a PUT in a thread."""
        return self._threads.submit(
            lambda: put_object(self._client, self._bucket, key, body, parameters)
        )

    def close(self) -> None:
        """Nothing: the threads are the uploader's."""
