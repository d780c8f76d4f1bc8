"""Files on S3 with a copy on the local disk, which `compress --offline` reads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from django.conf import settings
from django.utils._os import safe_join
from django.utils.deconstruct import deconstructible
from storages.utils import clean_name

from herokuify.exceptions import ConfigurationError
from herokuify.s3.writer import Writer
from herokuify.storage.backend import S3BotoStorage
from herokuify.storage.content import Content, staged, write_new
from herokuify.storage.static import S3StaticStorage, is_bundle


@lru_cache
def _local_root(compress_root: Any, static_root: Any, storage: str) -> Path:
    roots = [Path(os.path.abspath(root)) for root in (compress_root, static_root) if root]
    if not roots:
        raise ConfigurationError(
            f"STATIC_ROOT is not set, and {storage} keeps its local copies there.",
            'In settings.py: STATIC_ROOT = BASE_DIR / "staticfiles"',
        )
    if roots[0] != roots[-1]:
        raise ConfigurationError(
            f"COMPRESS_ROOT ({roots[0]}) and STATIC_ROOT ({roots[-1]}) differ: compress would not "
            "find what collectstatic has written.",
            "Delete COMPRESS_ROOT from settings.py.",
        )
    return roots[0]


@deconstructible(path="herokuify.storage.CachedS3BotoStorage")
class CachedS3BotoStorage(S3BotoStorage):
    """Writes the same bytes to S3 and below COMPRESS_ROOT (by default STATIC_ROOT).

    If either copy can't be written, saving raises. The local file is replaced atomically. There is
    no ``path()``, because with it collectstatic would treat the storage as local. Raises
    ConfigurationError if neither root is set or if they differ.
    """

    #: For all instances and threads, because compressor creates both.
    is_local_only = False
    #: Names of bundles that compressor has saved in this run of `compress`.
    saved_bundles: ClassVar[set[str]] = set()

    @classmethod
    @contextmanager
    def local_only(cls) -> Iterator[None]:
        """Make this process's cached storages write only their local copies.

        For a command that uploads the files itself afterwards.
        """
        CachedS3BotoStorage.is_local_only = True
        try:
            yield
        finally:
            CachedS3BotoStorage.is_local_only = False

    @property
    def local_root(self) -> Path:
        """The folder of the local copies, which doesn't include the storage's location."""
        return _local_root(
            getattr(settings, "COMPRESS_ROOT", None), settings.STATIC_ROOT, type(self).__name__
        )

    def check_configuration(self) -> None:
        """Raise ConfigurationError also if the local roots are missing or differ."""
        super().check_configuration()
        self.local_root  # noqa: B018

    def _local_path(self, name: Any) -> Path:
        return Path(safe_join(self.local_root, clean_name(str(name)).lstrip("/")))

    def exists(self, name: Any) -> bool:
        """Return whether both copies exist; if one is lost, the file must be saved again."""
        return self._local_path(name).is_file() and super().exists(name)

    def delete(self, name: Any) -> None:
        """Remove both copies, if they exist."""
        super().delete(name)
        self._local_path(name).unlink(missing_ok=True)

    def delete_many(self, names: Iterable[Any]) -> None:
        """Remove both copies of the files that exist."""
        names = list(names)
        super().delete_many(names)
        for name in names:
            self._local_path(name).unlink(missing_ok=True)

    def writer_for(self, name: str, mode: str) -> Writer:
        """Return a buffered writer, because two copies are stored at the end."""
        return self.buffered_writer(name, mode)

    def store(
        self,
        name: str,
        source: BinaryIO,
        content_type: str | None,
        *,
        may_replace: bool | None = None,
    ) -> None:
        """Write both copies; the local one appears when S3 has the file."""
        with staged(self._local_path(name), source) as copy:
            if not self.is_local_only:
                super().store(name, copy, content_type, may_replace=may_replace)
        if getattr(settings, "COMPRESS_OFFLINE", False) and is_bundle(name):
            self.saved_bundles.add(name)


@deconstructible(path="herokuify.storage.CachedS3StaticStorage")
class CachedS3StaticStorage(S3StaticStorage, CachedS3BotoStorage):
    """Static files on S3 and on the local disk, as django-compressor needs them."""

    def write_local_copy(self, name: str, content: Content) -> None:
        """Write only the local copy, unless it already has this content."""
        path = self._local_path(name)
        if path.exists():
            if not content.written_to(path):
                with content.open() as source, staged(path, source):
                    pass
        else:
            with content.open() as source:
                write_new(path, source)
