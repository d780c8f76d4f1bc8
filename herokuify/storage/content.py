"""Read and copy the content of files, for uploads and local copies."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.core.files.base import File

#: Bytes; larger content is kept in temporary files, not in memory.
LARGE = 8 * 1024 * 1024
#: Bytes per read. Most files are smaller, and read() allocates what it is asked for.
CHUNK = 64 * 1024
_HEX = re.compile(r"(?<![0-9a-f])[0-9a-f]{8,}(?![0-9a-f])")


def spool() -> BinaryIO:
    """Return a temporary file that stays in memory while it is small."""
    directory = settings.FILE_UPLOAD_TEMP_DIR
    return cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=LARGE, dir=directory))


class _Unclosable(io.RawIOBase):
    """A binary file that reads completely, and whose readers can't close the original."""

    def __init__(self, file: Any) -> None:
        super().__init__()
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        # A raw stream may return fewer bytes than requested before its end.
        parts = []
        while size and (part := self._file.read(size if size > 0 else CHUNK)):
            parts.append(part)
            size -= len(part) if size > 0 else 0
        return b"".join(parts)

    def readall(self) -> bytes:
        return self.read()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._file.seek(offset, whence)
        return self.tell()

    def tell(self) -> int:
        return cast(int, self._file.tell())


@contextmanager
def from_start(content: Any) -> Iterator[BinaryIO]:
    """Return all bytes of a file, Django's or any other, as a seekable binary file.

    The caller's file isn't closed, and keeps its position. A file that can't seek, or that yields
    text (which is encoded as UTF-8), is copied to a temporary file first.
    """
    position = _rewound(content)
    if position is not None and isinstance(content.read(0), bytes):
        try:
            yield cast(BinaryIO, _Unclosable(content))
        finally:
            content.seek(position)
        return
    with spool() as copy:
        _copy(content, copy)
        if position is not None:
            content.seek(position)
        yield cast(BinaryIO, _Unclosable(copy))


class _Chunks(File):  # type: ignore[type-arg]  # not generic at run time
    """An iterable of bytes or text, such as a generator, as a file that can be read once."""

    def __init__(self, pieces: Any, name: str) -> None:
        super().__init__(None, name)
        self._pieces = pieces

    def chunks(self, chunk_size: int | None = None) -> Iterator[Any]:
        """Yield the pieces."""
        yield from self._pieces


class _Copy(File):  # type: ignore[type-arg]
    """A copy of a file that can only be read once; other attributes are the original's."""

    def __init__(self, file: Any, original: Any) -> None:
        super().__init__(file, getattr(original, "name", None))
        self._original = original

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_original"], name)


def as_file(content: Any, name: str) -> Any:
    """Return content to be saved as a file; content that isn't a file must be iterable."""
    if hasattr(content, "chunks") or hasattr(content, "read"):
        return content
    return _Chunks(content, name)


@contextmanager
def rereadable(content: Any) -> Iterator[Any]:
    """Return the file itself if it can be rewound, else a temporary copy."""
    position = _rewound(content)
    if position is not None:
        content.seek(position)
        yield content
        return
    with spool() as copy:
        _copy(content, copy)
        yield _Copy(copy, content)


def _rewound(content: Any) -> Any:
    """Rewind a file and return its old position; None if it can't seek."""
    try:
        position = content.tell()
        content.seek(0)
    except (AttributeError, OSError):
        return None
    return position


def _read(content: Any) -> Any:
    return content.read(CHUNK) or None


def _copy(content: Any, target: BinaryIO) -> None:
    # Django's own chunks() begins with a seek, which a pipe refuses.
    is_djangos = getattr(type(content), "chunks", File.chunks) is File.chunks
    chunks = iter(partial(_read, content), None) if is_djangos else content.chunks()
    target.writelines(chunk.encode() if isinstance(chunk, str) else chunk for chunk in chunks)
    target.seek(0)


