"""The file objects that ``storage.open()`` returns."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType, TracebackType
from typing import Any, Protocol, cast

from django.core.files.base import File
from django.core.files.uploadedfile import UploadedFile

from herokuify.s3.reader import ObjectFile, StoredObject, opened
from herokuify.s3.writer import Writer
from herokuify.storage.content import from_start

#: Frames between ``File.__exit__`` and ``S3File.close()``, such as FieldFile's ``close()``.
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
    """The part of a storage that files use."""

    def find(self, name: str) -> StoredObject:
        """Return an object; raise FileNotFoundError."""

    def writer_for(self, name: str, mode: str) -> Writer:
        """Return the writer of a file."""


class S3File(File):  # type: ignore[type-arg]  # not generic at run time
    """An object opened as a Python file; written content is stored at ``close()``.

    Reading loads only what is read, with a limited read-ahead. Writing uses a working copy, which
    can seek, and accepts bytes and text (as UTF-8). If a ``with`` block raises, or the interpreter
    exits before the file is closed, the object isn't changed.
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
        """Return the object that reads or writes the bytes."""
        name = cast(str, self.name)
        if "r" in mode and "+" not in mode:
            return opened(self._storage.find(name))
        if "x" in mode:
            with suppress(FileNotFoundError):
                self._storage.find(name)
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

    def open(self, mode: str | None = None, **text: Any) -> S3File:  # type: ignore[override]
        """Go to the start, or reopen the object if the file is closed, like Django's File.

        An open file keeps its mode. ``text`` are options of ``io.TextIOWrapper``.
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
        """The content's length in bytes, including what was written."""
        return int(self._raw.length)

    def write(self, content: Any) -> int:
        """Write text or bytes; return the number of characters or bytes."""
        if isinstance(self._raw, ObjectFile):
            return int(cast(Any, self.file).write(content))
        if self._text is None:
            return self._raw.write(content.encode() if isinstance(content, str) else content)
        if isinstance(content, str):
            return self._text.write(content)
        self._text.flush()
        return self._raw.write(content)

    def writelines(self, lines: Any) -> None:
        """Write all lines."""
        cast(Any, self.file).writelines(())  # raises if the file is closed or read-only
        for line in lines:
            self.write(line)

    def close(self) -> None:
        """Store what was written; do nothing if the file is already closed."""
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


class StagedFile(UploadedFile):  # type: ignore[type-arg]  # not generic at run time
    """A file that a browser has uploaded to S3: read in ranges, and saved by a copy within S3.

    ``discard`` is called when one of herokuify's storages has saved it. From then on, reads use
    the saved object, and the staged one is no longer needed.
    """

    def __init__(
        self, stored: StoredObject, name: str, content_type: str, discard: Callable[[], None]
    ) -> None:
        self.stored = stored
        self._find: Callable[[], StoredObject] = lambda: stored
        self._discard: Callable[[], None] | None = discard
        self._opened: Any = None
        super().__init__(None, name, content_type, stored.size)
        self.mode = "rb"

    @property
    def file(self) -> Any:
        """The opened file; the object is opened at the first read."""
        if self._opened is None:
            raw: Any = opened(self._find())
            self._opened = raw if "b" in self.mode else io.TextIOWrapper(raw, encoding="utf-8")
        return self._opened

    @file.setter
    def file(self, file: Any) -> None:
        """Do nothing; Django's constructor sets the attribute."""

    @property
    def closed(self) -> bool:
        """Whether it must be opened before it can be read."""
        return self._opened is not None and bool(self._opened.closed)

    def open(self, mode: str | None = None, *args: Any, **kwargs: Any) -> StagedFile:
        """Go to the start; reopen the file if it is closed or for a different mode."""
        mode = mode or self.mode
        check_mode(mode)
        if set(mode) - set("rbt"):
            raise ValueError(f"{self.name!r} is an upload, and can't be opened in mode {mode!r}.")
        if self._opened is not None:
            is_same = ("b" in mode) == ("b" in self.mode)
            if is_same and not self._opened.closed:
                self._opened.seek(0)
            else:
                self._release()
        self.mode = mode
        return self

    def close(self) -> None:
        """Release the connection."""
        if self._opened is not None:
            self._opened.close()

    def _release(self) -> None:
        self.close()
        self._opened = None

    def save_to(self, storage: Any, name: str, base: type) -> None:
        """Save to a storage under a clean name, and discard the staged object.

        S3 copies it, unless its bytes are needed here: for another service, for gzip, or because
        the storage's class overrides how ``base`` stores files.
        """
        methods = ("store", "put")
        may_copy = all(getattr(type(storage), one) is getattr(base, one) for one in methods)
        parameters = storage.parameters_for(name, self.content_type)
        is_near = self.stored.destination.connection == storage.destination.connection
        if may_copy and is_near and not storage.can_be_gzipped(parameters):
            from herokuify.s3.upload import Upload

            Upload(
                storage.destination,
                storage.profile.for_copies(),
                storage.key_of(name),
                parameters,
                may_replace=bool(storage.file_overwrite),
            ).copy(self.stored)
        else:
            with from_start(self) as source:
                storage.store(name, source, self.content_type)
        self._release()
        self._find = partial(storage.find, name)
        discard, self._discard = self._discard, None
        if discard is not None:
            discard()


def _is_failing(frame: FrameType | None) -> bool:
    """Return whether Django's ``File.__exit__`` closes a file because its block has raised.

    A FieldFile's ``__exit__`` only calls ``close()``, without the reason, so it is looked up in
    the calling frames.
    """
    for _ in range(_DEPTH):
        if frame is None:
            return False
        if frame.f_code is File.__exit__.__code__:
            return frame.f_locals.get("exc_type") is not None
        frame = frame.f_back
    return False
