"""Trees of files on the disk: a set as a project has it, and as it lies on S3 when deployed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.environments import unpacked
from benchmarks.project import Project
from benchmarks.sets import Source

CHANGED_FILES = 10
_CHANGEABLE = {".css", ".js", ".svg"}
_LONG_AGO = 1_600_000_000  # seconds since the epoch: older than any object and any local copy


def files_in(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder, in order."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            yield Path(parent, name)


def digests(folder: Path) -> dict[str, str]:
    """Return the MD5 of each file by its name relative to the folder: what S3 calls its ETag."""
    return {
        path.relative_to(folder).as_posix(): hashlib.md5(path.read_bytes()).hexdigest()  # noqa: S324
        for path in files_in(folder)
    }


def touch(folder: Path, names: Sequence[str] | None = None) -> None:
    """Set modification times to now, as a deploy's fresh copy has them, of all or of some."""
    paths = files_in(folder) if names is None else (folder / name for name in names)
    for path in paths:
        os.utime(path)


class Trees:
    """All trees of one set, each in the states "base" and "changed".

    ``source`` is what the Django contestants collect from. ``ready["plain"]`` and
    ``ready["manifest"]`` are what Django's own storages make of it, for the contestants that copy
    ready-made trees, and for checking what the others sent; their modification times are old.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder / name
        self._facts = self.folder / "set.json"
        self._digests: dict[tuple[str, str], dict[str, str]] = {}

    def source(self, state: str) -> Path:
        """The folder of the files as a project has them."""
        return self.folder / f"source-{state}"

    def ready(self, variant: str, state: str) -> Path:
        """The folder of the files as Django deploys them."""
        return self.folder / f"{variant}-{state}"

    def digests(self, variant: str, state: str) -> dict[str, str]:
        """The MD5 of each file as Django deploys it; computed once."""
        key = (variant, state)
        if key not in self._digests:
            self._digests[key] = digests(self.ready(*key))
        return self._digests[key]

    @property
    def facts(self) -> dict[str, Any]:
        """Counts and bytes of files, packages, and what was left out."""
        facts: dict[str, Any] = json.loads(self._facts.read_text())
        return facts

    def changed_names(self, variant: str) -> list[str]:
        """What a deploy of the state "changed" has to send over one of the state "base"."""
        names: list[str] = self.facts[variant]["changed"]
        return names

    def make(self, sources: Sequence[Source], packages: Path, django: Path) -> None:
        """Make the trees, unless they are there.

        ``django`` is the bin folder of an environment with Django.
        """
        wanted = json.loads(json.dumps(sources))
        if self._facts.is_file() and self.facts["sources"] == wanted:
            return
        print(f"Making the set {self.name} …", file=sys.stderr, flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        base = self.source("base")
        base.mkdir(parents=True)
        for source in sources:
            _copy(source, unpacked([source.requirement], packages / source.requirement), base)
        dropped = _prune(base, self.folder / "scratch", django)
        shutil.copytree(base, self.source("changed"))
        edited = _edit(self.source("changed"))
        facts: dict[str, Any] = {"sources": wanted, "dropped": dropped, "edited": edited}
        for variant in ("plain", "manifest"):
            facts[variant] = self._make_ready(variant, django)
        self._facts.write_text(json.dumps(facts, indent=1))

    def _make_ready(self, variant: str, django: Path) -> dict[str, Any]:
        project = Project.local(self.folder / "project", variant)
        sums = {}
        for state in ("base", "changed"):
            folder = self.ready(variant, state)
            subprocess.run(
                [django / "python", *project.collectstatic],
                env=project.variables(self.source(state), folder),
                check=True,
                stdout=subprocess.DEVNULL,
            )
            for path in files_in(folder):
                os.utime(path, (_LONG_AGO, _LONG_AGO))
            sums[state] = digests(folder)
        base = self.ready(variant, "base")
        return {
            "files": len(sums["base"]),
            "bytes": sum(path.stat().st_size for path in files_in(base)),
            "changed": [n for n, md5 in sums["changed"].items() if sums["base"].get(n) != md5],
        }


def _copy(source: Source, package: Path, target: Path) -> None:
    folder = package / source.folder
    for path in files_in(folder):
        name = path.relative_to(folder)
        if source.only and not name.as_posix().startswith(source.only):
            continue
        copy = target / source.prefix / name
        if not copy.exists():  # as Django's finders: the first one wins
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def _prune(base: Path, scratch: Path, django: Path) -> list[str]:
    """Drop the files that refer to missing ones: Django's manifest storage refuses them."""
    dropped: list[str] = []
    command = [str(django / "python"), "-m", "benchmarks.references", str(base), str(scratch)]
    while True:
        shutil.copytree(base, scratch)
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        shutil.rmtree(scratch)
        broken: list[str] = json.loads(answer.stdout)
        for name in broken:
            (base / name).unlink()
        dropped += broken
        if not broken:
            return sorted(dropped)


def _edit(folder: Path) -> list[str]:
    """Change some text files, evenly spread, and return their names."""
    paths = [path for path in files_in(folder) if path.suffix in _CHANGEABLE]
    chosen = paths[:: max(1, len(paths) // CHANGED_FILES)][:CHANGED_FILES]
    for path in chosen:
        path.write_bytes(path.read_bytes() + b"\n")
    return [path.relative_to(folder).as_posix() for path in chosen]
