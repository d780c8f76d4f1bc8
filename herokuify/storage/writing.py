"""What ``open(name, "w")`` writes to: nothing shows before the end, and nothing after a failure."""

from __future__ import annotations

import io
import logging
import os
from typing import TYPE_CHECKING, Any

from herokuify.storage.content import from_start, spool
from herokuify.storage.parts import PartUpload
from herokuify.storage.saving import Saving

if TYPE_CHECKING:
    from herokuify.storage.base import S3BotoStorage

logger = logging.getLogger("herokuify.storage")


class Sink(io.RawIOBase):
    """Takes bytes, and stores them as one object when they are committed.

    Closing without that discards them, as the garbage collector does.
    """

    def __init__(self, storage: S3BotoStorage, name: str) -> None:
        super().__init__()
        self.storage = storage
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


class Stream(Sink):
    """Sends parts while it is written, so that memory stays bounded."""

    def __init__(self, storage: S3BotoStorage, name: str) -> None:
        super().__init__(storage, name)
        parameters = storage.parameters_for(
            name, None, is_content_named=storage.is_content_named(name)
        )
        self._saving = Saving(storage, storage.key_of(name), parameters, may_replace=True)
        self._transfer = storage.transfer
        self._buffer = bytearray()
        self._upload: PartUpload | None = None

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
        if self._upload is None:
            self._upload = self._saving.start(self._transfer)
        body = bytes(self._buffer)
        self._buffer.clear()
        self._saving.send_part(self._upload, body)

    def store(self) -> None:
        """Put what is small, complete what is large."""
        if self._upload is None:
            self._saving.put(bytes(self._buffer))
            return
        if self._buffer:
            self._send()
        self._saving.complete(self._upload)

    def drop(self) -> None:
        """Abort the upload, unless it is complete."""
        if self._upload is not None:
            self._upload.abort()
        self._buffer.clear()


class Spool(Sink):
    """Collects everything first: for storages that must see it whole."""

    def __init__(self, storage: S3BotoStorage, name: str) -> None:
        super().__init__(storage, name)
        self._file = spool()

    def add(self, view: memoryview) -> None:
        """Take bytes."""
        self._file.write(view)

    def store(self) -> None:
        """Have the storage store it like any other file."""
        with from_start(self._file) as source:
            self.storage.store(self.name, source, None)

    def drop(self) -> None:
        """Remove the temporary file."""
        self._file.close()
