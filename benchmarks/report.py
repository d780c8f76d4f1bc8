"""Turn raw figures into the tables and charts of docs/benchmarks.md."""

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
_TASKS = {
    "nothing": "no URL",
    "static": "a static URL",
    "media": "a media URL",
    "both": "both URLs",
}


class Column(NamedTuple):
    """A figure in a table: its heading, and what it is divided by."""

    figure: str
    title: str
    divisor: float = 1


#: benchmark → title, columns
_TABLES = {
    "urls": (
        "URLs",
        [
            Column("static_us", "static URL (µs)"),
            Column("manifest_us", "static URL with a manifest (µs)"),
            Column("signed_us", "new signed URL (µs)"),
            Column("pages_per_second", "pages of 50 images per second"),
        ],
    ),
    "puts": ("A small PUT", [Column("put_ms", "CPU time (ms)")]),
    "processes": (
        "Starting a process",
        [Column("cpu", "CPU time (s)"), Column("peak_bytes", "peak memory (MB)", 1e6)],
    ),
    "first-page": (
        "The first page of a worker",
        [Column("first_ms", "first page (ms)"), Column("second_ms", "second page (ms)")],
    ),
    "silence": (
        "S3 doesn't respond for 20 s",
        [
            Column("plain_pages", "page that doesn't need S3: requests"),
            Column("plain_lost", "page that doesn't need S3: lost requests"),
            Column("plain_slowest", "page that doesn't need S3: slowest (s)"),
            Column("stored_failed", "page that needs S3: failed requests"),
            Column("stored_slowest", "page that needs S3: slowest (s)"),
            Column("right_after", "page that needs S3: last failure after S3 is back (s)"),
        ],
    ),
    "uploads": (
        "A large upload",
        [
            Column("idle_p95_ms", "page time, p95, idle (ms)"),
            Column("others_p95_ms", "page time, p95, during the upload (ms)"),
            Column("first_bytes", "memory growth, first upload (MB)", 2**20),
            Column("grown_bytes", "memory growth, upload after it (MB)", 2**20),
            Column("received", "received from the visitor (kB)", 1e3),
            Column("received_from_s3", "received from S3 (kB)", 1e3),
            Column("upload_s", "upload (s)"),
            Column("claim_s", "response to the form (s)"),
        ],
    ),
    "media": (
        "Media",
        [
            Column("seconds", "time (s)"),
            Column("peak_bytes", "memory (MB)", 2**20),
            Column("request_count", "requests"),
            Column("moved", "data transferred (MB)", 1e6),
        ],
    ),
}


def write(options: argparse.Namespace) -> None:
    """Print the report; with ``--publish``, write it and its charts to docs/."""
    folder = PUBLISHED if options.publish else options.work / "results"
    found = {
        name: results
        for name in (*SETS, *_TABLES)
        if (results := Results(folder / f"{name}.json")).data["runs"]
    }
    sections = ["## Goals\n", goals_table(found)]
    for name, results in found.items():
        sections.append(_set(name, results) if name in SETS else _figures(name, results))
    sections.append(_conditions(found))
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
            f"## Deploys of the {name} set\n",
            f"{sizes}.\n",
            f"![Seconds per deploy of the {name} set](benchmarks-{name}.svg)\n",
            "Seconds per deploy:\n",
            _overview(results),
        ]
    )


def _overview(results: Results) -> str:
    medians = results.medians()
    # The machine's speed differs from day to day: compare only rows of the same day.
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
    text = table(["", *columns, "peak memory (MB)"], rows)
    if any(median["failed"] for median in medians.values()):
        text += "\n\\* Failed in at least one round, or left wrong files in the bucket.\n"
    return text


def _cell(median: Mapping[str, float] | None) -> str:
    if not median:
        return ""
    return f"{'* ' if median['failed'] else ''}{number(median['wall'])}"


def _figures(name: str, results: Results) -> str:
    title, columns = _TABLES[name]
    rows = []
    for case, median in results.medians().items():
        who, _, what = case.partition(" ")
        cells = [
            number(median[column.figure] / column.divisor) if column.figure in median else ""
            for column in columns
        ]
        label = TITLES.get(who, who)
        rows.append([f"{label}, {_TASKS.get(what, what)}" if what else label, *cells])
    lines = [["", *(column.title for column in columns)], *rows]
    if len(columns) > len(rows):  # a long table is easier to read than a wide one
        lines = [list(line) for line in zip(*lines, strict=True)]
    return "\n".join([f"## {title}\n", table(lines[0], lines[1:])])


def _size(data: dict[str, Any], variant: str) -> str:
    facts = data["set"].get(variant) or next(iter(data["set"].values()))
    return f"{facts['files']:,} files, {facts['bytes'] / 1e6:.1f} MB"


def _conditions(found: Mapping[str, Results]) -> str:
    """Return what all figures have in common, and a table of what they haven't."""
    machines, servers, releases, rows = [], [], [], []
    for results in found.values():
        data, here = results.data, results.data["machine"]
        machines.append(
            f"{here['cores']} cores of {here['processor']}, {here['memory_gb']} GB, "
            f"{here['system']}, Python {here['python']}"
        )
        if "server" in data:
            servers.append(f"{data['server']}, {data['rtt_ms']:g} ms away")
        releases += [f"{package} {version}" for package, version in data["versions"].items()]
        dates = sorted({run["date"] for run in data["runs"]})
        rounds = sorted(median["rounds"] for median in results.medians().values())
        rows.append(
            [
                f"`{data['command']}`",
                " to ".join(dict.fromkeys(f"{one:g}" for one in (rounds[0], rounds[-1]))),
                ", ".join(dates),
            ]
        )
    common = (machines, servers, sorted(releases, key=str.lower))
    text = "; ".join(", ".join(dict.fromkeys(one)) for one in common if one)
    head = ["command", "rounds", "dates"]
    return "\n".join(["## Conditions\n", f"{text}.\n", table(head, rows)])
