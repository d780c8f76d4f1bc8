"""Ranged reads of objects, with a limited read-ahead."""

from __future__ import annotations

import gzip
import io
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from errno import EINVAL
from functools import cached_property
from typing import Any, cast

from herokuify.exceptions import S3Error
from herokuify.s3.client import RetryProfile, connect
from herokuify.s3.destination import Destination
from herokuify.s3.errors import cause_of, explained, status_of

#: Bytes of the first request, and of one that follows a seek.
FIRST = 64 * 1024
#: Bytes of the second request, when it goes on where the first has ended. The third has no
#: end: then the connection itself reads ahead, as far as the kernel's buffers reach.
SECOND = 1024 * 1024
#: Bytes that are read and dropped rather than asked for anew, on a seek forward.
SKIPPED = 256 * 1024
#: Breaks of the connection without a byte between them, before reading fails.
TRIES = 5
#: The metadata of an object that was gzipped when it was stored: the length of its content.
LENGTH = "herokuify-length"
_GZIP = (["gzip"], ["x-gzip"])
PAUSE = 0.1  # seconds after the first break, twice as long after each further one


@dataclass(frozen=True)
class StoredObject:
    """An object as a HEAD has shown it; reading it never mixes it with a later one."""

    destination: Destination
    profile: RetryProfile
    address: Mapping[str, Any]  # Bucket, Key, and what else a GET needs
    etag: str
    size: int  # bytes, as stored
    #: Whether its bytes are the gzipped content, and not the content itself.
    is_packed: bool = False
    #: Bytes of what it unpacks to, where whoever packed it has left them in its metadata.
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
        """Return what the answer to a HEAD shows.

        ``came_packed`` tells that an encoding is the file's own, which is read as it is,
        unless the metadata say that it was gzipped when it was stored.
        """
        codings = [one.strip().lower() for one in head.get("ContentEncoding", "").split(",")]
        # A signed upload of other clients leaves its own coding there.
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
        """Return the content's length; of an object that others have gzipped, count it."""
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

        Raises FileNotFoundError when the object is gone, S3Error when it was replaced.
        """
        span = f"bytes={start}-" if stop is None else f"bytes={start}-{stop - 1}"
        key = str(self.address["Key"])
        try:
            with explained(self.destination, "s3:GetObject", key):
                answer = connect(self.destination, self.profile).get_object(
                    **cast(Any, self.address), Range=span, IfMatch=self.etag
                )
        except S3Error as error:
            cause = cause_of(error)
            if cause is not None and status_of(cause) in {412, 416}:
                raise self._replaced() from cause
            raise
        except Exception as error:
            from botocore.exceptions import ClientError

            if isinstance(error, ClientError):
                raise FileNotFoundError(f"File does not exist: {key}") from error
            raise
        if answer["ETag"] != self.etag:  # a service that ignores the condition
            answer["Body"].close()
            raise self._replaced()
        return answer["Body"]

    def confirm(self) -> None:
        """Raise S3Error when the object is another by now, FileNotFoundError when it is gone."""
        key = str(self.address["Key"])
        try:
            with explained(self.destination, "s3:GetObject", key):
                answer = connect(self.destination, self.profile).head_object(
                    **cast(Any, self.address)
                )
        except S3Error:
            raise
        except Exception as error:
            from botocore.exceptions import ClientError

            if isinstance(error, ClientError):
                raise FileNotFoundError(f"File does not exist: {key}") from error
            raise
        if answer["ETag"] != self.etag:
            raise self._replaced()

    def _replaced(self) -> S3Error:
        return S3Error(
            f"{self.destination.storage}: {self._where} was replaced while it was being read.",
            "Open it again to read the new version.",
        )

    def broken(self, error: Exception, tries: int) -> S3Error:
        """Return the error for a connection that breaks repeatedly."""
        return S3Error(
            f"{self.destination.storage}: reading {self._where} from {self.destination.endpoint} "
            f"broke off {tries} times: {error}"
        )

    @property
    def _where(self) -> str:
        return f"s3://{self.destination.bucket}/{self.address['Key']}"


class _Reader(io.RawIOBase):
    """A file that is only read, where a seek alone asks S3 for nothing."""

    #: Bytes of the content.
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
    """An object's bytes as stored; a connection that breaks is taken up where it broke."""

    def __init__(self, stored: StoredObject) -> None:
        super().__init__(stored)
        self.length = stored.size
        self._body: Any = None
        self._at = 0  # where the body's next byte belongs
        self._stop = 0  # where the body ends
        self._in_a_row = 0  # requests that went on where the one before had ended
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
            # A fork: the socket is the parent's, who goes on reading from it.
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
    """The content of an object that is stored gzipped; to seek is free, to go back costs all."""

    def __init__(self, stored: StoredObject) -> None:
        super().__init__(stored)
        self._packed = io.BufferedReader(RangeReader(stored), FIRST)
        self._file = gzip.GzipFile(fileobj=self._packed, mode="rb")

    @cached_property
    def length(self) -> int:  # type: ignore[override]
        """Bytes of the content: as the object's metadata say, else counted by reading it."""
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
    """Return the position to seek to; raise what a file on disk raises."""
    bases = {io.SEEK_SET: 0, io.SEEK_CUR: position, io.SEEK_END: size}
    if whence not in bases:
        raise ValueError(f"whence value {whence} unsupported")
    if bases[whence] + offset < 0:
        raise OSError(EINVAL, f"negative seek value {bases[whence] + offset}")
    return bases[whence] + offset


def _breaks() -> tuple[type[Exception], ...]:
    """Return what reading an answer's body raises when the connection breaks."""
    from botocore.exceptions import BotoCoreError
    from urllib3.exceptions import HTTPError

    return BotoCoreError, HTTPError, OSError, EOFError


def _is_silence(error: Exception) -> bool:
    from botocore.exceptions import ReadTimeoutError

    return isinstance(error, (ReadTimeoutError, TimeoutError))


class ObjectFile(io.BufferedReader):
    """An object's content as a file for reading; ``length`` is that of all of it, in bytes."""

    raw: RangeReader | Unpacked

    @property
    def length(self) -> int:
        """What ``read()`` returns from the start to the end, in bytes."""
        return self.raw.length


def opened(stored: StoredObject) -> ObjectFile:
    """Open an object's content: its bytes, or what they unpack to."""
    return ObjectFile(Unpacked(stored) if stored.is_packed else RangeReader(stored), FIRST)
