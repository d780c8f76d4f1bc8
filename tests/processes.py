"""Run other programs for the tests: free ports, processes with a log, waiting for them."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

HOST = "127.0.0.1"
SECONDS = 60  # the longest that a test waits for anything, on a busy machine

T = TypeVar("T")


def free_port() -> int:
    """Return a port on which no process listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether a process listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def wait_until(
    condition: Callable[[], T],
    *,
    process: "subprocess.Popen[bytes] | None" = None,
    log: Path | None = None,
    seconds: float = SECONDS,
) -> T:
    """Call the condition until its value is true, and return that value.

    Raises RuntimeError, with the log, when the time is over or the process has ended.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        has_ended = process is not None and process.poll() is not None
        if has_ended or time.monotonic() > deadline:
            text = log.read_text(encoding="utf-8", errors="replace") if log else ""
            reason = "the process has ended" if has_ended else f"nothing for {seconds} s"
            raise RuntimeError(f"{reason}; the log:\n{text}")
        time.sleep(0.01)  # other processes don't notify this one
    return value


@contextmanager
def running(
    command: Sequence[str | Path],
    log: Path,
    *,
    stop: signal.Signals = signal.SIGTERM,
    **options: Any,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program until the block ends; its output goes to the log."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, **options
        )
    try:
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
