"""Keep many records in little memory: 200,000 objects must fit in a dyno with 512 MB."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Generic, TypeVar

RecordT = TypeVar("RecordT")
ValueT = TypeVar("ValueT")


class Packed(MutableMapping[str, RecordT]):
    """Records by key, stored as bytes, which need a fraction of the memory."""

    def __init__(self, records: Mapping[str, RecordT] | None = None) -> None:
        self._packed: dict[str, bytes | RecordT] = {}
        self.update(records or {})

    @staticmethod
    @abstractmethod
    def pack(record: Any) -> bytes | None:
        """Return the record as bytes; None for an unusual one, which is stored unchanged."""

    @staticmethod
    @abstractmethod
    def unpack(packed: bytes) -> Any:
        """Return the record."""

    def __getitem__(self, key: str) -> RecordT:
        found: Any = self._packed[key]
        record: RecordT = self.unpack(found) if type(found) is bytes else found
        return record

    def __setitem__(self, key: str, record: RecordT) -> None:
        packed = self.pack(record)
        self._packed[key] = record if packed is None else packed

    def __delitem__(self, key: str) -> None:
        del self._packed[key]

    def __contains__(self, key: object) -> bool:
        return key in self._packed

    def __iter__(self) -> Iterator[str]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)

    def __eq__(self, other: object) -> bool:
        if type(self) is type(other):
            return self._packed == other._packed
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]

    def get(self, key: str, default: Any = None) -> Any:
        """Return a record, or the default."""
        found: Any = self._packed.get(key, default)
        return self.unpack(found) if type(found) is bytes else found

    def take(self, key: str, records: Mapping[str, RecordT]) -> None:
        """Copy a record from another mapping; one of the same class shares its bytes."""
        if isinstance(records, type(self)):
            self._packed[key] = records._packed[key]  # noqa: SLF001  (its own class)
        else:
            self[key] = records[key]

    def take_all(self, records: Packed[RecordT]) -> None:
        """Copy all records from another mapping of the same class."""
        self._packed.update(records._packed)


class Shared(Generic[ValueT]):
    """Values that many records share, each represented by four bytes; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[ValueT, bytes] = {}
        self._values: list[ValueT] = []

    def number(self, value: ValueT) -> bytes:
        """Return the number of a value."""
        number = self._numbers.get(value)
        if number is not None:
            return number
        with self._lock:
            if value not in self._numbers:
                number = len(self._values).to_bytes(4, "big")
                self._values.append(value)
                self._numbers[value] = number
            return self._numbers[value]

    def value(self, number: bytes) -> ValueT:
        """Return the value with a number."""
        return self._values[int.from_bytes(number, "big")]


def digest_bytes(digits: str) -> bytes | None:
    """Return 32 lower-case hex digits as 16 bytes; None for any other text."""
    try:
        found = bytes.fromhex(digits)
    except ValueError:
        return None
    return found if len(found) == 16 and found.hex() == digits else None
