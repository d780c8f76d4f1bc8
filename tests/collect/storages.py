"""Storages as projects derive them, and what Django makes of the same."""

from collections.abc import Iterator
from typing import Any

from django.contrib.staticfiles.finders import BaseFinder
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage, Storage

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
        """Nothing: a mistake of the project's."""


class ForgivingStorage(CachedS3ManifestStaticStorage):
    """Leaves references that lead nowhere, as many projects do."""

    def url_converter(self, *args: Any, **kwargs: Any) -> Any:
        converter = super().url_converter(*args, **kwargs)

        def convert(match: Any) -> str:
            try:
                return str(converter(match))
            except ValueError:
                return str(match["matched"])

        return convert


class MemoryFinder(BaseFinder):
    """Finds files that lie on no disk."""

    def find(self, path: str, *args: Any, **kwargs: Any) -> list[str]:
        return []

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, Storage]]:
        storage = InMemoryStorage()
        storage.save("deep/memory.css", ContentFile(b"a { b: url(dot.png) }"))
        storage.save("deep/dot.png", ContentFile(b"PNG"))
        yield "deep/memory.css", storage
        yield "deep/dot.png", storage
