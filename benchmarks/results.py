"""Raw figures on the disk, and their medians."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import statistics
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

#: case → figure → the median of its rounds
Medians = dict[str, dict[str, float]]
#: Measures a case: number of the round → records with figures.
Measure = Callable[[int], Iterable[dict[str, Any]]]


class Results:
    """The runs of a benchmark and their conditions, in a JSON file that each run updates.

    If a case is measured again, its earlier runs are replaced; those of other cases stay.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"runs": []}
        self._renewed: set[str] = set()

    def describe(self, **circumstances: Any) -> None:
        """Set the conditions of the following runs."""
        versions = {**self.data.get("versions", {}), **circumstances.pop("versions", {})}
        self.data |= {**circumstances, "versions": versions, "machine": machine()}

    def add(self, case: str, record: Mapping[str, Any]) -> None:
        """Add a run."""
        if case not in self._renewed:
            self._renewed.add(case)
            self.data["runs"] = [run for run in self.data["runs"] if run["case"] != case]
        today = dt.datetime.now(dt.timezone.utc).date().isoformat()
        self.data["runs"].append({"case": case, "date": today, **record})
        head = {key: value for key, value in self.data.items() if key != "runs"}
        runs = ",\n".join(f"  {json.dumps(run)}" for run in self.data["runs"])
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        new.write_text(f'{json.dumps(head, indent=1)[:-2]},\n "runs": [\n{runs}\n ]\n}}\n')
        new.replace(self.path)

    def medians(self) -> Medians:
        """Return the medians of cases that succeeded at least once; "failed" counts failures."""
        groups: dict[str, list[dict[str, Any]]] = {}
        for run in self.data["runs"]:
            groups.setdefault(run["case"], []).append(run)
        return {case: found for case, runs in groups.items() if (found := _median(runs))}


def _median(runs: list[dict[str, Any]]) -> dict[str, float]:
    good = [_flat(run) for run in runs if not run.get("exit")]
    if not good:
        return {}
    found = {
        key: statistics.median(run[key] for run in good if key in run)
        for key in dict.fromkeys(key for run in good for key in run)
    }
    wrong = sum(any(run.get(key) for key in ("missing", "wrong", "old_headers")) for run in runs)
    return {**found, "rounds": len(runs), "failed": len(runs) - len(good) + wrong}


def _flat(run: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a run: requests by kind, CPU time as a sum."""
    numbers = {key: value for key, value in run.items() if isinstance(value, int | float)}
    if "user" in run:
        numbers["cpu"] = run["user"] + run["system"]
    return {**numbers, **run.get("requests", {})}


def take_turns(
    results: Results, cases: Mapping[str, Measure], rounds: int, *, warm_up: bool = False
) -> None:
    """Measure each case in each round, starting with a different one, so that drift affects all.

    Records may name a different "case". With ``warm_up``, an additional first round is discarded.
    """
    names = list(cases)
    for number in range(-1 if warm_up else 0, rounds):
        shift = max(number, 0) % len(names)
        for name in names[shift:] + names[:shift]:
            for record in cases[name](number):
                if number >= 0:
                    case = record.get("case", name)
                    results.add(case, {**record, "case": case, "round": number})
                    print(f"{case} #{number}: {summary(record)}", flush=True)


def summary(record: Mapping[str, Any]) -> str:
    """Format a record as one line."""
    flat = {**record, **_flat(record)}
    skipped = {"case", "requests", "statuses", "user", "system"}
    return ", ".join(
        f"{key} {value:.6g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in flat.items()
        if key not in skipped and value not in ([], {}, "")
    )


def machine() -> dict[str, Any]:
    """Describe the machine, without its name."""
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
