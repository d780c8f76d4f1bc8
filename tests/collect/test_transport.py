import threading
import time
from typing import Any

import pytest

from herokuify.collect.transport import BotoTransport, Threads

pytestmark = pytest.mark.no_django


def alive() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "herokuify-upload"}


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestThreads:
    def test_results_and_errors(self) -> None:
        threads = Threads(2)
        try:
            assert threads.submit(lambda: 6 * 7).result(5) == 42
            failing = threads.submit(lambda: int("x"))
            assert isinstance(failing.exception(5), ValueError)
            leaving = threads.submit(lambda: exec("raise SystemExit(1)"))
            assert isinstance(leaving.exception(5), SystemExit)
            assert threads.submit(lambda: "still there").result(5) == "still there"
        finally:
            threads.close()

    def test_as_many_as_said_and_no_more_than_needed(self) -> None:
        before = alive()
        threads = Threads(3)
        assert not alive() - before
        release = threading.Event()
        futures = [threads.submit(release.wait) for _ in range(2)]
        assert len(alive() - before) == 2
        futures += [threads.submit(release.wait) for _ in range(10)]
        assert len(alive() - before) == 3
        assert not any(future.done() for future in futures)
        release.set()
        assert all(future.result(5) for future in futures)
        threads.close()
        wait_for(lambda: not alive() - before)

    def test_end_with_the_interpreter(self) -> None:
        """A thread that waits for a silent network must not keep the command from ending."""
        threads = Threads(1)
        release = threading.Event()
        threads.submit(release.wait)
        assert all(thread.daemon for thread in alive())
        release.set()
        threads.close()

    def test_submitted_from_many_threads(self) -> None:
        before = alive()
        threads = Threads(4)
        done: list[int] = []
        start = threading.Barrier(8)

        def submit() -> None:
            start.wait()
            for _ in range(50):
                threads.submit(lambda: done.append(1))

        submitters = [threading.Thread(target=submit) for _ in range(8)]
        for submitter in submitters:
            submitter.start()
        for submitter in submitters:
            submitter.join()
        wait_for(lambda: len(done) == 400)
        assert len(alive() - before) <= 4
        threads.close()
        wait_for(lambda: not alive() - before)


class FakeClient:
    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []

    def put_object(self, **parameters: Any) -> Any:
        self.asked.append(parameters)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class TestBotoTransport:
    def test_puts_with_these_parameters(self) -> None:
        client: Any = FakeClient({"ETag": '"e"'})
        threads = Threads(1)
        transport = BotoTransport(client, "bucket", threads)
        assert transport.put("key", b"body", {"ContentType": "text/css"}).result(5) == "e"
        (asked,) = client.asked
        # Not bytes: those are sent in one call, for which a slow line has too little time.
        assert asked.pop("Body").read() == b"body"
        assert asked == {"Bucket": "bucket", "Key": "key", "ContentType": "text/css"}
        transport.close()
        assert threads.submit(lambda: 1).result(5) == 1  # they are the uploader's
        threads.close()

    def test_error_is_the_futures(self) -> None:
        client: Any = FakeClient(ValueError("no"))
        threads = Threads(1)
        error = BotoTransport(client, "bucket", threads).put("key", b"", {}).exception(5)
        assert error is client.answer
        threads.close()


@pytest.mark.parametrize("count", [1, 64])
def test_close_without_work(count: int) -> None:
    Threads(count).close()
