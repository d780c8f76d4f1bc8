import threading

import pytest

from herokuify.s3.threads import Threads
from tests.processes import wait_until

pytestmark = pytest.mark.no_django


def alive() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "herokuify-upload"}


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

    def test_starts_only_the_threads_that_it_needs(self) -> None:
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
        wait_until(lambda: not alive() - before)

    def test_are_daemons(self) -> None:
        """A thread that waits for the network must not keep the interpreter from exiting."""
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
        wait_until(lambda: len(done) == 400)
        assert len(alive() - before) <= 4
        threads.close()
        wait_until(lambda: not alive() - before)


@pytest.mark.parametrize("count", [1, 64])
def test_close_without_work(count: int) -> None:
    Threads(count).close()
