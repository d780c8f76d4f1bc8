"""The file objects that ``storage.open()`` returns."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, cast

from django.core.files.base import File

from herokuify.s3.reader import StoredObject, opened
from herokuify.s3.writer import Writer

READING = frozenset({"r", "rb", "rt"})
WRITING = frozenset({"w", "wb", "wt"})


class S3ReadFile(File):  # type: ignore[type-arg]  # not generic at run time
    """An object opened for reading: nothing is loaded but what is read, and a bit ahead."""

    def __init__(self, name: str, mode: str, find: Callable[[], tuple[StoredObject, bool]]) -> None:
        self._find = find
        self._start(mode)
        super().__init__(self.file, name)
        self.mode = mode

    def _start(self, mode: str) -> None:
        self._stored, is_packed = self._find()
        self.file, self._reader = opened(self._stored, mode, is_packed=is_packed)

    @property
    def size(self) -> int:
        """The object's length in bytes, as stored."""
        return self._stored.size

    def open(self, mode: str | None = None, *args: Any, **kwargs: Any) -> S3ReadFile:
        """Go to the start, or open the object anew when it was closed or for another mode."""
        mode = mode or self.mode
        if mode not in READING:
            raise ValueError(
                f"{self.name!r} was opened for reading and can't be opened in mode {mode!r}: "
                "open it with the storage's open()."
            )
        is_text = "b" not in mode
        if not self.closed and is_text == ("b" not in self.mode):
            self.seek(0)
        else:
            self.close()
            self._start(mode)
        self.mode = mode
        return self

    def close(self) -> None:
        """Let go of the connection."""
        super().close()
        self._reader.close()


class S3WriteFile(File):  # type: ignore[type-arg]  # not generic at run time
    """An object opened for writing: it appears, whole, when the file is closed.

    Takes text (as UTF-8) and bytes. A ``with`` block that raises leaves no object, nor does
    an interpreter that exits before.
    """

    def __init__(self, name: str, mode: str, writer: Writer) -> None:
        self._writer = writer
        super().__init__(cast(Any, writer), name)
        self.mode = mode

    def write(self, content: str | bytes) -> int:  # type: ignore[override]  # takes both
        """Add to the file; returns the number of bytes."""
        return self._writer.write(content.encode() if isinstance(content, str) else content)

    def writelines(self, lines: Any) -> None:
        """Add all of them to the file."""
        for line in lines:
            self.write(line)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._writer.length

    def close(self) -> None:
        """Store the object; a second close does nothing."""
        if not self.closed:
            self._writer.commit()

    def discard(self) -> None:
        """Close without storing anything."""
        self._writer.discard()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is None:
            self.close()
        else:
            self.discard()
