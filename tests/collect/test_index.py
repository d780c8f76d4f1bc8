import gzip
import json
from typing import Any

import pytest

from herokuify.collect.index import INDEX_VERSION, Entry, dump_index, parse_index

pytestmark = pytest.mark.no_django

VERSION = {"version": INDEX_VERSION}
ENTRIES = {
    "static/a.css": Entry("e1", "d1", "f1"),
    'static/ü "b".css': Entry("e2-3", "d2", "f2", 1_800_000_000),
}


def test_round_trip() -> None:
    assert parse_index(dump_index(ENTRIES)) == ENTRIES
    assert parse_index(dump_index({})) == {}


def test_is_the_same_for_the_same_entries() -> None:
    backwards = dict(reversed(ENTRIES.items()))
    assert dump_index(backwards) == dump_index(ENTRIES)
    assert dump_index(ENTRIES)[4:8] == b"\0\0\0\0"  # no time


def test_is_small() -> None:
    entries = {
        f"static/some/folder/file-{n}.0123456789ab.css": Entry("0" * 32, "1" * 32, "2" * 16)
        for n in range(1000)
    }
    assert len(dump_index(entries)) < 20_000


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [None],
        [1],
        ["index"],
        [[]],
        [{}],
        [{"version": 1, "objects": {"a": ["e", "d", "f"]}}],
        [{"version": INDEX_VERSION + 1}, {"a": ["e", "d", "f"]}],
        [{"version": str(INDEX_VERSION)}, {"a": ["e", "d", "f"]}],
        [{"a": ["e", "d", "f"]}],
        [VERSION, ["a"]],
        [VERSION, {"a": None}],
        [VERSION, {"a": []}],
        [VERSION, {"a": ["e", "d"]}],
        [VERSION, {"a": ["e", "d", "f", 1, 2]}],
        [VERSION, {"a": ["e", "d", "f", "yesterday"]}],
        [VERSION, {"a": ["e", "d", "f", 1.5]}],
        [VERSION, {"a": [1, "d", "f"]}],
        [VERSION, {"a": ["e", None, "f"]}],
        [VERSION, {"a": ["e", "d", "f"]}, {"b": None}],
    ],
)
def test_of_any_other_form_is_empty(lines: list[Any]) -> None:
    stored = "".join(f"{json.dumps(line)}\n" for line in lines)
    assert parse_index(gzip.compress(stored.encode())) == {}


def test_of_many_objects_is_never_one_text() -> None:
    entries = {f"static/{n:05}.css": Entry(f"{n:032x}", f"{n:032x}", "f") for n in range(2500)}
    stored = dump_index(entries)
    assert parse_index(stored) == entries
    lengths = [len(line) for line in gzip.decompress(stored).splitlines()]
    assert len(lengths) == 4
    assert max(lengths) < sum(lengths) / 2


@pytest.mark.parametrize("cut", range(0, len(dump_index(ENTRIES)), 7))
def test_cut_short_is_empty(cut: int) -> None:
    stored = dump_index(ENTRIES)
    assert parse_index(stored[:cut]) == {}


@pytest.mark.parametrize("position", range(0, len(dump_index(ENTRIES)), 7))
def test_with_a_wrong_byte_is_empty_or_right(position: int) -> None:
    stored = bytearray(dump_index(ENTRIES))
    stored[position] ^= 0xFF
    assert parse_index(bytes(stored)) in ({}, ENTRIES)  # gzip's own header may vary
