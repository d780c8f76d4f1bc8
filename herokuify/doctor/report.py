"""The findings as a table, and as JSON."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from herokuify.doctor.findings import Finding, State

Paint = Callable[[str], str]

_NARROWEST = 40  # columns for the messages, even on a narrow terminal


def without_secrets(findings: Iterable[Finding], clean: Callable[[str], str]) -> list[Finding]:
    """Return the findings with each text passed through ``clean``."""
    return [
        replace(
            finding,
            subject=clean(finding.subject),
            message=clean(finding.message),
            hint=clean(finding.hint),
        )
        for finding in findings
    ]


def as_json(findings: Sequence[Finding]) -> str:
    """Return a list of objects: ``probe``, ``subject``, ``state``, ``message``, ``hint``."""
    return json.dumps(
        [
            {
                "probe": finding.probe,
                "subject": finding.subject,
                "state": finding.state.value,
                "message": finding.message,
                "hint": finding.hint,
            }
            for finding in findings
        ],
        indent=2,
        ensure_ascii=False,
    )


def as_table(findings: Sequence[Finding], width: int, paint: Mapping[State, Paint]) -> str:
    """Return a row for each finding, below its subject, with the hint below it.

    Probes of one subject that were skipped for the same reason share a row.
    """
    rows = [_cells(list(group)) for _, group in groupby(findings, key=_group_key)]
    probes = max([len("PROBE"), *(len(probe) for _, _, probe, _ in rows)])
    indent = " " * (len("  skipped  ") + probes + 2)
    lines = [f"  {'STATE':<7}  {'PROBE':<{probes}}  WHAT"]
    above = None
    for subject, state, probe, texts in rows:
        if subject != above:
            lines.append(subject)
            above = subject
        head = f"  {paint[state](f'{state.value:<7}')}  {probe:<{probes}}  "
        first, *more = _wrapped(texts, max(width - len(indent), _NARROWEST))
        lines += [head + first, *(indent + line for line in more)]
    return "\n".join([*lines, "", summary(findings)])


def summary(findings: Sequence[Finding]) -> str:
    """Return how many probes ended in which state."""
    counts = Counter(finding.state for finding in findings)
    return ", ".join(f"{counts[state]} {state.value}" for state in State)


def _group_key(finding: Finding) -> tuple[object, ...]:
    if finding.state is State.SKIPPED:
        return State.SKIPPED, finding.subject, finding.message
    return (id(finding),)


def _cells(group: Sequence[Finding]) -> tuple[str, State, str, list[str]]:
    first = group[0]
    if len(group) == 1:
        texts = [first.message] + ([f"→ {first.hint}"] if first.hint else [])
        return first.subject, first.state, first.probe, texts
    probes = ", ".join(finding.probe for finding in group)
    return first.subject, first.state, "…", [f"{first.message}: {probes}"]


def _wrapped(texts: Sequence[str], width: int) -> list[str]:
    """Wrap texts without breaking words, so that commands can be copied."""
    lines = []
    for text in texts:
        lines += textwrap.wrap(
            text,
            width,
            break_long_words=False,
            break_on_hyphens=False,
            subsequent_indent="  " if text.startswith("→") else "",
        )
    return lines or [""]
