"""Turns raw figures into the tables and charts of docs/benchmarks.md."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, NamedTuple

from benchmarks.chart import bars
from benchmarks.contestants import CONTESTANTS, SCENARIOS, VARIANTS
from benchmarks.environments import ROOT
from benchmarks.goals import goals_table
from benchmarks.lab import PUBLISHED
from benchmarks.results import Results
from benchmarks.sets import SETS
from benchmarks.text import TITLES, number, replace_section, table

PAGE = ROOT / "docs" / "benchmarks.md"


class Column(NamedTuple):
    """A figure in a table: its heading, and what it is divided by."""

    figure: str
    title: str
    divisor: float = 1


_PEAK = Column("peak_bytes", "peak MB", 1e6)
#: benchmark → title, columns
_TABLES = {
    "urls": (
        "URLs",
        [
            Column("static_us", "µs, static"),
            Column("manifest_us", "µs, static with a manifest"),
            Column("signed_us", "µs, signed and new"),
            Column("pages_per_second", "pages of 50 of 50,000 images a second"),
        ],
    ),
    "puts": ("One small PUT", [Column("put_ms", "ms of CPU")]),
    "processes": ("Processes", [Column("cpu", "CPU s"), _PEAK]),
    "first-page": (
        "The first static page of a worker",
        [Column("first_ms", "ms"), Column("second_ms", "ms, the second one")],
    ),
    "silence": (
        "S3 is silent for 20 s",
        [
            Column("plain_pages", "pages without S3"),
            Column("plain_lost", "lost"),
            Column("plain_slowest", "slowest, s"),
            Column("stored_failed", "pages with S3 that failed"),
            Column("stored_slowest", "slowest, s"),
            Column("right_after", "s until the last wrong one"),
        ],
    ),
    "uploads": (
        "A large upload, and one thread",
        [
            Column("idle_p95_ms", "ms, p95 of pages, idle"),
            Column("others_p95_ms", "ms, p95 meanwhile"),
            Column("first_bytes", "MB, a process's first upload", 2**20),
            Column("grown_bytes", "MB that memory grows", 2**20),
            Column("received", "kB from the visitor", 1e3),
            Column("received_from_s3", "kB from S3", 1e3),
            Column("upload_s", "s, upload"),
            Column("claim_s", "s, the form's answer"),
        ],
    ),
    "media": (
        "Media",
        [
            Column("seconds", "s"),
            Column("peak_bytes", "MB of memory", 2**20),
            Column("request_count", "requests"),
            Column("moved", "MB moved", 1e6),
        ],
    ),
}


def write(options: argparse.Namespace) -> None:
    """Print the report or, to publish it, write it and its charts into docs/."""
    folder = PUBLISHED if options.publish else options.work / "results"
    found = {
        name: results
        for name in (*SETS, *_TABLES)
        if (results := Results(folder / f"{name}.json")).data["runs"]
    }
    sections = ["## Goals\n", goals_table(found)]
    for name, results in found.items():
        sections.append(_set(name, results) if name in SETS else _figures(name, results))
    if not options.publish:
        print("\n".join(sections))
        return
    replace_section(PAGE, "\n".join(sections))
    for name in found.keys() & SETS.keys():
        title = f"{_size(found[name].data, 'plain')}, {found[name].data['rtt_ms']:g} ms from S3"
        chart = bars(found[name].medians(), title)
        PAGE.with_name(f"benchmarks-{name}.svg").write_text(chart)
    print(f"Wrote {PAGE.relative_to(ROOT)}")


def _set(name: str, results: Results) -> str:
    data = results.data
    sizes = "; with hashed copies ".join(_size(data, one) for one in VARIANTS if one in data["set"])
    return "\n".join(
        [
            f"## The {name} set\n",
            f"{sizes}. {_circumstances(results)}\n",
            f"![Seconds of each contestant, the {name} set](benchmarks-{name}.svg)\n",
            "Seconds of the whole command; in brackets its CPU seconds:\n",
            _overview(results),
        ]
    )


def _overview(results: Results) -> str:
    medians = results.medians()
    # Another day may have been a faster one: its rows are to be compared with each other.
    measured = {run["case"].partition(" ")[0]: run["date"] for run in results.data["runs"]}
    newest = max(measured.values())
    columns = [
        f"{variant} {scenario}"
        for variant in VARIANTS
        for scenario in SCENARIOS
        if any(case.endswith(f" {variant} {scenario}") for case in medians)
    ]
    rows = []
    for name in CONTESTANTS:
        cells = [medians.get(f"{name} {column}") for column in columns]
        if any(cells):
            peak = max(cell["peak_bytes"] for cell in cells if cell) / 1e6
            day = "" if measured[name] == newest else f" ({measured[name]})"
            rows.append([TITLES[name] + day, *map(_cell, cells), f"{peak:.0f}"])
    text = table(["", *columns, "peak MB"], rows)
    if any(median["failed"] for median in medians.values()):
        text += "\n\\* failed in some round, or left the bucket wrong.\n"
    return text


def _cell(median: Mapping[str, float] | None) -> str:
    if not median:
        return ""
    return f"{'* ' if median['failed'] else ''}{number(median['wall'])} ({number(median['cpu'])})"


def _figures(name: str, results: Results) -> str:
    title, columns = _TABLES[name]
    rows = []
    for case, median in results.medians().items():
        who, _, what = case.partition(" ")
        cells = [
            number(median[column.figure] / column.divisor) if column.figure in median else ""
            for column in columns
        ]
        rows.append([f"{TITLES.get(who, who)} {what}".strip(), *cells])
    head = ["", *(column.title for column in columns)]
    return "\n".join([f"## {title}\n", f"{_circumstances(results)}\n", table(head, rows)])


def _size(data: dict[str, Any], variant: str) -> str:
    facts = data["set"].get(variant) or next(iter(data["set"].values()))
    return f"{facts['files']:,} files, {facts['bytes'] / 1e6:.1f} MB"


def _circumstances(results: Results) -> str:
    data = results.data
    here = data["machine"]
    dates = sorted({run["date"] for run in data["runs"]})
    rounds = sorted(median["rounds"] for median in results.medians().values())
    medians = f"Medians of {rounds[0]:g}" + (
        f" to {rounds[-1]:g}" if rounds[-1] > rounds[0] else ""
    )
    server = f"{data['server']} at {data['rtt_ms']:g} ms, " if "server" in data else ""
    releases = ", ".join(f"{name} {version}" for name, version in sorted(data["versions"].items()))
    return (
        f"{medians}, {' and '.join(dict.fromkeys((dates[0], dates[-1])))}; {server}"
        f"{here['cores']} cores of {here['processor']}, {here['memory_gb']} GB, {here['system']}, "
        f"Python {here['python']}; {releases}. Made by `{data['command']}`."
    )
