"""What `manage.py herokuify doctor` has said."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

STATES = {"ok", "warning", "failed", "skipped"}


@dataclass(frozen=True)
class Found:
    """One finding, as the JSON has it."""

    probe: str
    subject: str
    state: str
    message: str
    mend: str

    @property
    def text(self) -> str:
        return f"{self.message} {self.mend}"


@dataclass(frozen=True)
class Diagnosis:
    """All findings, and what was printed."""

    findings: list[Found]
    output: str

    @classmethod
    def parse(cls, output: str) -> Diagnosis:
        """Read the JSON, checked for what every finding must keep to."""
        entries: list[dict[str, Any]] = json.loads(output)
        findings = [Found(**entry) for entry in entries]
        for found in findings:
            assert found.state in STATES
            assert found.message
            assert found.subject
            # Each failure with its mend; what works needs none.
            assert bool(found.mend) or found.state != "failed", found
            assert not found.mend or found.state in {"failed", "warning"}, found
            assert "ImproperlyConfigured" not in found.message
        return cls(findings, output)

    def of(self, probe: str, subject: str = "") -> Found:
        """The one finding of a probe."""
        (found,) = [
            found for found in self.findings if found.probe == probe and subject in found.subject
        ]
        return found

    def states(self, *probes: str, subject: str = "") -> list[str]:
        return [self.of(probe, subject).state for probe in probes]

    @property
    def counts(self) -> Counter[str]:
        return Counter(found.state for found in self.findings)

    @property
    def failed(self) -> list[str]:
        """The probes that failed, in order."""
        return [found.probe for found in self.findings if found.state == "failed"]

    @property
    def warned(self) -> list[str]:
        return [found.probe for found in self.findings if found.state == "warning"]
