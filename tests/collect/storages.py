"""Storages and finders as in projects' own code, on herokuify's and on Django's classes."""

import io
import os
import zipfile
from collections.abc import Iterator
from typing import Any

from django.contrib.staticfiles.finders import BaseFinder, FileSystemFinder
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, InMemoryStorage, Storage

from herokuify.storage import CachedS3ManifestStaticStorage


class ModulesStorage(CachedS3ManifestStaticStorage):
    support_js_module_import_aggregation = True


class LocalModulesStorage(ManifestStaticFilesStorage):
    support_js_module_import_aggregation = True


class NamedStorage(CachedS3ManifestStaticStorage):
    manifest_name = "assets.json"


class RootStorage(CachedS3ManifestStaticStorage):
    location = ""


class ForgetfulStorage(CachedS3ManifestStaticStorage):
    def save_manifest(self) -> None:
        """Save nothing, by mistake."""


class ForgivingStorage(CachedS3ManifestStaticStorage):
    """Keeps references to missing files, as many projects do."""

    def url_converter(self, *args: Any, **kwargs: Any) -> Any:
        converter = super().url_converter(*args, **kwargs)

        def convert(match: Any) -> str:
            try:
                return str(converter(match))
            except ValueError:
                return str(match["matched"])

        return convert


class Archive:
    """Only what a finder's storage must have; its files are in an archive, a text and a pipe."""

    prefix = ""

    def __init__(self) -> None:
        self.archive = io.BytesIO()
        with zipfile.ZipFile(self.archive, "w") as archive:
            archive.writestr("zip/a.css", "a { b: url(dot.png) }")
            archive.writestr("zip/dot.png", b"PNG" * 1000)

    def path(self, name: str) -> str:
        """Return a path for Django's log; there is no such file."""
        return f"archive.zip/{name}"

    def open(self, name: str, mode: str = "rb") -> Any:
        if name == "zip/text.txt":
            return ContentFile("grüße")
        if name == "zip/pipe.txt":
            reading, writing = os.pipe()
            with os.fdopen(writing, "wb") as target:
                target.write(b"once")
            return File(os.fdopen(reading, "rb"), name)
        return File(zipfile.ZipFile(self.archive).open(name), name)


class ArchiveFinder(BaseFinder):
    """Finds files of a storage that has no folder."""

    def find(self, path: str, *args: Any, **kwargs: Any) -> list[str]:
        return []

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, Any]]:
        storage = Archive()
        for name in ("zip/a.css", "zip/dot.png", "zip/text.txt", "zip/pipe.txt"):
            yield name, storage


class ChangingStorage(FileSystemStorage):
    """A folder whose files change when they are opened."""

    def _open(self, name: str, mode: str = "rb") -> Any:
        with super()._open(name, mode) as file:  # type: ignore[misc]  # not in the stubs
            return ContentFile(file.read() + b"\n", name)


class ChangingFinder(FileSystemFinder):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for root, storage in self.storages.items():
            self.storages[root] = ChangingStorage(location=storage.location)


class MemoryFinder(BaseFinder):
    """Finds files in memory."""

    def find(self, path: str, *args: Any, **kwargs: Any) -> list[str]:
        return []

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, Storage]]:
        storage = InMemoryStorage()
        storage.save("deep/memory.css", ContentFile(b"a { b: url(dot.png) }"))
        storage.save("deep/dot.png", ContentFile(b"PNG"))
        yield "deep/memory.css", storage
        yield "deep/dot.png", storage
