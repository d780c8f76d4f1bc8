"""Let a static storage temporarily save to a local folder, to run a project's own methods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage

from herokuify.storage.backend import S3BotoStorage

#: Packages whose storage classes the engine knows.
_KNOWN = {"builtins", "django", "herokuify", "storages"}
#: Methods of storages that Django's collectstatic uses, directly or in post_process().
_ASKED = {
    name
    for kind in (FileSystemStorage, ManifestFilesMixin)
    for name in dir(kind)
    if not name.startswith("__") and callable(getattr(kind, name))
} - {"url", "deconstruct"}
#: Methods in which this package's storages send files.
_SENDING = {"put", "store"}


class Staging(FileSystemStorage):
    """A local folder in which saving overwrites files, as in a static storage."""

    def __init__(self, folder: str) -> None:
        super().__init__(location=folder)
        self.is_used = False

    def _save(self, name: str, content: File[Any]) -> str:
        self.is_used = True
        Path(self.path(name)).unlink(missing_ok=True)
        return str(super()._save(name, content))  # type: ignore[misc]  # not in the stubs

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""
        root = Path(self.location)
        return sorted(
            path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()
        )


class Stageable(S3BotoStorage):
    """Uses a stage in place of S3 while one is set.

    A stage is a ``Staging`` folder or a ``HashingTree``. Project classes that override
    ``post_process`` or ``_save`` then work as with Django's own storage, including ``path()``.
    """

    _stage: Any = None

    @contextmanager
    def staged(self, stage: Any) -> Iterator[None]:
        """Use the stage in the block, in all threads."""
        self._stage = stage
        try:
            yield
        finally:
            self._stage = None

    @property
    def _files(self) -> Storage:
        return cast(Storage, self._stage or super())

    def exists(self, name: Any) -> bool:
        """Return whether the file exists."""
        return self._files.exists(name)

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
        """Remove the file, if it exists."""
        self._files.delete(name)

    def delete_many(self, names: Iterable[Any]) -> None:
        """Remove the files that exist."""
        if self._stage is None:
            super().delete_many(names)
            return
        for name in names:
            self._stage.delete(name)

    def path(self, name: Any) -> str:
        """Return a staged file's path; without a stage, raise NotImplementedError."""
        return self._files.path(name)

    def size(self, name: Any) -> int:
        """Return the file's length in bytes."""
        return self._files.size(name)

    def listdir(self, name: Any) -> tuple[list[str], list[str]]:
        """Return the names of the folders and of the files directly below a folder."""
        return self._files.listdir(name)

    def get_modified_time(self, name: Any) -> datetime:
        """Return when the file was written."""
        return self._files.get_modified_time(name)

    def get_created_time(self, name: Any) -> datetime:
        """Return when a staged file was created; without a stage, raise NotImplementedError."""
        return self._files.get_created_time(name)

    def get_accessed_time(self, name: Any) -> datetime:
        """Return when a staged file was read; without a stage, raise NotImplementedError."""
        return self._files.get_accessed_time(name)


def _changed(storage: Storage) -> set[str]:
    """Return the attributes that classes of the project or of other packages define."""
    kinds = storage.__class__.__mro__
    others = [kind for kind in kinds if kind.__module__.partition(".")[0] not in _KNOWN]
    return {name for kind in others for name in vars(kind)}


def needs_staging(storage: Storage) -> bool:
    """Return whether a project's class or mixin overrides a method that collectstatic uses."""
    return bool(_changed(storage) & _ASKED)


def sends_by_itself(storage: Storage) -> set[str]:
    """Return the overridden methods with which a project's class sends files itself."""
    return _changed(storage) & _SENDING
