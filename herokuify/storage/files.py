"""The file objects that ``storage.open()`` returns."""

from __future__ import annotations

import io
import sys
from types import FrameType, TracebackType
from typing import Any, Protocol, cast

from django.core.files.base import File

from herokuify.s3.reader import ObjectFile, StoredObject, opened
from herokuify.s3.writer import Writer

#: Of a ``with`` block: its ``__exit__``, a field's ``close()``, and the file's.
_DEPTH = 4


def check_mode(mode: str) -> None:
    """Raise ValueError for a mode that Python's open() refuses."""
    is_valid = (
        len(set(mode)) == len(mode)
        and set(mode) <= set("rwaxbt+")
        and len(set(mode) & set("rwax")) == 1
        and not {"b", "t"} <= set(mode)
    )
    if not is_valid:
        raise ValueError(f"invalid mode: {mode!r}")


class Opener(Protocol):
    """What a file needs of its storage."""

    def find(self, name: str) -> StoredObject:
        """Return an object; raises FileNotFoundError."""

    def writer_for(self, name: str, mode: str) -> Writer:
        """Return what a file is written to."""


class S3File(File):  # type: ignore[type-arg]  # not generic at run time
    """An object opened as a file of Python's; what was written appears, whole, at ``close()``.

    For reading, nothing is loaded but what is read, and a bit ahead. For writing there is a
    working copy: it can seek, and takes text (as UTF-8) and bytes. A ``with`` block that
    raises leaves the object as it was, and so does an interpreter that exits before.
    """

    def __init__(self, storage: Opener, name: str, mode: str) -> None:
        check_mode(mode)
        self._storage = storage
        self.name = name
        super().__init__(self._opened(mode), name)
        self.mode = mode

    def _opened(self, mode: str, **text: Any) -> Any:
        self._raw = self._start(mode)
        self._text: io.TextIOWrapper | None = None
        if "b" in mode:
            return self._raw
        options = {"encoding": "utf-8", "write_through": True, **text}
        self._text = io.TextIOWrapper(cast(Any, self._raw), **options)
        return self._text

    def _start(self, mode: str) -> Writer | ObjectFile:
        """What reads or writes the bytes."""
        name = cast(str, self.name)
        if "r" in mode and "+" not in mode:
            return opened(self._storage.find(name))
        if "x" in mode and self._is_there():
            raise FileExistsError(f"File exists: {name}")
        writer = self._storage.writer_for(name, mode)
        if not {"r", "a"}.isdisjoint(mode):
            try:
                with opened(self._storage.find(name)) as source:
                    writer.load(source)
            except BaseException as error:
                if "r" in mode or not isinstance(error, FileNotFoundError):
                    writer.discard()
                    raise
        return writer

    def _is_there(self) -> bool:
        try:
            self._storage.find(cast(str, self.name))
        except FileNotFoundError:
            return False
        return True

    def open(self, mode: str | None = None, **text: Any) -> S3File:  # type: ignore[override]
        """Go to the start, or open the object anew when this was closed: as Django's File does.

        An open file keeps its mode. ``text`` is what ``io.TextIOWrapper`` takes.
        """
        if not self.closed:
            self.seek(0)
            return self
        mode = mode or self.mode
        check_mode(mode)
        try:
            if "r" not in mode:
                self._storage.find(cast(str, self.name))
            self.file = self._opened(mode, **text)
        except FileNotFoundError as error:
            raise ValueError("The file cannot be reopened.") from error
        return self

    @property
    def size(self) -> int:
        """The content's length in bytes, what was written included."""
        return int(self._raw.length)

    def write(self, content: Any) -> int:
        """Write text or bytes; returns how many characters, or bytes."""
        if isinstance(self._raw, ObjectFile):
            return int(cast(Any, self.file).write(content))
        if self._text is None:
            return self._raw.write(content.encode() if isinstance(content, str) else content)
        if isinstance(content, str):
            return self._text.write(content)
        self._text.flush()
        return self._raw.write(content)

    def writelines(self, lines: Any) -> None:
        """Write all of them."""
        cast(Any, self.file).writelines(())  # what refuses to write refuses nothing, too
        for line in lines:
            self.write(line)

    def close(self) -> None:
        """Store what was written; a second close does nothing."""
        if self.closed:
            return
        if isinstance(self._raw, ObjectFile):
            self._raw.close()
        elif _is_failing(sys._getframe(1)):  # noqa: SLF001
            self.discard()
        else:
            self._raw.commit()

    def discard(self) -> None:
        """Close without storing anything."""
        if isinstance(self._raw, Writer):
            self._raw.discard()
        self._raw.close()

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


def _is_failing(frame: FrameType | None) -> bool:
    """Whether Django's ``File.__exit__`` closes a file because its block has raised.

    That of a FieldFile, which only calls ``close()``: nothing else tells it why.
    """
    for _ in range(_DEPTH):
        if frame is None:
            return False
        if frame.f_code is File.__exit__.__code__:
            return frame.f_locals.get("exc_type") is not None
        frame = frame.f_back
    return False
