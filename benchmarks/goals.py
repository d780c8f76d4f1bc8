"""Holds the figures against the goals that herokuify has set itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from benchmarks.contestants import SCENARIOS, VARIANTS
from benchmarks.results import Key, Median, Results
from benchmarks.text import TITLES, seconds, table

OURS = ("herokuify-crt", "herokuify")
_PEAK = 150e6  # bytes
#: Objects of its own that change with the others: the index; the manifest under its own hash.
_BOOKKEEPING = {"plain": 1, "manifest": 2}
_LISTING = 2  # requests of an unchanged redeploy besides the listing's pages


class Figure(NamedTuple):
    """What was reached: as text, and whether it is good enough."""

    text: str
    reached: bool


class _Ratio(NamedTuple):
    """A deploy of ours may take so many times as long as another's, or must be faster."""

    title: str
    ours: tuple[str, str]  # variant, scenario
    other: str  # contestant
    limit: float
    faster: bool = False

    def figure(self, medians: dict[Key, Median], contestant: str) -> Figure | None:
        mine = medians.get(Key(contestant, *self.ours))
        theirs = medians.get(Key(self.other, *self.ours))
        if not (mine and theirs):
            return None
        if self.faster:
            ratio = theirs.wall / mine.wall
            return Figure(f"{ratio:.0f} ×", ratio >= self.limit)
        ratio = mine.wall / theirs.wall
        return Figure(f"{ratio:.2f} ×", ratio <= self.limit)


_RATIOS = (
    _Ratio("manifest, first: ≤ 1.0 × `s5cmd sync`", ("manifest", "first"), "s5cmd", 1.0),
    _Ratio(
        "manifest, first: ≥ 40 × faster than django-storages",
        ("manifest", "first"),
        "django-storages",
        40,
        faster=True,
    ),
    _Ratio("plain, first: ≤ 1.0 × `s5cmd sync`", ("plain", "first"), "s5cmd", 1.0),
    _Ratio(
        "manifest, unchanged: ≤ 1.0 × Django's local one, all in place",
        ("manifest", "unchanged"),
        "local",
        1.0,
    ),
    _Ratio(
        "plain, unchanged: ≤ 1.5 × Django's local one, all in place",
        ("plain", "unchanged"),
        "local",
        1.5,
    ),
)


#: By name, the results of a set, those that count most first.
Sets = dict[str, list[Results]]


def goals_table(sets: Sets) -> str:
    """The goals, and what each way to upload has reached on the medium set.

    Each ratio is of one run: the first one that has both sides of it.
    """
    runs = [results.medians() for results in sets["medium"]]
    rows = []
    for title, figure in _figures(sets):
        cells = [
            next(filter(None, (figure(medians, contestant) for medians in runs)), None)
            for contestant in OURS
        ]
        if any(cells):
            rows.append(
                [title, *(f"{c.text} {'✓' if c.reached else '✗'}" if c else "" for c in cells)]
            )
    return table(["goal", *(TITLES[contestant] for contestant in OURS)], rows)


_FigureOf = Callable[[dict[Key, Median], str], "Figure | None"]


def _figures(sets: Sets) -> Iterator[tuple[str, _FigureOf]]:
    for ratio in _RATIOS:
        yield ratio.title, ratio.figure
    for variant, more in _BOOKKEEPING.items():
        puts = len(sets["medium"][0].data["set"][variant]["changed"]) + more
        yield (
            f"{variant}, changed: one PUT for each of {puts} changed objects",
            _puts(variant, puts),
        )
    yield "unchanged: requests besides the listing's pages ≤ 2", _requests
    yield "peak memory of any deploy ≤ 150 MB", _peak
    if "large" in sets:
        for variant in VARIANTS:
            for scenario in SCENARIOS[:2]:
                yield (
                    f"{variant}, {scenario}: large against medium grows no faster than linearly",
                    _growth(sets, variant, scenario),
                )


def _puts(variant: str, limit: int) -> _FigureOf:
    def figure(medians: dict[Key, Median], contestant: str) -> Figure | None:
        median = medians.get(Key(contestant, variant, "changed"))
        if not median:
            return None
        puts = median.requests.get("PUT", 0)
        return Figure(f"{puts:.0f}", puts <= limit)

    return figure


def _requests(medians: dict[Key, Median], contestant: str) -> Figure | None:
    found = [
        sum(median.requests.values()) - median.requests.get("LIST", 0)
        for variant in VARIANTS
        if (median := medians.get(Key(contestant, variant, "unchanged")))
    ]
    return Figure(f"{max(found):.0f}", max(found) <= _LISTING) if found else None


def _peak(medians: dict[Key, Median], contestant: str) -> Figure | None:
    found = [median.peak_bytes for key, median in medians.items() if key.contestant == contestant]
    return Figure(f"{max(found) / 1e6:.0f} MB", max(found) <= _PEAK) if found else None


def _growth(sets: Sets, variant: str, scenario: str) -> _FigureOf:
    medium, large = (sets[name][0].data["set"][variant]["files"] for name in ("medium", "large"))
    times = large / medium
    medians = sets["large"][0].medians()

    def figure(of_medium: dict[Key, Median], contestant: str) -> Figure | None:
        key = Key(contestant, variant, scenario)
        if key not in medians or key not in of_medium:
            return None
        ratio = medians[key].wall / of_medium[key].wall
        return Figure(f"{ratio:.1f} × for {times:.1f} × the files", ratio <= times)

    return figure


def growth_table(sets: Sets) -> str:
    """Seconds of the first and the unchanged deploy by the number of files."""
    by_set = {
        name: {key: median for one in reversed(runs) for key, median in one.medians().items()}
        for name, runs in sets.items()
    }
    columns = [
        (variant, scenario, name)
        for variant in VARIANTS
        for scenario in SCENARIOS[:2]
        for name in sets
    ]
    head = [
        "",
        *(
            f"{variant}: {scenario}, {sets[name][0].data['set']['plain']['files']:,} files"
            for variant, scenario, name in columns
        ),
    ]
    rows = []
    for contestant, title in TITLES.items():
        cells = [
            by_set[name].get(Key(contestant, variant, scenario))
            for variant, scenario, name in columns
        ]
        if any(cells):
            rows.append([title, *(seconds(cell.wall) if cell else "" for cell in cells)])
    return table(head, rows)
