"""Mixins for static storages, like those of packages and projects.

Tests compare each mixin's result on herokuify's classes with that on Django's.
"""

import gzip
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, StaticFilesStorage
from django.core.files.base import ContentFile
from django.utils.asyncio import async_unsafe

from herokuify.storage import CachedS3ManifestStaticStorage, CachedS3StaticStorage, S3StaticStorage

Triples = Iterator[tuple[str, Any, Any]]


class Base:
    """Calls post_process() of the next class, if it has one."""

    def below(self, paths: Any, dry_run: bool, **options: Any) -> Triples:
        parent: Any = super()
        if hasattr(parent, "post_process"):
            yield from parent.post_process(paths, dry_run, **options)


class Joining(Base):
    """Joins several files before they are hashed, as django-pipeline does."""

    def post_process(self: Any, paths: Any, dry_run: bool = False, **options: Any) -> Triples:
        if dry_run:
            return
        parts = [self.open(name).read() for name in ("css/base.css", "css/site.css")]
        name = self.save("css/all.css", ContentFile(b"\n".join(parts).replace(b"  ", b" ")))
        paths[name] = (self, name)
        yield name, name, True
        yield from self.below(paths.copy(), dry_run, **options)


class Gzipping(Base):
    """Writes a compressed file beside each, by path and in threads, as WhiteNoise does."""

    def post_process(self: Any, paths: Any, dry_run: bool = False, **options: Any) -> Triples:
        if dry_run:
            return
        names = set(paths)
        for name, hashed, processed in self.below(paths, dry_run, **options):
            names |= {name} if isinstance(processed, Exception) else {name, hashed}
            yield name, hashed, processed
        with ThreadPoolExecutor(3) as pool:
            for name, packed in pool.map(self.packed, sorted(names)):
                yield name, packed, True

    def packed(self: Any, name: str) -> tuple[str, str]:
        path = Path(self.path(name))
        assert self.size(name) == path.stat().st_size
        assert self.get_modified_time(name)
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        return name, f"{name}.gz"


class OnlyHashed(Base):
    """Deletes the original of each hashed file, as WhiteNoise can."""

    def post_process(self: Any, paths: Any, dry_run: bool = False, **options: Any) -> Triples:
        renamed = set()
        for name, hashed, processed in self.below(paths, dry_run, **options):
            if not isinstance(processed, Exception) and hashed != name:
                renamed.add(name)
            yield name, hashed, processed
        for name in renamed:
            self.delete(name)


class Renaming(Base):
    """Hashes in another way than Django, and doesn't rename one file."""

    def file_hash(self, name: str | None, content: Any = None) -> str | None:
        if content is None or name == "robots.txt":
            return None
        return hashlib.sha256(b"".join(content.chunks())).hexdigest()[:8]


class Versioned(Base):
    """Puts a version number into each name instead of a hash."""

    def file_hash(self, name: str, content: Any = None) -> str:
        return "v7"


class Saving(Base):
    """Changes one file when it is saved, leaves another out, and calls exists()."""

    def _save(self, name: str, content: Any) -> str:
        parent: Any = super()
        if name.endswith(".png"):
            return name
        if name == "robots.txt":
            content = ContentFile(b"".join(content.chunks()).upper())
        return str(parent._save(name, content))

    def exists(self, name: str) -> bool:
        parent: Any = super()
        return bool(parent.exists(name))


class Leaving(Base):
    """Writes a report at the end, even after an error."""

    def post_process(self: Any, paths: Any, dry_run: bool = False, **options: Any) -> Triples:
        count = 0
        try:
            for one in self.below(paths, dry_run, **options):
                count += 1
                yield one
        finally:
            self.save("report.txt", ContentFile(str(sorted(self.listdir("css")[1])).encode()))


class Unsafe(Base):
    """Calls a function that must not run in an event loop; returns a list of results."""

    @async_unsafe
    def look(self: Any) -> list[str]:
        return sorted(self.listdir("")[1])

    def post_process(self: Any, paths: Any, dry_run: bool = False, **options: Any) -> Any:
        self.save("names.txt", ContentFile("\n".join(self.look()).encode()))
        return list(self.below(paths, dry_run, **options))


class Extending(Base):
    """Saves another file with the manifest."""

    def save_manifest(self: Any) -> None:
        parent: Any = super()
        parent.save_manifest()
        text = "\n".join(f"{name} {hashed}" for name, hashed in sorted(self.hashed_files.items()))
        self.save("offline.txt", ContentFile(text.encode()))


class Unchanged(Base):
    """Overrides a method without changing anything."""

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        parent: Any = super()
        return str(parent.get_available_name(name, max_length))


class Failing(Base):
    """Yields an exception, and looks at the files afterwards."""

    seen_last: ClassVar[list[bool]] = []

    def post_process(self: Any, paths: Any, dry_run: bool = False, **options: Any) -> Triples:
        try:
            yield "css/site.css", None, ValueError("no such colour")
        finally:
            self.seen_last.append(Path(self.path("css/site.css")).exists())


class Sending(Base):
    """Uploads files itself instead of calling super(), as older code for S3 does."""

    def _save(self: Any, name: str, content: Any) -> str:
        body = b"".join(content.chunks())
        self.client.put_object(Bucket=self.bucket_name, Key=self.key_of(name), Body=body)
        return name


MIXINS = (
    *(Joining, Gzipping, OnlyHashed, Renaming, Versioned, Saving, Leaving, Unsafe, Extending),
    Unchanged,
)
LOCAL = {"plain": StaticFilesStorage, "manifest": ManifestStaticFilesStorage}
ON_S3 = {"plain": CachedS3StaticStorage, "manifest": CachedS3ManifestStaticStorage}


class SendingStorage(Sending, S3StaticStorage):
    pass


class PlainJoiningStorage(Joining, S3StaticStorage):
    pass


class FailingStorage(Failing, CachedS3ManifestStaticStorage):
    pass


def __getattr__(name: str) -> type:
    """Make classes such as ``JoiningManifest``: a mixin and one of herokuify's classes."""
    for mixin in MIXINS:
        for kind, base in ON_S3.items():
            if name == f"{mixin.__name__}{kind.title()}":
                made = type(name, (mixin, base), {"__module__": __name__})
                globals()[name] = made
                return made
    raise AttributeError(name)
