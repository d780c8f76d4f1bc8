"""A step of the plan: one aspect of a bucket, and how it differs from the desired state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class State(Enum):
    """What a step does."""

    SAME = "same"
    CHANGE = "change"
    #: Somebody must decide something first.
    BLOCKED = "blocked"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True)
class Step:
    """One aspect of a bucket, with lines to show and the request that changes it.

    A line begins with ``+`` (added), ``-`` (removed), ``=`` (unchanged) or ``!`` (attention).
    """

    name: str
    state: State
    lines: tuple[str, ...]
    operation: str = ""  # boto3's name of the request; empty unless something changes
    parameters: Mapping[str, Any] = field(default_factory=dict)  # all but the bucket

    def as_data(self) -> dict[str, Any]:
        """Return the step as JSON data."""
        return {
            "name": self.name,
            "state": self.state.value,
            "lines": list(self.lines),
            "operation": self.operation or None,
        }


def unsupported(name: str) -> Step:
    """Return the step for a request that the service doesn't support."""
    return Step(name, State.UNSUPPORTED, ("= not supported by this service",))


def difference(
    current: Iterable[Any], desired: Iterable[Any], text: Callable[[Any], str] = str
) -> list[str]:
    """Return a diff: lines that are removed, unchanged and added."""
    before, after = [text(item) for item in current], [text(item) for item in desired]
    return [
        *(f"- {line}" for line in before if line not in after),
        *(f"{'=' if line in before else '+'} {line}" for line in after),
    ]
