"""What ``open(name, "w")`` writes to: nothing shows before the end, and nothing after a failure."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable
from typing import Any, BinaryIO

from herokuify.s3.destination import Transfer
from herokuify.s3.multipart import PartUpload
from herokuify.s3.upload import Upload

logger = logging.getLogger("herokuify.s3")


class Writer(io.RawIOBase):
    """Takes bytes, and stores them as one object when they are committed.

    Closing without that discards them, as the garbage collector does.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.length = 0  # bytes written
        self._is_settled = False
        self._process = os.getpid()

    def writable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Bytes written so far."""
        return self.length

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Refused: what was written may have been sent."""
        raise io.UnsupportedOperation(
            f"{self.name!r} is written to S3 from its beginning to its end, without seek(). For "
            "what must go back, write a temporary file, and save() that."
        )

    def write(self, data: Any) -> int:
        """Add to the end; returns the number of bytes."""
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if self._process != os.getpid():
            raise ValueError(
                f"{self.name!r} was opened for writing before a fork, by another process: it "
                "can't be written by both."
            )
        view = memoryview(data).cast("B")
        self.add(view)
        self.length += len(view)
        return len(view)

    def commit(self) -> None:
        """Store the object, and close."""
        self._is_settled = True
        try:
            if self._process == os.getpid():
                self.store()
        finally:
            self.close()

    def discard(self) -> None:
        """Close and leave nothing."""
        self._is_settled = True
        self.close()

    def close(self) -> None:
        """Close; what was not committed is lost, and the log says so."""
        if self.closed:
            return
        try:
            self.drop()
            if not self._is_settled and self._process == os.getpid():
                self._is_settled = True
                logger.warning(
                    "%s was opened for writing and not closed: it was not stored.", self.name
                )
        finally:
            super().close()

    def add(self, view: memoryview) -> None:
        """Take bytes."""
        raise NotImplementedError

    def store(self) -> None:
        """Make an object of all bytes."""
        raise NotImplementedError

    def drop(self) -> None:
        """Forget all bytes, on S3 too."""
        raise NotImplementedError


class MultipartWriter(Writer):
    """Sends parts while it is written, so that memory stays bounded."""

    def __init__(self, name: str, upload: Upload, transfer: Transfer) -> None:
        super().__init__(name)
        self._upload = upload
        self._transfer = transfer
        self._buffer = bytearray()
        self._parts: PartUpload | None = None

    def add(self, view: memoryview) -> None:
        """Take bytes, and send what fills a part."""
        size = self._transfer.part_size
        while view:
            taken = view[: size - len(self._buffer)]
            self._buffer += taken
            view = view[len(taken) :]
            if len(self._buffer) == size:
                self._send()

    def _send(self) -> None:
        if self._parts is None:
            self._parts = self._upload.start(self._transfer)
        body = bytes(self._buffer)
        self._buffer.clear()
        self._upload.send_part(self._parts, body)

    def store(self) -> None:
        """Put what is small, complete what is large."""
        if self._parts is None:
            self._upload.put(bytes(self._buffer))
            return
        if self._buffer:
            self._send()
        self._upload.complete(self._parts)

    def drop(self) -> None:
        """Abort the upload, unless it is complete."""
        if self._parts is not None:
            self._parts.abort()
        self._buffer.clear()


class BufferedWriter(Writer):
    """Collects everything in a temporary file first: for those who must see it whole."""

    def __init__(self, name: str, file: BinaryIO, save: Callable[[BinaryIO], object]) -> None:
        super().__init__(name)
        self._file = file
        self._save = save

    def add(self, view: memoryview) -> None:
        """Take bytes."""
        self._file.write(view)

    def store(self) -> None:
        """Have it saved, from its start."""
        self._file.seek(0)
        self._save(self._file)

    def drop(self) -> None:
        """Remove the temporary file."""
        self._file.close()
