"""Names of files that are saved, as Django chooses them."""

from __future__ import annotations

from pathlib import PurePosixPath

from django.core.files.storage import Storage


def free_name(storage: Storage, name: str, max_length: int | None) -> str:
    """Return the name that a save tries first: shorter if need be, and taken for free."""
    return str(_AllFree(storage).get_available_name(name, max_length=max_length))


def alternative_name(storage: Storage, name: str) -> str:
    """Return another name for a file whose own is taken."""
    folder, _, file = name.replace("\\", "/").rpartition("/")
    suffix = "".join(PurePosixPath(file).suffixes)
    changed = storage.get_alternative_name(file.removesuffix(suffix), suffix)
    return f"{folder}/{changed}" if folder else str(changed)


def spelled_keys(location: str, name: str, key: str) -> list[str]:
    """Return the key that a name spells as it is, unless that is ``key``, or climbs.

    Others put keys with two slashes in a row, "." or backslashes, where ours are clean.
    """
    location = location.rstrip("/")
    spelled = f"{location}/{name}" if location else name
    climbs = ".." in name.replace("\\", "/").split("/")
    return [] if climbs or spelled in {key, ""} else [spelled]


class _AllFree(Storage):
    """Chooses names as Django does, where no name is taken."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def get_alternative_name(self, file_root: str, file_ext: str) -> str:
        """Return what the storage makes of a name."""
        return self._storage.get_alternative_name(file_root, file_ext)

    def exists(self, name: str) -> bool:
        """Return whether the file is there: S3 says so when it is saved."""
        return False
