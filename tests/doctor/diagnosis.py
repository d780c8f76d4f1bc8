"""The findings of `manage.py herokuify doctor`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

STATES = {"ok", "warning", "failed", "skipped"}


@dataclass(frozen=True)
class Found:
    """One finding in the JSON output."""

    probe: str
    subject: str
    state: str
    message: str
    hint: str

    @property
    def text(self) -> str:
        return f"{self.message} {self.hint}"


@dataclass(frozen=True)
class Diagnosis:
    """All findings, and the command's output."""

    findings: list[Found]
    output: str

    @classmethod
    def parse(cls, output: str) -> Diagnosis:
        """Read the JSON, and check the rules for all findings."""
        entries: list[dict[str, Any]] = json.loads(output)
        findings = [Found(**entry) for entry in entries]
        for found in findings:
            assert found.state in STATES
            assert found.message
            assert found.subject
            # Every failure has a hint, and only failures and warnings have one.
            assert bool(found.hint) or found.state != "failed", found
            assert not found.hint or found.state in {"failed", "warning"}, found
            assert "ImproperlyConfigured" not in found.message
        return cls(findings, output)

    def of(self, probe: str, subject: str = "") -> Found:
        """Return the only finding of a probe, for this subject."""
        (found,) = [
            found for found in self.findings if found.probe == probe and subject in found.subject
        ]
        return found

    def states(self, *probes: str, subject: str = "") -> list[str]:
        return [self.of(probe, subject).state for probe in probes]

    @property
    def is_broken(self) -> bool:
        return any(found.state == "failed" for found in self.findings)

    @property
    def checks(self) -> list[Found]:
        """The findings of system checks, which have tests of their own."""
        return [found for found in self.findings if found.probe.startswith("check ")]

    @property
    def failed(self) -> list[str]:
        """The probes that failed, in order."""
        return self._probes("failed")

    @property
    def warned(self) -> list[str]:
        return self._probes("warning")

    def _probes(self, state: str) -> list[str]:
        checks = self.checks
        return [one.probe for one in self.findings if one.state == state and one not in checks]
