"""Raw figures on the disk, and the medians of them."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple


class Key(NamedTuple):
    """What the rounds of one measurement have in common."""

    contestant: str
    variant: str
    scenario: str


@dataclass(frozen=True)
class Median:
    """Medians of one measurement's rounds; ``None`` in a run that failed."""

    rounds: int
    failed: int
    wall: float
    fastest: float
    slowest: float
    cpu: float
    peak_bytes: float
    requests: dict[str, float]
    bytes_sent: float
    bytes_received: float
    most_connections: float
    faults: list[str]

    @classmethod
    def of(cls, runs: list[dict[str, Any]]) -> Median | None:
        """Return the medians of the runs that succeeded; None without one."""
        good = [run for run in runs if run["exit"] == 0]
        if not good:
            return None
        walls = [run["wall"] for run in good]
        kinds = sorted({kind for run in good for kind in run["requests"]})
        return cls(
            rounds=len(good),
            failed=len(runs) - len(good),
            wall=statistics.median(walls),
            fastest=min(walls),
            slowest=max(walls),
            cpu=statistics.median(run["user"] + run["system"] for run in good),
            peak_bytes=statistics.median(run["peak_bytes"] for run in good),
            requests={
                kind: statistics.median(run["requests"].get(kind, 0) for run in good)
                for kind in kinds
            },
            bytes_sent=statistics.median(run["bytes_sent"] for run in good),
            bytes_received=statistics.median(run["bytes_received"] for run in good),
            most_connections=statistics.median(run["most_connections"] for run in good),
            faults=sorted({fault for run in good for fault in _faults(run)}),
        )


class Results:
    """One set's runs and the circumstances, in one JSON file; written after each run."""

    def __init__(self, path: Path, data: dict[str, Any]) -> None:
        self.path = path
        self.data = data

    @classmethod
    def new(cls, name: str, folder: Path, circumstances: dict[str, Any]) -> Results:
        """Begin a file named ``<date>-<set>.json``, or ``<date>-<set>-2.json`` and so on."""
        today = dt.datetime.now(dt.timezone.utc).date().isoformat()
        folder.mkdir(parents=True, exist_ok=True)
        path, number = folder / f"{today}-{name}.json", 1
        while path.exists():
            number += 1
            path = folder / f"{today}-{name}-{number}.json"
        results = cls(path, {"name": name, "date": today, **circumstances, "runs": []})
        results._write()
        return results

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read a file back."""
        return cls(path, json.loads(path.read_text()))

    def add(self, record: dict[str, Any]) -> None:
        """Keep one run."""
        self.data["runs"].append(record)
        self._write()

    def _write(self) -> None:
        new = self.path.with_suffix(".new")
        runs = ",\n".join(f"  {json.dumps(run)}" for run in self.data["runs"])
        head = json.dumps(
            {key: value for key, value in self.data.items() if key != "runs"}, indent=1
        )
        new.write_text(f'{head[:-2]},\n "runs": [\n{runs}\n ]\n}}\n')
        new.replace(self.path)

    def medians(self) -> dict[Key, Median]:
        """Return the medians of everything that succeeded at least once."""
        groups: dict[Key, list[dict[str, Any]]] = {}
        for run in self.data["runs"]:
            key = Key(run["contestant"], run["variant"], run["scenario"])
            groups.setdefault(key, []).append(run)
        medians = {key: Median.of(runs) for key, runs in groups.items()}
        return {key: median for key, median in medians.items() if median}


def machine() -> dict[str, Any]:
    """Describe the machine without naming it."""
    model = _first(Path("/proc/cpuinfo"), "model name") or platform.processor()
    memory = _first(Path("/proc/meminfo"), "MemTotal")
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gb": round(int(memory.split()[0]) / 1e6) if memory else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _first(path: Path, field: str) -> str:
    if not path.is_file():
        return ""
    lines = (line.partition(":") for line in path.read_text().splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == field), "")


def _faults(run: dict[str, Any]) -> Iterable[str]:
    if run.get("missing_count"):
        yield "objects missing"
    if run.get("wrong_count"):
        yield "objects wrong"
    if run.get("old_headers"):
        yield "headers not applied"
