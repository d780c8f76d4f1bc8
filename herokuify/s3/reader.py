"""Read objects in ranges, with limited read-ahead."""

from __future__ import annotations

import gzip
import io
import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from errno import EINVAL
from functools import cached_property
from typing import Any, cast

from herokuify.exceptions import S3Error
from herokuify.s3.client import RetryProfile, connect
from herokuify.s3.destination import Destination
from herokuify.s3.errors import cause_of, explained, status_of

#: Bytes of the first request, and of the first one after a seek.
FIRST = 64 * 1024
#: Bytes of the second request in a sequential read. The third has no end: read-ahead is then
#: limited by the kernel's socket buffers.
SECOND = 1024 * 1024
#: A seek forward by at most so many bytes reads and drops them, instead of sending a new request.
SKIPPED = 256 * 1024
#: Attempts in a row without a single byte before reading fails.
TRIES = 5
#: Metadata of objects that herokuify has gzipped: the length of the uncompressed content.
LENGTH = "herokuify-length"
_GZIP = (["gzip"], ["x-gzip"])
PAUSE = 0.1  # seconds after the first failed attempt, doubled after each further one


@dataclass(frozen=True)
class StoredObject:
    """An object as a HEAD described it: a later version is never read in its place."""

    destination: Destination
    profile: RetryProfile
    address: Mapping[str, Any]  # Bucket, Key and other parameters of a GET
    etag: str
    size: int  # bytes, as stored
    #: Whether the stored bytes are gzipped and must be decompressed for the content.
    is_packed: bool = False
    #: The length of the decompressed content, if the metadata contain it.
    unpacked_size: int | None = None

    @classmethod
    def shown_by(
        cls,
        head: Mapping[str, Any],
        destination: Destination,
        profile: RetryProfile,
        address: Mapping[str, Any],
        *,
        came_packed: bool,
    ) -> StoredObject:
        """Return the object that the response to a HEAD describes.

        ``came_packed``: the file was already compressed when it was saved. It is read unchanged,
        unless the metadata show that herokuify gzipped it.
        """
        codings = [one.strip().lower() for one in head.get("ContentEncoding", "").split(",")]
        # Other clients' signed uploads add the coding "aws-chunked".
        is_gzipped = [one for one in codings if one not in {"", "aws-chunked"}] in _GZIP
        length = head["Metadata"].get(LENGTH, "")
        unpacked_size = int(length) if length.isdecimal() else None
        return cls(
            destination,
            profile,
            address,
            head["ETag"],
            head["ContentLength"],
            is_packed=is_gzipped and (unpacked_size is not None or not came_packed),
            unpacked_size=unpacked_size,
        )

    def length(self) -> int:
        """Return the content's length in bytes; read an object that other clients have gzipped."""
        if not self.is_packed:
            return self.size
        if self.unpacked_size is not None:
            return self.unpacked_size
        with (
            io.BufferedReader(RangeReader(self), FIRST) as packed,
            gzip.GzipFile(fileobj=packed, mode="rb") as file,
        ):
            return file.seek(0, io.SEEK_END)

    def get(self, start: int, stop: int | None) -> Any:
        """Return a stream of the bytes from ``start`` up to ``stop``, or to the end.

        Raises FileNotFoundError if the object was deleted, S3Error if it was replaced.
        """
        span = f"bytes={start}-" if stop is None else f"bytes={start}-{stop - 1}"
        try:
            with self._explained():
                answer = connect(self.destination, self.profile).get_object(
                    **cast(Any, self.address), Range=span, IfMatch=self.etag
                )
        except S3Error as error:
            cause = cause_of(error)
            if cause is not None and status_of(cause) in {412, 416}:
                raise self._replaced() from cause
            raise
        if answer["ETag"] != self.etag:  # a service that ignores the condition
            answer["Body"].close()
            raise self._replaced()
        return answer["Body"]

    def confirm(self) -> None:
        """Raise S3Error if the object was replaced, FileNotFoundError if it was deleted."""
        with self._explained():
            answer = connect(self.destination, self.profile).head_object(**cast(Any, self.address))
        if answer["ETag"] != self.etag:
            raise self._replaced()

    def _explained(self) -> AbstractContextManager[None]:
        key = str(self.address["Key"])
        return explained(self.destination, "s3:GetObject", key, may_be_absent=True)

    def _replaced(self) -> S3Error:
        return S3Error(
            f"{self.destination.storage}: {self._where} was replaced while it was being read.",
            "Open it again to read the new version.",
        )

    def broken(self, error: Exception, tries: int) -> S3Error:
        """Return the error for a read that failed after ``tries`` attempts."""
        return S3Error(
            f"{self.destination.storage}: reading {self._where} from {self.destination.endpoint} "
            f"broke off {tries} times: {error}"
        )

    @property
    def _where(self) -> str:
        return f"s3://{self.destination.bucket}/{self.address['Key']}"


