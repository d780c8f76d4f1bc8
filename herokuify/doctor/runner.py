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
class ProbeGroup:
    """Probes of one subject, one after the other, and the time that they have."""

    subject: Subject
    probe: str  # stands in the finding when they take too long
    seconds: float
    hint: str
    probes: Callable[[], Findings]

    def start(self) -> Run:
        """Start in the background; the time limit counts from now."""
        return Run(self)


class Run:
    """A group of probes under way.

    In a thread, because time-outs of sockets would not bound a server that sends a byte now
    and then; and in one that the end of the process need not wait for.
    """

    def __init__(self, group: ProbeGroup) -> None:
        self._group = group
        self._probes = group.probes()
        self._found: queue.SimpleQueue[Finding | Exception | None] = queue.SimpleQueue()
        self._is_stopped = threading.Event()
        self._deadline = monotonic() + group.seconds
        self._thread = threading.Thread(target=self._work, name="herokuify-doctor", daemon=True)
        self._thread.start()

    def findings(self) -> Iterator[Finding]:
        """Yield the findings as they come, until the time is over."""
        about = self._group
        try:
            while (found := self._next()) is not None:
                if isinstance(found, Exception):
                    yield about.subject.refused(about.probe, found, about.hint)
                    return
                yield found
        except queue.Empty:
            message = f"No response within {about.seconds:.0f} seconds."
            yield about.subject.failed(about.probe, message, about.hint)
        finally:  # on Ctrl-C as well
            self._is_stopped.set()
            self._thread.join(GRACE)

    def _next(self) -> Finding | Exception | None:
        return self._found.get(timeout=max(0.0, self._deadline - monotonic()))

    def _work(self) -> None:
        try:
            for finding in self._probes:
                self._found.put(finding)
                if self._is_stopped.is_set():
                    self._probes.close()  # the generator cleans up
                    break
        except Exception as error:  # noqa: BLE001 (a driver may raise anything, and the rest goes on)
            self._found.put(error)
        self._found.put(None)
