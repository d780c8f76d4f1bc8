"""The file objects that ``storage.open()`` returns."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, cast

from django.core.files.base import File
from django.core.files.uploadedfile import UploadedFile

from herokuify.s3.reader import StoredObject, opened
from herokuify.s3.upload import Upload
from herokuify.s3.writer import Writer
from herokuify.storage.content import from_start

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


class StagedFile(UploadedFile):  # type: ignore[type-arg]  # not generic at run time
    """A file that a browser has put on S3: read by ranges, and saved by a copy within S3.

    ``discard`` is called when a storage of herokuify's has saved it: the staged object has had
    its day, and what is read from now on is the saved one.
    """

    def __init__(
        self, stored: StoredObject, name: str, content_type: str, discard: Callable[[], None]
    ) -> None:
        self.stored = stored
        self._find: Callable[[], tuple[StoredObject, bool]] = lambda: (stored, False)
        self._discard: Callable[[], None] | None = discard
        self._opened: tuple[Any, Any] | None = None
        super().__init__(None, name, content_type, stored.size)
        self.mode = "rb"

    @property
    def file(self) -> Any:
        """What is read, opened when somebody reads."""
        if self._opened is None:
            stored, is_packed = self._find()
            self._opened = opened(stored, self.mode, is_packed=is_packed)
        return self._opened[0]

    @file.setter
    def file(self, file: Any) -> None:
        """Ignored: Django's constructor sets it."""

    @property
    def closed(self) -> bool:
        """Whether it was closed, and must be opened to be read."""
        return self._opened is not None and bool(self._opened[0].closed)

    def open(self, mode: str | None = None, *args: Any, **kwargs: Any) -> StagedFile:
        """Go to the start, or open it anew when it was closed or for another mode."""
        mode = mode or self.mode
        if mode not in READING:
            raise ValueError(f"{self.name!r} is an upload, and can't be opened in mode {mode!r}.")
        if self._opened is not None:
            is_same = ("b" in mode) == ("b" in self.mode)
            if is_same and not self._opened[0].closed:
                self._opened[0].seek(0)
            else:
                self._release()
        self.mode = mode
        return self

    def close(self) -> None:
        """Let go of the connection."""
        if self._opened is not None:
            for each in self._opened:
                each.close()

    def _release(self) -> None:
        self.close()
        self._opened = None

    def save_to(self, storage: Any, name: str, base: type) -> None:
        """Become the file of a storage under a clean name, and discard the staged object.

        S3 copies it, unless its bytes are needed here: for another service, to be gzipped, or by
        a class that stores files otherwise than its ``base`` does.
        """
        methods = ("store", "put")
        may_copy = all(getattr(type(storage), one) is getattr(base, one) for one in methods)
        parameters = storage.parameters_for(
            name, self.content_type, is_hashed=storage.is_hashed_name(name)
        )
        is_near = self.stored.destination.connection == storage.destination.connection
        if may_copy and is_near and not storage.can_be_gzipped(parameters):
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
        self._find = partial(storage.find_to_read, name)
        discard, self._discard = self._discard, None
        if discard is not None:
            discard()


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