class _Reader(io.RawIOBase):
    """A read-only file, in which seeking sends no request."""

    #: The content's length in bytes.
    length: int

    def __init__(self, stored: StoredObject) -> None:
        super().__init__()
        self._stored = stored
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True; seeking sends no request."""
        return True

    def tell(self) -> int:
        """Return the position of the next byte to read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Seek, as in any file; return the new position."""
        if self.closed:
            raise ValueError("I/O operation on closed file")
        size = self.length if whence == io.SEEK_END else 0
        self._position = sought(offset, whence, self._position, size)
        return self._position


class RangeReader(_Reader):
    """An object's bytes as stored; a broken read is resumed where it broke."""

    def __init__(self, stored: StoredObject) -> None:
        super().__init__(stored)
        self.length = stored.size
        self._body: Any = None
        self._at = 0  # position of the body's next byte
        self._stop = 0  # position of the body's end
        self._in_a_row = 0  # requests that continued where the previous one ended
        self._process = os.getpid()

    def readinto(self, buffer: Any) -> int:
        """Read at most as many bytes as the buffer takes; 0 at the end."""
        data = self._read_some(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """Return all bytes from here to the end."""
        found = io.BytesIO()
        while data := self._read_some(SECOND, wanted=self._stored.size - self._position):
            found.write(data)
        return found.getvalue()

    def _read_some(self, most: int, wanted: int = 0) -> bytes:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        most = min(most, self._stored.size - self._position)
        if most <= 0:
            return b""
        for attempt in range(1, TRIES + 1):
            self._approach(max(most, wanted))
            try:
                data: bytes = self._body.read(min(most, self._stop - self._at))
                if not data:
                    raise EOFError(f"the response ended {self._stop - self._at} bytes too early")
            except _breaks() as error:
                self._drop()
                is_silence = not self._stored.profile.resumes and _is_silence(error)
                if attempt == TRIES or is_silence:
                    raise self._stored.broken(error, attempt) from error
                time.sleep(PAUSE * 2 ** (attempt - 1))
            else:
                self._at += len(data)
                self._position = self._at
                return data
        raise AssertionError("unreachable: the last try returns or raises")

    def _approach(self, wanted: int) -> None:
        """Open a body at the current position, unless one is open there."""
        if self._process != os.getpid():
            # A fork: the parent process goes on reading from the socket.
            self._body = None
            self._process = os.getpid()
        if self._body is not None:
            try:
                while self._at < self._position <= min(self._stop - 1, self._at + SKIPPED):
                    skipped = self._body.read(self._position - self._at)
                    if not skipped:
                        break
                    self._at += len(skipped)
            except _breaks():
                self._drop()
            if self._body is not None and self._at == self._position < self._stop:
                return
        goes_on = self._position == self._at and self._at > 0
        self._drop()
        self._in_a_row = self._in_a_row + 1 if goes_on else 0
        length = max(wanted, FIRST if self._in_a_row == 0 else SECOND)
        stop = self._position + length
        is_rest = self._in_a_row > 1 or stop >= self._stored.size
        self._body = self._stored.get(self._position, None if is_rest else stop)
        self._at = self._position
        self._stop = self._stored.size if is_rest else stop

    def _drop(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.close()

    def close(self) -> None:
        """Release the connection."""
        if self._process == os.getpid():
            self._drop()
        super().close()


class Unpacked(_Reader):
    """The content of a gzipped object; a read before the current position starts over."""

    def __init__(self, stored: StoredObject) -> None:
        super().__init__(stored)
        self._packed = io.BufferedReader(RangeReader(stored), FIRST)
        self._file = gzip.GzipFile(fileobj=self._packed, mode="rb")

    @cached_property
    def length(self) -> int:  # type: ignore[override]
        """The content's length in bytes, from the metadata if possible, else by reading it."""
        return self._stored.length()

    def readinto(self, buffer: Any) -> int:
        """Read at most as many bytes as the buffer takes; 0 at the end."""
        if self._file.tell() != self._position:
            self._file.seek(self._position)
            if self._file.tell() < self._position:
                return 0
        data = self._file.read1(len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        """Release the connection."""
        if not self.closed:
            self._file.close()
            self._packed.close()
        super().close()


def sought(offset: int, whence: int, position: int, size: int) -> int:
    """Return the new position after ``seek``; raise the same errors as a file on disk."""
    bases = {io.SEEK_SET: 0, io.SEEK_CUR: position, io.SEEK_END: size}
    if whence not in bases:
        raise ValueError(f"whence value {whence} unsupported")
    if bases[whence] + offset < 0:
        raise OSError(EINVAL, f"negative seek value {bases[whence] + offset}")
    return bases[whence] + offset


def _breaks() -> tuple[type[Exception], ...]:
    """Return what reading a response's body can raise when the connection breaks."""
    from botocore.exceptions import BotoCoreError
    from urllib3.exceptions import HTTPError

    return BotoCoreError, HTTPError, OSError, EOFError


def _is_silence(error: Exception) -> bool:
    from botocore.exceptions import ReadTimeoutError

    return isinstance(error, (ReadTimeoutError, TimeoutError))


class ObjectFile(io.BufferedReader):
    """An object's content as a buffered, read-only file."""

    raw: RangeReader | Unpacked

    @property
    def length(self) -> int:
        """The content's length in bytes."""
        return self.raw.length


def opened(stored: StoredObject) -> ObjectFile:
    """Open an object's content: its bytes, decompressed if necessary."""
    return ObjectFile(Unpacked(stored) if stored.is_packed else RangeReader(stored), FIRST)
