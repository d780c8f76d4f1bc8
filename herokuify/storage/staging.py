"""Releases in preparation: a static storage whose files are temporarily not on S3."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage

from herokuify.storage.backend import S3BotoStorage

#: Whose classes do what the engine expects of them.
_KNOWN = {"builtins", "django", "herokuify", "storages"}
#: What Django's collectstatic asks of a storage, by itself or through post_process().
_ASKED = {
    name
    for kind in (FileSystemStorage, ManifestFilesMixin)
    for name in dir(kind)
    if not name.startswith("__") and callable(getattr(kind, name))
} - {"url", "deconstruct"}
#: How this package's storages send what is saved.
_SENDING = {"put", "store"}


class Staging(FileSystemStorage):
    """A folder of this machine in which saving replaces, as in a static storage."""

    def __init__(self, folder: str) -> None:
        super().__init__(location=folder)
        self.is_used = False

    def _save(self, name: str, content: File[Any]) -> str:
        self.is_used = True
        Path(self.path(name)).unlink(missing_ok=True)
        return str(super()._save(name, content))  # type: ignore[misc]  # not in the stubs

    def names(self) -> list[str]:
        """Return all files, in order."""
        root = Path(self.location)
        return sorted(
            path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()
        )


class Stageable(S3BotoStorage):
    """Has its files in a stage while one is set, and on S3 otherwise.

    It stands above everything that reaches S3, and below what a project's class changes: a
    ``post_process`` or ``_save`` of the project's finds what Django's own storage would give it,
    ``path()`` included.
    """

    _stage: Any = None

    @contextmanager
    def staged(self, stage: Any) -> Iterator[None]:
        """Save files to the stage, in all threads."""
        self._stage = stage
        try:
            yield
        finally:
            self._stage = None

    @property
    def _files(self) -> Any:
        return self._stage or super()

    def exists(self, name: Any) -> bool:
        """Return whether the file is there."""
        return bool(self._files.exists(name))

    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        if self._stage is None:
            return super()._open(name, mode)
        opened: File[Any] = self._stage.open(name, mode)
        return opened

    def _save(self, name: str, content: Any) -> str:
        if self._stage is None:
            return super()._save(name, content)
        return str(self._stage._save(name, content))  # noqa: SLF001  (as Django's mixin does)

    def delete(self, name: Any) -> None:
        """Remove the file; its absence is no error."""
        self._files.delete(name)

    def delete_many(self, names: Iterable[Any]) -> None:
        """Remove many files; their absence is no error."""
        if self._stage is None:
            super().delete_many(names)
            return
        for name in names:
            self._stage.delete(name)

    def path(self, name: Any) -> str:
        """Return a staged file's path; without one, collectstatic mustn't take S3 for a folder."""
        return str(self._files.path(name))

    def size(self, name: Any) -> int:
        """Return the file's length in bytes."""
        return int(self._files.size(name))

    def listdir(self, name: Any) -> tuple[list[str], list[str]]:
        """Return the names of the folders and of the files directly below a folder."""
        folders, files = self._files.listdir(name)
        return folders, files

    def get_modified_time(self, name: Any) -> datetime:
        """Return when the file was written."""
        modified: datetime = self._files.get_modified_time(name)
        return modified

    def get_created_time(self, name: Any) -> datetime:
        """Return when a staged file was made."""
        created: datetime = self._files.get_created_time(name)
        return created

    def get_accessed_time(self, name: Any) -> datetime:
        """Return when a staged file was read."""
        accessed: datetime = self._files.get_accessed_time(name)
        return accessed


def _changed(storage: Storage) -> set[str]:
    """Return the names that classes of a project or its packages override."""
    kinds = storage.__class__.__mro__
    others = [kind for kind in kinds if kind.__module__.partition(".")[0] not in _KNOWN]
    return {name for kind in others for name in vars(kind)}


def needs_staging(storage: Storage) -> bool:
    """Return whether a project's class, or a mixin, overrides what Django's command calls."""
    return bool(_changed(storage) & _ASKED)


def sends_by_itself(storage: Storage) -> set[str]:
    """Return the methods by which a project's class sends files in its own way."""
    return _changed(storage) & _SENDING
