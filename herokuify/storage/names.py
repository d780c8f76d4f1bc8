"""Choose names for files to be saved, as Django does."""

from __future__ import annotations

from pathlib import PurePosixPath

from django.core.files.storage import Storage


def free_name(storage: Storage, name: str, max_length: int | None) -> str:
    """Return the name that a save tries first: shortened if necessary, and assumed to be free."""
    return str(_AllFree(storage).get_available_name(name, max_length=max_length))


def alternative_name(storage: Storage, name: str) -> str:
    """Return another name for a file whose name is taken."""
    folder, _, file = name.replace("\\", "/").rpartition("/")
    suffix = "".join(PurePosixPath(file).suffixes)
    changed = storage.get_alternative_name(file.removesuffix(suffix), suffix)
    return f"{folder}/{changed}" if folder else str(changed)


def spelled_keys(location: str, name: str, key: str) -> list[str]:
    """Return the key of the unchanged name, if it differs from ``key``, that of the clean name.

    Other tools create keys with double slashes, "." or backslashes. A name with ".." has none.
    """
    location = location.rstrip("/")
    spelled = f"{location}/{name}" if location else name
    has_parent = ".." in name.replace("\\", "/").split("/")
    return [] if has_parent or spelled in {key, ""} else [spelled]


class _AllFree(Storage):
    """Chooses names like the storage, but as if no name were taken."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def get_alternative_name(self, file_root: str, file_ext: str) -> str:
        """Return the storage's alternative name."""
        return self._storage.get_alternative_name(file_root, file_ext)

    def exists(self, name: str) -> bool:
        """Return False: saving finds out whether the name is taken."""
        return False
