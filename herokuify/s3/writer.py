"""Files for writing: the object changes only when the file is closed without an error."""

from __future__ import annotations

import io
import logging
import os
import tempfile
from collections.abc import Callable
from errno import EINVAL
from typing import TYPE_CHECKING, Any, BinaryIO

from herokuify.s3.destination import Transfer
from herokuify.s3.reader import sought

if TYPE_CHECKING:
    from herokuify.s3.multipart import PartUpload
    from herokuify.s3.upload import Upload

logger = logging.getLogger("herokuify.s3")


#: Bytes; a longer working copy is moved from memory to a temporary file.
IN_MEMORY = 8 * 1024 * 1024


class Writer(io.RawIOBase):
    """A working copy, which ``commit`` stores as one object.

    Behaves like a file on disk opened with this mode, except that closing it, or garbage
    collection, without ``commit`` discards it. ``directory`` is for the temporary file.
    """

    def __init__(
        self,
        name: str,
        mode: str,
        store: Callable[[BinaryIO], object],
        directory: str | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.length = 0  # bytes
        #: Whether ``commit`` has to store anything.
        self.is_changed = True
        self._file: Any = io.BytesIO()
        self._store = store
        self._directory = directory
        self._is_readable = "+" in mode
        self._is_appending = "a" in mode
        self._position = 0
        self._is_settled = False
        self._process = os.getpid()

    def load(self, source: BinaryIO) -> None:
        """Load the object's current content, without marking it as changed."""
        while data := source.read(IN_MEMORY):
            self._write_at(self.length, memoryview(data))
            self.length += len(data)
        self.is_changed = False
        if self._is_appending:
            self._position = self.length

    # The interface of io.RawIOBase

    def readable(self) -> bool:
        """Return whether the mode contains "+"."""
        return self._is_readable

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True: the working copy is local."""
        return True

    def tell(self) -> int:
        """Return the position of the next byte to write or read."""
        self._check()
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Seek, as in any file; return the new position."""
        self._check()
        self._position = sought(offset, whence, self._position, self.length)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read at most as many bytes as the buffer takes; 0 at the end."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read this many bytes, or all to the end."""
        if not self._is_readable:
            raise io.UnsupportedOperation("read")
        self._check()
        self._file.seek(self._position)
        data: bytes = self._file.read(-1 if size is None else size)
        self._position += len(data)
        return data

    def readall(self) -> bytes:
        """Read all bytes to the end."""
        return self.read()

    def write(self, data: Any) -> int:
        """Write at the position, or at the end in append mode; return the number of bytes."""
        self._check()
        view = memoryview(data).cast("B")
        start = self.length if self._is_appending else self._position
        if not view:
            return 0
        self._write_at(start, view)
        self._position = start + len(view)
        self.length = max(self.length, self._position)
        self._changed(start, self._position)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Truncate the file, or extend it with zeros; keep the position."""
        self._check()
        size = self._position if size is None else size
        if size < 0:
            raise OSError(EINVAL, os.strerror(EINVAL))
        start, self.length = self.length, size
        if size < start:
            self._file.truncate(size)
            self._changed(size, size)
        elif size > start:
            self._write_at(size - 1, memoryview(b"\0"))
            self._changed(start, size)
        return size

    def _write_at(self, start: int, view: memoryview) -> None:
        if start + len(view) > IN_MEMORY and isinstance(self._file, io.BytesIO):
            # Unbuffered, because a fork would flush the buffer a second time.
            disk = tempfile.TemporaryFile(buffering=0, dir=self._directory)  # noqa: SIM115
            copy, self._file = self._file, disk
            self._write_at(0, copy.getbuffer())
        self._file.seek(start)
        while view:
            view = view[self._file.write(view) :]

    def _check(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if self._process != os.getpid():
            raise ValueError(
                f"{self.name!r} was opened for writing before a fork, by another process: it "
                "can't be written by both."
            )

    def _changed(self, start: int, stop: int) -> None:
        """Record that these bytes have changed."""
        self.is_changed = True

    # Closing

    def commit(self) -> None:
        """Store the object if it is changed, and close."""
        self._is_settled = True
        try:
            if self._process == os.getpid() and self.is_changed:
                self.store()
        finally:
            self.close()

    def discard(self) -> None:
        """Close without storing anything."""
        self._is_settled = True
        self.close()

    def close(self) -> None:
        """Close; log a warning if uncommitted content is lost."""
        if self.closed:
            return
        try:
            self.drop()
            if not self._is_settled and self.is_changed and self._process == os.getpid():
                self._is_settled = True
                logger.warning(
                    "%s was opened for writing and not closed: it was not stored.", self.name
                )
        finally:
            super().close()

    def store(self) -> None:
        """Store the working copy as the object."""
        self._file.seek(0)
        self._store(self._file)

    def drop(self) -> None:
        """Discard the working copy, and parts on S3."""
        self._file.close()


class MultipartWriter(Writer):
    """Sends parts while it is being written, and sends parts again that are changed afterwards.

    For new content. The object appears only with ``commit``.
    """

    def __init__(
        self,
        name: str,
        mode: str,
        upload: Upload,
        transfer: Transfer,
        directory: str | None = None,
    ) -> None:
        super().__init__(name, mode, upload.send, directory)
        self._upload = upload
        self._transfer = transfer
        self._parts: PartUpload | None = None
        self._sent = 0  # number of parts sent, which are the first ones
        self._stale: set[int] = set()  # indexes of sent parts that have changed since

    def _changed(self, start: int, stop: int) -> None:
        super()._changed(start, stop)
        size = self._transfer.part_size
        self._sent = min(self._sent, self.length // size)
        self._stale.update(range(start // size, min(self._sent, -(-stop // size))))
        while (self._sent + 1) * size <= self.length:
            self._send(self._sent)
            self._sent += 1

    def _send(self, index: int) -> None:
        if self._parts is None:
            self._parts = self._upload.start(self._transfer)
        size = self._transfer.part_size
        self._file.seek(index * size)
        self._upload.send_part(self._parts, self._file.read(size), index + 1)

    def store(self) -> None:
        """Put a small object in one request, or complete the multipart upload."""
        size = self._transfer.part_size
        if self.length < size:
            self._file.seek(0)
            self._upload.put(self._file.read(size))
            return
        for index in sorted(one for one in self._stale if one < self._sent):
            self._send(index)
        if self._sent * size < self.length:
            self._send(self._sent)
        assert self._parts is not None  # noqa: S101
        self._upload.complete(self._parts, -(-self.length // size))

    def drop(self) -> None:
        """Discard the working copy, and abort an upload that isn't complete."""
        if self._parts is not None:
            self._parts.abort()
        super().drop()
