"""The file objects that ``storage.open()`` returns."""

from __future__ import annotations

import io
import os
from types import TracebackType
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from django.core.files.base import File
from storages.backends.s3 import S3File

from herokuify.storage.content import from_start, spool
from herokuify.storage.errors import explained

if TYPE_CHECKING:
    from herokuify.storage.base import S3BotoStorage


class S3ReadFile(S3File):
    """An object opened for reading, downloaded at the first read."""

    _file: Any
    _download: Any = None

    def _get_file(self) -> Any:
        if self._file is not None:
            return self._file
        try:
            with explained(self._storage.target, "s3:GetObject", self.obj.key):
                return super()._get_file()
        except ClientError as error:
            self._forget()
            raise FileNotFoundError(f"File does not exist: {self.obj.key}") from error
        except BaseException:
            self._forget()
            raise

    def _forget(self) -> None:
        """Take what has arrived of a failed download not for the content."""
        if self._file is not None:
            self._file.close()
            self._file = None

    file = property(_get_file, S3File._set_file)  # noqa: SLF001  (S3File sets it at every rewind)

    def _decompress_file(self, mode: str, file: Any, mtime: float = 0.0) -> Any:
        # A GzipFile leaves the file that it reads open when it is closed.
        self._download = file
        unpacked = super()._decompress_file(mode="rb", file=file, mtime=mtime)
        return unpacked if "b" in mode else io.TextIOWrapper(unpacked, encoding="utf-8")

    def close(self) -> None:
        """Drop the download."""
        super().close()
        if self._download is not None:
            self._download.close()
            self._download = None


class S3WriteFile(File):  # type: ignore[type-arg]  # not generic at run time
    """An object opened for writing: it appears, whole, when the file is closed.

    Takes text (as UTF-8) and bytes. A ``with`` block that raises leaves no object.
    """

    def __init__(self, name: str, mode: str, storage: S3BotoStorage) -> None:
        self._spool = spool()
        super().__init__(self._spool, name)
        self.mode = mode
        self._storage = storage

    def write(self, content: str | bytes) -> int:  # type: ignore[override]  # takes both
        """Add to the file; returns the number of bytes."""
        return self._spool.write(content.encode() if isinstance(content, str) else content)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        position = self._spool.tell()
        size = self._spool.seek(0, os.SEEK_END) or self._spool.tell()
        self._spool.seek(position)
        return size

    def close(self) -> None:
        """Store the object; a second close does nothing."""
        if self.closed:
            return
        try:
            with from_start(self._spool) as source:
                self._storage.store(str(self.name), source, None)
        finally:
            self._spool.close()

    def discard(self) -> None:
        """Close without storing anything."""
        self._spool.close()

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
