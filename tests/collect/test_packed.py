import sys
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herokuify.collect.index import Entries, Entry
from herokuify.collect.listing import Listed, Objects

pytestmark = pytest.mark.no_django

DIGESTS = st.one_of(
    st.binary(min_size=16, max_size=16).map(bytes.hex),
    st.binary(min_size=16, max_size=16).map(lambda digest: digest.hex().upper()),
    st.binary(min_size=16, max_size=16).map(lambda digest: f"{digest.hex()}-3"),
    st.binary(min_size=15, max_size=15).map(lambda digest: f" {digest.hex()} "),
    st.sampled_from(["", "0" * 31, "é" * 32]),
    st.text(),
)
TIMES = st.none() | st.integers()
RECORDS: dict[type, Any] = {
    Entries: st.builds(Entry, DIGESTS, DIGESTS, st.text(), TIMES, st.sampled_from(["", "*", "a"])),
    Objects: st.builds(Listed, DIGESTS, st.integers(), st.sampled_from(["2026", "2027"])),
}


@pytest.mark.parametrize("kind", RECORDS)
@given(data=st.data())
def test_behaves_as_a_dict(kind: Any, data: st.DataObject) -> None:
    records = data.draw(st.dictionaries(st.text(), RECORDS[kind]))
    packed = kind(records)
    assert dict(packed) == records
    assert packed == records == packed
    assert kind(packed) == packed
    assert (len(packed), bool(packed)) == (len(records), bool(records))
    for key in [*records, "absent"]:
        assert packed.get(key) == records.get(key)
        assert (key in packed) == (key in records)
    other = kind()
    for number, key in enumerate(records):
        other.take(key, packed if number % 2 else records)
    assert other == packed
    other.update({key: data.draw(RECORDS[kind]) for key in [*list(records)[:1], "another"]})
    merged = kind(packed)
    merged.take_all(other)
    assert merged == records | dict(other)
    for key in records:
        del packed[key]
    assert packed == {} != other


@pytest.mark.parametrize(
    ("kind", "record"),
    [
        (Entries, lambda digest: Entry(digest, digest[::-1], "f" * 16, 1_800_000_000, "0a1b2c3d")),
        (Objects, lambda digest: Listed(digest, int(digest[:8], 16), "2026-11-21T13:36:57Z")),
    ],
)
def test_is_small(kind: Any, record: Any) -> None:
    """A release may have 200,000 objects: a hundred bytes of each are 20 MB."""
    count = 5000
    keys = [str(number) for number in range(count)]
    tracemalloc.start()
    try:
        packed = kind()
        for number, key in enumerate(keys):
            packed[key] = record(f"{number:08x}" * 4)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # 36 or 28 bytes, their header of 33, and a place in a dict, which may be half empty.
    assert taken / count < sys.getsizeof(bytes(36)) + 90
