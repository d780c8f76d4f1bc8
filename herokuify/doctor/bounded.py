"""Probes that end in time, whatever they meet."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from time import monotonic

from herokuify.doctor.findings import Finding, Subject

#: Seconds for a probe that was given up to take back what it has put somewhere.
GRACE = 15.0

Findings = Generator[Finding, None, None]


@dataclass(frozen=True)
class Examination:
    """Probes of one subject, one after the other, and the time that they have."""

    subject: Subject
    probe: str  # stands in the finding when they take too long
    seconds: float
    mend: str
    probes: Callable[[], Findings]

    def run(self) -> Iterator[Finding]:
        """Yield the findings, for ``seconds`` at most.

        Time-outs of sockets alone would not bound a server that sends a byte now and then.
        """
        worker = _Worker(self.probes())
        deadline = monotonic() + self.seconds
        try:
            while True:
                try:
                    finding = worker.found.get(timeout=max(0.0, deadline - monotonic()))
                except queue.Empty:
                    message = f"No answer within {self.seconds:.0f} seconds."
                    yield self.subject.failed(self.probe, message, self.mend)
                    return
                if isinstance(finding, Exception):
                    yield self.subject.refused(self.probe, finding, self.mend)
                    return
                if finding is None:
                    return
                yield finding
        finally:  # on Ctrl-C as well
            worker.stop()


class _Worker:
    """Runs a generator of findings in a thread that the process's end need not wait for."""

    def __init__(self, probes: Findings) -> None:
        self.found: queue.SimpleQueue[Finding | Exception | None] = queue.SimpleQueue()
        self._probes = probes
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="herokuify-doctor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the generator at its next finding, so that it cleans up."""
        self._is_stopped.set()
        self._thread.join(GRACE)

    def _run(self) -> None:
        try:
            for finding in self._probes:
                self.found.put(finding)
                if self._is_stopped.is_set():
                    self._probes.close()
                    break
        except Exception as error:  # noqa: BLE001 (a driver may raise anything, and the rest goes on)
            self.found.put(error)
        self.found.put(None)
