"""Run Django's content hashing on the collected files, without a disk or a network.

The `ManifestFilesMixin` of the installed Django does the hashing, so names, contents and
manifest are the same as Django's. A :class:`HashingTree` takes the place of the storage.
"""

from __future__ import annotations

import posixpath
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage

from herokuify.storage.content import Content, from_start, spool

#: The methods of storages that open files in a folder of the disk.
_PLAIN = (Storage.open, vars(FileSystemStorage)["_open"], FileSystemStorage.path)
#: Receives a finished file: its name and content.
Emit = Callable[[str, Content], None]


class SourceFile(File):  # type: ignore[type-arg]  # not generic at run time
    """A collected file, with its content, as Django's hashing gets it."""

    def __init__(self, content: Content, name: str) -> None:
        super().__init__(content.open(), name)
        self.content = content


@dataclass(frozen=True, slots=True)
class Source:
    """A collected file's storage and path; calling it opens the file.

    It is small, because a release may have 100,000 files.
    """

    storage: Storage
    path: str

    def __call__(self) -> BinaryIO:
        """Return a new binary file of the content."""
        storage, path = self.storage, self.path
        kind = type(storage)
        if tuple(getattr(kind, name, None) for name in ("open", "_open", "path")) == _PLAIN:
            return Path(storage.path(path)).open("rb")
        # Other storages may return text, or files that can't seek.
        copy = spool()
        with storage.open(path) as file, from_start(file) as source:
            shutil.copyfileobj(source, copy)
        copy.seek(0)
        return copy


class Paths(Mapping[str, "tuple[HashingTree, str]"]):
    """The argument ``paths`` of ``post_process``, whose values are created when needed."""

    def __init__(self, tree: HashingTree) -> None:
        self._tree = tree

    def __getitem__(self, name: str) -> tuple[HashingTree, str]:
        if name not in self._tree.sources:
            raise KeyError(name)
        return self._tree, name

    def __iter__(self) -> Iterator[str]:
        return iter(self._tree.sources)

    def __len__(self) -> int:
        return len(self._tree.sources)


class HashingTree:
    """The collected files and their hashed versions.

    ``sources`` maps names to the finder's storage and the path in it. Files are passed to
    ``emit`` as soon as they are final: files without references immediately, others when
    everything that they refer to is final.
    """

    def __init__(self, sources: Mapping[str, tuple[Storage, str]], emit: Emit) -> None:
        self.paths = Paths(self)
        self.opened: str | None = None
        self.manifest: bytes | None = None
        self.manifest_hash = ""
        self.sources = sources
        self._emit = emit
        self._known: dict[str, bytes] = {}  # digests and sizes
        self._saved: set[str] = set()
        self._unfinished: dict[str, bytes] = {}
        self._settled: dict[str, tuple[str, bool]] = {}
        self._consulted: set[str] = set()

    # In place of the storage

    def open(self, name: str, mode: str = "rb") -> File[Any]:
        """Open a collected file where the finder found it.

        Raises FileNotFoundError for folders and hashed names; Django then keeps the name.
        """
        if name not in self.sources:
            raise FileNotFoundError(name)
        self.opened = name
        return SourceFile(self.read(name), name)

    def read(self, name: str) -> Content:
        """Return a collected file's content; with small bytes only the first time."""
        source = Source(*self.sources[name])
        known = self._known.get(name)
        if known is not None:
            return Content(int.from_bytes(known[16:], "big"), known[:16].hex(), None, source)
        content = Content.of_file(source)
        # Keep only the digest and the size: all bytes together would not fit in memory.
        self._known[name] = bytes.fromhex(content.digest) + content.size.to_bytes(8, "big")
        return content

    def take(self, name: str) -> Content:
        """Return a collected file's content for the last time, and forget it."""
        content = self.read(name)
        del self._known[name]
        return content

    def exists(self, name: str) -> bool:
        """Return whether the release has this file, collected or hashed, or this folder."""
        name = name.replace("\\", "/")
        return name in self.sources or name in self._saved or name in self._folders

    @cached_property
    def _folders(self) -> set[str]:
        folders = {".", ""}
        for name in self.sources:
            folder = posixpath.dirname(name)
            while folder not in folders:
                folders.add(folder)
                folder = posixpath.dirname(folder)
        return folders

    def delete(self, name: str) -> None:
        """Discard the file that an earlier pass saved."""
        if name in self._unfinished:
            del self._unfinished[name]
            self._saved.discard(name)

    def _save(self, name: str, file: Any) -> str:
        """Emit a hashed file; keep one that Django has rewritten until it is final."""
        if name not in self._saved:
            self._saved.add(name)
            if isinstance(file, SourceFile):
                self._emit(name, file.content)
            else:
                file.seek(0)
                self._unfinished[name] = file.read()
        return name

    # Skipping unnecessary passes

    def consult(self, name: str) -> None:
        """Record that the file being rewritten refers to another one."""
        self._consulted.add(posixpath.normpath(name))

    def hash_pass(
        self,
        one_pass: Callable[[Mapping[str, Any]], Iterator[tuple[str, Any, Any, bool]]],
        paths: Mapping[str, Any],
        adjustable: list[str],
    ) -> Iterator[tuple[str, Any, Any, bool]]:
        """Run one of Django's passes without the files that can't change any more.

        Django rewrites each CSS and JS file at least twice, because the names that it refers to
        may have changed. They can't have changed if all of them were final the first time.
        """
        for name in paths:
            if name in self._settled:
                yield name, *self._settled[name], False
        open_ends = set(adjustable) - self._settled.keys()
        self._consulted.clear()
        settled = self._settled
        if settled:
            paths = {name: path for name, path in paths.items() if name not in settled}
        for name, hashed_name, processed, changed in one_pass(paths):
            if name in open_ends and hashed_name and not self._consulted & open_ends:
                open_ends.discard(name)
                self._settled[name] = hashed_name, processed
                self._finish(hashed_name)
            self._consulted.clear()
            yield name, hashed_name, processed, changed

    def finish(self) -> None:
        """Emit the files that are only final at the end."""
        for name in list(self._unfinished):
            self._finish(name)

    def _finish(self, name: str) -> None:
        data = self._unfinished.pop(name, None)
        if data is not None:
            self._emit(name, Content.of_bytes(data))
