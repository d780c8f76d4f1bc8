"""The tables of ``benchmarks/media.py``, and whether its goals are met."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from benchmarks.media_probe import BACKENDS
from benchmarks.text import table

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Cost:
    """What one task took: seconds, bytes of memory beyond an idle process's, bytes moved."""

    seconds: float
    memory: float
    moved: float | None = None


def goals(found: dict[tuple[str, str, int], Cost], sizes: list[int]) -> list[tuple[str, str, bool]]:
    """What was promised, what was measured, and whether that is enough."""
    largest = max(sizes)
    rows = []
    if 64 in sizes:
        count = found["herokuify", "read3", 64].moved or 0
        rows.append(("`read(3)` of 64 MB moves ≤ 300 kB", f"{count / 1000:.0f} kB", count <= 3e5))
    for task in ("read", "save"):
        memory = found["herokuify", task, largest].memory / MEGABYTE
        rows.append((f"{task} of {largest} MB: memory ≤ 64 MB", f"{memory:.0f} MB", memory <= 64))
    for task, pace in (("save", "s5cmd"), ("read", "curl")):
        ratio = found[pace, task, largest].seconds / found["herokuify", task, largest].seconds
        rows.append((f"{task} of {largest} MB: ≥ 0.9 × {pace}", f"{ratio:.2f} ×", ratio >= 0.9))
    return rows


def report(
    found: dict[tuple[str, str, int], Cost], options: argparse.Namespace, about: str
) -> tuple[str, bool]:
    """The section of the page, and whether all goals are met."""
    rows = []
    for size in options.sizes:
        for task in ("read3", "read", "save"):
            for who in (*BACKENDS, "s5cmd", "curl"):
                cost = found.get((who, task, size))
                if cost is not None:
                    count = "" if cost.moved is None else f"{cost.moved / 1e6:.3f}"
                    memory = f"{cost.memory / MEGABYTE:.0f}"
                    speed = "" if task == "read3" else f"{size / cost.seconds:.0f}"
                    name = f"**{who}**" if who == "herokuify" else who
                    what = "`read(3)`" if task == "read3" else task
                    rows.append([f"{what}, {size} MB", name, count, memory, speed])
    judged = goals(found, options.sizes)
    section = "\n".join(
        [
            about,
            "",
            table(["task", "by", "MB moved", "MB of memory", "MB/s"], rows),
            table(
                ["goal", "measured", ""],
                [[goal, figure, "met" if is_met else "missed"] for goal, figure, is_met in judged],
            ),
        ]
    )
    return section, all(is_met for _, _, is_met in judged)
