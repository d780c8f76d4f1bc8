"""Compare the figures with herokuify's goals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from benchmarks.contestants import SCENARIOS, VARIANTS
from benchmarks.results import Medians, Results
from benchmarks.text import number, table

_MB = 1e6
#: herokuify's own objects that change, too: the index, and the copy of the manifest.
_BOOKKEEPING = {"plain": 1, "manifest": 2}
#: Two medians of the same program differ by this much.
_NOISE = 1.05


class Goal(NamedTuple):
    """A limit for a figure; ``figure`` raises KeyError if it was not measured."""

    title: str
    results: str  # the benchmark's or the set's name
    figure: Callable[[Medians], float]
    limit: float
    unit: str
    at_least: bool = False

    def row(self, medians: Medians) -> list[str] | None:
        """Return a row of the table, or None if the figure was not measured."""
        try:
            value = self.figure(medians)
        except KeyError:
            return None
        met = value >= self.limit if self.at_least else value <= self.limit
        sign = "≥" if self.at_least else "≤"
        wanted = f"{sign} {self.limit:g} {self.unit}".strip()
        reached = f"{number(value)} {self.unit}" if self.unit else f"{value:g}"
        return [self.title, wanted, reached, "✓" if met else "✗"]


def goals_table(found: dict[str, Results]) -> str:
    """Return the table of goals and results."""
    medians = {name: results.medians() for name, results in found.items()}
    rows = [
        row
        for goal in _goals(found)
        if goal.results in medians and (row := goal.row(medians[goal.results]))
    ]
    return table(["goal", "limit", "measured", "met"], rows)


def _ratio(
    title: str, results: str, cases: tuple[str, str], figure: str = "wall", limit: float = 1.0
) -> Goal:
    mine, theirs = cases

    def value(medians: Medians) -> float:
        return medians[mine][figure] / medians[theirs][figure]

    return Goal(title, results, value, limit, "×")


def _goals(found: dict[str, Results]) -> Iterator[Goal]:
    yield from _deploys(found)
    # The goal was 0.35 ms on a machine where boto3 took 1.1 ms.
    yield _ratio(
        "CPU time of a PUT of 8 kB, compared with boto3",
        "puts",
        ("herokuify", "boto3"),
        "put_ms",
        0.32,
    )
    for name, files, peak in (("large", "20,000", 150), ("huge", "100,000", 250)):
        yield Goal(
            f"peak memory of collectstatic with {files} files and their hashed copies",
            name,
            lambda medians: max(_ours(medians, "peak_bytes")) / _MB,
            peak,
            "MB",
        )
    pairs = (("herokuify", "local"), ("herokuify", "django-storages"))
    yield _ratio("static URL, compared with Django", "urls", pairs[0], "static_us", 1.5)
    yield _ratio(
        "static URL with a manifest, compared with Django", "urls", pairs[0], "manifest_us", 1.5
    )
    yield Goal(
        "S3 clients and sockets created by static URLs",
        "urls",
        lambda medians: medians["herokuify"]["clients"] + medians["herokuify"]["sockets"],
        0,
        "",
    )
    yield _ratio(
        "new signed URL, compared with django-storages", "urls", pairs[1], "signed_us", 0.25
    )
    yield _ratio(
        "page of 50 of 50,000 images, compared with django-storages",
        "urls",
        pairs[1][::-1],  # pages a second, not seconds a page
        "pages_per_second",
        1.0,
    )
    for title, figure, unit, limit in (
        ("memory", "peak_bytes", "MB", 4.0),
        ("CPU time", "cpu", "s", 0.04),
    ):
        yield Goal(
            f"{title} of a process that renders a static and a media URL, beyond Django's",
            "processes",
            _beyond(figure, _MB if unit == "MB" else 1),
            limit,
            unit,
        )
    yield _ratio(
        "first page of a worker, compared with Django's local storage",
        "first-page",
        pairs[0],
        "first_ms",
        1.2,
    )
    yield Goal(
        "lost requests for a page that doesn't need S3, while S3 doesn't respond",
        "silence",
        lambda medians: medians["herokuify"]["plain_lost"],
        0,
        "",
    )
    yield from _media()
    yield from _uploads()


def _deploys(found: dict[str, Results]) -> Iterator[Goal]:
    for variant in VARIANTS:
        ours = f"herokuify {variant} first"
        yield _ratio(
            f"first {variant} deploy, compared with `s5cmd sync`",
            "medium",
            (ours, f"s5cmd {variant} first"),
            limit=0.8,
        )
    yield _ratio(
        "first manifest deploy, compared with django-storages",
        "medium",
        ("herokuify manifest first", "django-storages manifest first"),
        limit=0.025,
    )
    yield _ratio(
        "unchanged manifest deploy, compared with Django's local storage",
        "medium",
        ("herokuify manifest unchanged", "local manifest unchanged"),
    )
    for variant in VARIANTS:
        for scenario in SCENARIOS:
            cases = (f"herokuify {variant} {scenario}", f"before {variant} {scenario}")
            title = f"{scenario} {variant} deploy, compared with an older herokuify"
            yield _ratio(title, "medium", cases, limit=_NOISE)
    for variant, more in _BOOKKEEPING.items():
        sets = found["medium"].data["set"] if "medium" in found else {}
        changed = sets.get(variant, {}).get("changed", 0) + more
        yield Goal(
            f"PUTs of a changed {variant} deploy, {changed} objects differ",
            "medium",
            lambda medians, variant=variant: medians[f"herokuify {variant} changed"]["PUT"],  # type: ignore[misc]
            changed,
            "",
        )
    yield Goal(
        "GET requests of an unchanged deploy",
        "medium",
        lambda medians: max(_ours(medians, "GET", "unchanged")),
        2,
        "",
    )


def _media() -> Iterator[Goal]:
    name = "media"
    yield Goal(
        "requests per save", name, lambda m: m["herokuify save 1 MB"]["request_count"], 1, ""
    )
    yield Goal(
        "data transferred by `read(3)` of a file of 64 MB",
        name,
        lambda m: m["herokuify read3 64 MB"]["moved"] / 1e3,
        300,
        "kB",
    )
    for task, other in (("save", "s5cmd"), ("read", "curl")):
        case = f"{task} 1024 MB"
        yield Goal(
            f"memory to {case}",
            name,
            lambda m, case=case: m[f"herokuify {case}"]["peak_bytes"] / 2**20,  # type: ignore[misc]
            64,
            "MB",
        )
        pair = (f"herokuify {case}", f"{other} {case}")
        yield _ratio(f"{case}, compared with {other}", name, pair, "seconds", 1.11)


def _uploads() -> Iterator[Goal]:
    name, case = "uploads", "direct 200 MB"
    yield Goal(
        "page time (p95) during a 200 MB upload, compared with an idle dyno",
        name,
        lambda m: m[case]["others_p95_ms"] / m[case]["idle_p95_ms"],
        2,
        "×",
    )
    for title, figure, divisor, limit, unit in (
        ("growth of the dyno's memory", "grown_bytes", 2**20, 10, "MB"),
        ("data that the dyno receives from the visitor", "received", 1e3, 20, "kB"),
    ):
        yield Goal(
            f"{title}, 200 MB upload",
            name,
            lambda m, figure=figure, divisor=divisor: m[case][figure] / divisor,  # type: ignore[misc]
            limit,
            unit,
        )
    yield Goal(
        "response to the form, 1 GB upload", name, lambda m: m["direct 1024 MB"]["claim_s"], 10, "s"
    )


def _beyond(figure: str, unit: float) -> Callable[[Medians], float]:
    return lambda medians: (
        (medians["herokuify both"][figure] - medians["local both"][figure]) / unit
    )


def _ours(medians: Medians, figure: str, scenario: str = "") -> list[float]:
    """Return a figure of all our deploys, or of those of one scenario."""
    found = [
        median.get(figure, 0.0)
        for case, median in medians.items()
        if case.startswith("herokuify ") and case.endswith(scenario)
    ]
    if not found:
        raise KeyError(figure)
    return found
