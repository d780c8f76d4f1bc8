"""Groups of probes end in time and clean up."""

import threading
import time
from collections.abc import Callable

import pytest

from herokuify.doctor import runner
from herokuify.doctor.findings import Finding, State, Subject
from herokuify.doctor.runner import Findings, ProbeGroup
from tests.processes import SECONDS

SUBJECT = Subject("it")


def group(probes: Callable[[], Findings], seconds: float = 60.0) -> ProbeGroup:
    return ProbeGroup(SUBJECT, "probe", seconds, "fix it", probes)


def test_findings_come_in_order() -> None:
    def probes() -> Findings:
        for number in range(3):
            yield SUBJECT.ok("probe", str(number))

    found = list(group(probes).start().findings())
    assert [finding.message for finding in found] == ["0", "1", "2"]


def test_silent_probe_is_a_failure() -> None:
    silent, end, cleaned = threading.Event(), threading.Event(), threading.Event()

    def probes() -> Findings:
        try:
            yield SUBJECT.ok("probe", "first")
            silent.set()
            end.wait()
            yield SUBJECT.ok("probe", "too late")
        finally:
            cleaned.set()

    run = group(probes, seconds=0.0).start()
    assert silent.wait(SECONDS)
    findings = run.findings()
    assert next(findings).message == "first"
    late = next(findings)
    assert late == Finding("probe", "it", State.FAILED, "No response within 0 seconds.", "fix it")
    end.set()
    assert list(findings) == []
    assert cleaned.is_set()  # the run has waited for it


def test_probe_that_does_not_end_is_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "GRACE", 0.1)
    end = threading.Event()

    def probes() -> Findings:
        end.wait()
        yield SUBJECT.ok("probe", "never")

    start = time.monotonic()
    [found] = group(probes, seconds=0.1).start().findings()
    assert found.state is State.FAILED
    assert time.monotonic() - start < 30
    end.set()


def test_exception_is_a_failure() -> None:
    def probes() -> Findings:
        yield SUBJECT.ok("probe", "first")
        raise LookupError("driver's own")

    first, second = group(probes).start().findings()
    assert first.state is State.OK
    assert second == Finding("probe", "it", State.FAILED, "driver's own", "fix it")


def test_closed_run_cleans_up() -> None:
    """Ctrl-C closes the generator of findings."""
    cleaned = threading.Event()

    def probes() -> Findings:
        try:
            while True:
                yield SUBJECT.ok("probe", "again")
                time.sleep(0.01)  # so as not to fill the queue
        finally:
            cleaned.set()

    findings = group(probes).start().findings()
    next(findings)
    findings.close()  # type: ignore[attr-defined]
    assert cleaned.is_set()