@contextmanager
def staged(path: Path, source: BinaryIO) -> Iterator[BinaryIO]:
    """Write a copy of ``source``, and replace ``path`` with it if the block succeeds."""
    _make_folder(path.parent)
    temporary = path.with_name(f".herokuify-{secrets.token_hex(8)}")
    try:
        with temporary.open("x+b") as copy:
            shutil.copyfileobj(source, copy)
            copy.seek(0)
            yield copy
        _set_mode(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_new(path: Path, source: BinaryIO) -> None:
    """Write a file that doesn't exist yet; faster than ``staged``."""
    try:
        target = path.open("xb")
    except FileNotFoundError:
        _make_folder(path.parent)
        target = path.open("xb")
    try:
        with target:
            shutil.copyfileobj(source, target)
    except BaseException:
        path.unlink()
        raise
    _set_mode(path)


def _set_mode(path: Path) -> None:
    """Give a new file FILE_UPLOAD_PERMISSIONS; if that is None, keep the system's default."""
    mode: int | None = settings.FILE_UPLOAD_PERMISSIONS
    if mode is not None:
        path.chmod(mode)


def _make_folder(path: Path) -> None:
    """Create a folder and its parents with FILE_UPLOAD_DIRECTORY_PERMISSIONS."""
    mode: int | None = settings.FILE_UPLOAD_DIRECTORY_PERMISSIONS
    if mode is None:
        path.mkdir(parents=True, exist_ok=True)
    elif not path.is_dir():
        _make_folder(path.parent)
        with suppress(FileExistsError):  # created by another thread
            path.mkdir()
            # Unlike Django, don't set the umask, which applies to all threads.
            path.chmod(mode)
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


def compressed(source: BinaryIO) -> BinaryIO | None:
    """Return the gzipped bytes of a file; None if they aren't smaller.

    The header has no name or time, so that the output depends only on the input. The
    result is a temporary file, in memory while it is small.
    """
    target = spool()
    with gzip.GzipFile(filename="", fileobj=target, mode="wb", mtime=0) as stream:
        shutil.copyfileobj(source, stream)
    if target.tell() >= source.tell():
        target.close()
        return None
    target.seek(0)
    return target


class ChangedError(Exception):
    """A file was changed after it was hashed."""

    def __init__(self) -> None:
        super().__init__("The file was changed during the run. Run collectstatic again.")


def carries_hash(name: str, opener: Callable[[], BinaryIO]) -> bool:
    """Return whether a name contains at least eight hex digits of the content's hash.

    Only then does the name change with the content, so that caches may keep the file forever.
    """
    digits = set(_HEX.findall(name))
    return bool(digits) and any(
        digest.startswith(tuple(digits))
        for algorithm in ("md5", "sha256", "sha1", "sha512")  # Django uses MD5
        for digest in [_hexdigest(algorithm, opener)]
    )


def _hexdigest(algorithm: str, opener: Callable[[], BinaryIO]) -> str:
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    with opener() as file:
        while chunk := file.read(CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


@dataclass(frozen=True, slots=True)
class Content:
    """A file's content: its length and digest, and its bytes, in memory or through an opener."""

    size: int  # bytes
    digest: str  # 32 hex digits of SHA-256
    data: bytes | None
    opener: Callable[[], BinaryIO] = io.BytesIO  # the default: ``data`` only

    @classmethod
    def of_bytes(cls, data: bytes) -> Content:
        """Return the content for these bytes."""
        return cls(len(data), hashlib.sha256(data).hexdigest()[:32], data)

    @classmethod
    def of_file(cls, opener: Callable[[], BinaryIO]) -> Content:
        """Read a file once; keep its bytes unless it is large."""
        with opener() as file:
            hasher = hashlib.sha256()
            size = 0
            parts: list[bytes] = []
            while chunk := file.read(CHUNK):
                hasher.update(chunk)
                size += len(chunk)
                if size < LARGE:
                    parts.append(chunk)
                else:
                    parts.clear()
        data = None if size >= LARGE else b"".join(parts)
        return cls(size, hasher.hexdigest()[:32], data, opener)

    def without_data(self) -> Content:
        """Return the content without its bytes, if they can be read again."""
        return self if self.opener is io.BytesIO else replace(self, data=None)

    @property
    def is_large(self) -> bool:
        """Whether the bytes must not be read into memory at once."""
        return self.size >= LARGE

    def open(self) -> BinaryIO:
        """Return a binary file of the bytes."""
        return self.opener() if self.data is None else io.BytesIO(self.data)

    def read(self) -> bytes:
        """Return all bytes, for small content; raise ChangedError like ``confirm``."""
        return cast(bytes, self.confirm().data)

    def confirm(self) -> Content:
        """Return the file's current content; raise ChangedError if it is different."""
        if self.data is not None:
            return self
        now = Content.of_file(self.opener)
        if now.digest != self.digest:
            raise ChangedError
        return now

    def written_to(self, path: Path) -> bool:
        """Return whether the file at ``path`` has this content."""
        try:
            return path.stat().st_size == self.size and (
                Content.of_file(lambda: path.open("rb")).digest == self.digest
            )
        except OSError:
            return False
