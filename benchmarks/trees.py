"""Directories of a set's files: a project's source files, and the deployed ones."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.contestants import LOCAL, Access, Deployment
from benchmarks.environments import unpacked
from benchmarks.sets import SETS, FileSet, Source

CHANGED_FILES = 10
_CHANGEABLE = {".css", ".js", ".svg"}
_LONG_AGO = 1_600_000_000  # seconds since the epoch, older than any object or local copy


def files_in(folder: Path) -> Iterator[Path]:
    """Yield every file in a directory, sorted."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            yield Path(parent, name)


def touch(folder: Path, names: Sequence[str] | None = None) -> None:
    """Set the modification times of all or some files to now, as in a new checkout."""
    for path in files_in(folder) if names is None else (folder / name for name in names):
        os.utime(path)


class Trees:
    """The directories of a set, in the states "base" and "changed", created on demand.

    ``source`` has the files that contestants collect, ``ready`` those that Django's own storages
    write: copying tools send them, and other contestants' files are compared with them. ``django``
    is the bin directory of an environment with Django; each ``release`` of it has its own
    directories.
    """

    def __init__(self, name: str, work: Path, django: Path, release: str = "") -> None:
        self.name, self.work, self.django = name, work, django
        self.files: FileSet = SETS[name]
        # Each definition of the set has its own directory.
        digest = hashlib.sha256(repr((release, self.files[:2])).encode()).hexdigest()[:12]
        self.folder = work / "sets" / f"{name}-{digest}"
        self._digests: dict[tuple[str, str], dict[str, str]] = {}

    def source(self, state: str) -> Path:
        """Return the directory of the project's source files."""
        make = self._make_base if state == "base" else self._make_changed
        return self._made(f"source-{state}", make)

    def ready(self, variant: str, state: str) -> Path:
        """Return the directory of the deployed files, with old modification times."""

        def make(folder: Path) -> None:
            nowhere = Access("http://127.0.0.1:9", "-", "-")
            deployment = Deployment(nowhere, "-", self.source(state), folder, self.django)
            command, variables = LOCAL.command(deployment, variant, self.folder / "project")
            subprocess.run(command, env=variables, check=True, stdout=subprocess.DEVNULL)
            for path in files_in(folder):
                os.utime(path, (_LONG_AGO, _LONG_AGO))

        return self._made(f"{variant}-{state}", make)

    def digests(self, variant: str, state: str) -> dict[str, str]:
        """Return the MD5 (S3's ETag) of each deployed file; computed once."""
        if (variant, state) not in self._digests:
            folder = self.ready(variant, state)
            self._digests[variant, state] = {
                path.relative_to(folder).as_posix(): hashlib.md5(path.read_bytes()).hexdigest()  # noqa: S324
                for path in files_in(folder)
            }
        return self._digests[variant, state]

    def changed_names(self, variant: str) -> list[str]:
        """Return the files that differ between the states "base" and "changed"."""
        base = self.digests(variant, "base")
        changed = self.digests(variant, "changed")
        return [name for name, md5 in changed.items() if base.get(name) != md5]

    def facts(self, variant: str, *, changed: bool) -> dict[str, Any]:
        """Count files and bytes; with ``changed``, also the files that differ."""
        folder = self.ready(variant, "base")
        facts = {
            "files": len(self.digests(variant, "base")),
            "bytes": sum(path.stat().st_size for path in files_in(folder)),
        }
        return {**facts, "changed": len(self.changed_names(variant))} if changed else facts

    def _made(self, name: str, make: Callable[[Path], None]) -> Path:
        folder = self.folder / name
        if not folder.is_dir():
            print(f"Making the set {self.name}: {name} …", file=sys.stderr, flush=True)
            new = self.folder / f"{name}.new"
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(parents=True)
            make(new)
            new.rename(folder)
        return folder

    def _make_base(self, folder: Path) -> None:
        for source in self.files.sources:
            package = unpacked(source.requirement, self.work / "packages" / source.requirement)
            _copy(source, package, folder)
        count, size = self.files.generated
        for number in range(count):
            path = folder / f"app{number % 100:02}" / f"file-{number}.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(f"{number} ".encode().ljust(size, b"x"))

    def _make_changed(self, folder: Path) -> None:
        """Change some text files, evenly distributed."""
        shutil.copytree(self.source("base"), folder, dirs_exist_ok=True)
        paths = [path for path in files_in(folder) if path.suffix in _CHANGEABLE]
        for path in paths[:: max(1, len(paths) // CHANGED_FILES)][:CHANGED_FILES]:
            path.write_bytes(path.read_bytes() + b"\n")


def _copy(source: Source, package: Path, target: Path) -> None:
    folder = package / source.folder
    for path in files_in(folder):
        name = path.relative_to(folder)
        if source.only and not name.as_posix().startswith(source.only):
            continue
        copy = target / source.prefix / name
        if not copy.exists():  # as with Django's finders, the first one counts
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
