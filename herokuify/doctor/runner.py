"""Running probes with a time limit."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from time import monotonic

from herokuify.doctor.findings import Finding, Subject

#: Seconds in which a probe that has timed out may remove its objects.
GRACE = 15.0

Findings = Generator[Finding, None, None]


@dataclass(frozen=True)
class ProbeGroup:
    """Probes of one subject, which run one after the other within a time limit."""

    subject: Subject
    probe: str  # of the finding if they take too long
    seconds: float
    hint: str
    probes: Callable[[], Findings]

    def start(self) -> Run:
        """Start in the background; the time limit counts from now."""
        return Run(self)


class Run:
    """A group of probes that is running in a thread.

    Sockets' timeouts don't limit a server that sends a byte now and then. The thread is a daemon,
    so that the process can exit without it.
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
        group = self._group
        try:
            while (found := self._next()) is not None:
                if isinstance(found, Exception):
                    yield group.subject.refused(group.probe, found, group.hint)
                    return
                yield found
        except queue.Empty:
            message = f"No response within {group.seconds:.0f} seconds."
            yield group.subject.failed(group.probe, message, group.hint)
        finally:  # also on Ctrl-C
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
        except Exception as error:  # noqa: BLE001 (a driver may raise anything)
            self._found.put(error)
        self._found.put(None)
