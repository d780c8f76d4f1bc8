import gzip
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herokuify.collect.index import (
    INDEX_VERSION,
    DamagedIndexError,
    Entry,
    dump_index,
    parse_index,
)

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


@pytest.mark.parametrize("version", [1, INDEX_VERSION + 1, str(INDEX_VERSION), None])
def test_of_another_version_is_empty(version: Any) -> None:
    stored = json.dumps({"version": version}) + '\n{"a": ["e", "d", "f"]}\n'
    assert parse_index(gzip.compress(stored.encode())) == {}


def _nested(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(values) | st.dictionaries(st.text(), values)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [None],
        [1],
        ["index"],
        [[]],
        [{}],
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
def test_of_any_other_form_is_damaged(lines: list[Any]) -> None:
    stored = "".join(f"{json.dumps(line)}\n" for line in lines)
    with pytest.raises(DamagedIndexError):
        parse_index(gzip.compress(stored.encode()))


@pytest.mark.parametrize(
    "second",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": ["e", "d", ' + b"[" * 100_000,
        b'{"a": "edf"}',  # its letters would be taken for the fields
        b'{"a": {"e": 1, "d": 2, "f": 3}}',
        b'{"a": ["e", "d", "f", true]}',
        b'{"a": ["e", "d", "f", Infinity]}',
        b'{"a": ["e", "d", "f", ' + b"9" * 10_000 + b"]}",  # a number too long to be read
        b"\xff\xfe",
        b" " * 20_000_000,  # gzipped: 20 kB
    ],
    ids=range(10),
)
def test_of_any_depth_and_length_is_damaged(second: bytes) -> None:
    stored = gzip.compress(json.dumps(VERSION).encode() + b"\n" + second + b"\n")
    with pytest.raises(DamagedIndexError):
        parse_index(stored)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), _nested))
def test_of_any_json_is_an_index_or_damaged(document: Any) -> None:
    stored = "".join(f"{json.dumps(line)}\n" for line in (VERSION, document))
    try:
        entries = parse_index(gzip.compress(stored.encode()))
    except DamagedIndexError:
        return
    assert parse_index(dump_index(entries)) == entries


def test_of_many_objects_is_never_one_text() -> None:
    entries = {f"static/{n:05}.css": Entry(f"{n:032x}", f"{n:032x}", "f") for n in range(2500)}
    stored = dump_index(entries)
    assert parse_index(stored) == entries
    lengths = [len(line) for line in gzip.decompress(stored).splitlines()]
    assert len(lengths) == 4
    assert max(lengths) < sum(lengths) / 2


@pytest.mark.parametrize("cut", range(0, len(dump_index(ENTRIES)), 7))
def test_cut_short_is_damaged(cut: int) -> None:
    with pytest.raises(DamagedIndexError):
        parse_index(dump_index(ENTRIES)[:cut])


@pytest.mark.parametrize("position", range(0, len(dump_index(ENTRIES)), 7))
def test_with_a_wrong_byte_is_damaged_or_right(position: int) -> None:
    stored = bytearray(dump_index(ENTRIES))
    stored[position] ^= 0xFF
    with suppress(DamagedIndexError):
        assert parse_index(bytes(stored)) == ENTRIES  # gzip's own header may vary
