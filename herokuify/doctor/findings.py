"""The results of probes."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from herokuify.exceptions import HerokuifyError
from herokuify.platforms import adapted


class State(enum.Enum):
    """How a probe ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """The result of a probe: the state, a message and a hint."""

    probe: str  # such as "s3.put"
    subject: str  # what was probed: an alias of the settings, or a bucket
    state: State
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Subject:
    """Something that is probed; its methods make findings about it."""

    name: str

    def ok(self, probe: str, message: str) -> Finding:
        """Return a finding: it works."""
        return Finding(probe, self.name, State.OK, message)

    def skipped(self, probe: str, reason: str) -> Finding:
        """Return a finding: the probe was skipped."""
        return Finding(probe, self.name, State.SKIPPED, reason)

    def warning(self, probe: str, message: str, hint: str = "") -> Finding:
        """Return a finding: it works, but not as it should."""
        return Finding(probe, self.name, State.WARNING, message, adapted(hint))

    def failed(self, probe: str, message: str, hint: str) -> Finding:
        """Return a finding: it doesn't work."""
        return Finding(probe, self.name, State.FAILED, message, adapted(hint))

    def refused(self, probe: str, error: Exception, hint: str = "") -> Finding:
        """Return a finding for an error; ``hint`` is used if the error has none."""
        if isinstance(error, HerokuifyError):
            return self.failed(probe, error.problem, error.hint or hint)
        return self.failed(probe, str(error) or type(error).__name__, hint)
