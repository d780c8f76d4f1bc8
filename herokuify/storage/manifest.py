"""Static files with Django's content hashes in their names."""

from __future__ import annotations

import io
import posixpath
import re
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, Storage
from django.utils.deconstruct import deconstructible
from django.utils.encoding import filepath_to_uri, iri_to_uri
from storages.utils import setting

from herokuify.exceptions import ConfigurationError
from herokuify.storage.cached import CachedS3StaticStorage
from herokuify.storage.content import from_start, staged
from herokuify.storage.hashing import HashingTree
from herokuify.storage.references import References
from herokuify.storage.static import NamePatterns, S3StaticStorage, is_bundle

#: By id, because instances that are equal still have their own copies of the manifest.
_instances: weakref.WeakValueDictionary[int, S3ManifestStaticStorage] = (
    weakref.WeakValueDictionary()
)


class _Deletions:
    """Deletions that Django requests while it hashes, deferred to the end."""

    def __init__(self) -> None:
        self._asked: dict[str, None] = {}
        self._saved: set[str] = set()

    def saved(self, name: str) -> None:
        self._saved.add(name)
        self._asked.pop(name, None)

    def asked(self, name: str) -> None:
        self._asked[name] = None

    @property
    def unwanted(self) -> list[str]:
        """Files of an earlier pass. Files from before the run may belong to another release."""
        return [name for name in self._asked if name in self._saved]


class _ManifestCatcher(Storage):
    """Receives the manifest that Django writes after hashing."""

    def __init__(self, tree: HashingTree) -> None:
        self._tree = tree

    def exists(self, name: str) -> bool:
        return False

    def open(self, name: str, mode: str = "rb") -> File[Any]:
        raise FileNotFoundError(name)

    def _save(self, name: str, content: Any) -> str:
        self._tree.manifest = content.read()
        return name


def _is_tree(stage: Any) -> bool:
    return isinstance(stage, HashingTree)


class SlugManifestStorage(FileSystemStorage):
    """Stores the manifest in STATIC_ROOT, so that each release reads its own."""

    def __init__(self) -> None:
        if not settings.STATIC_ROOT:
            # Without a location, FileSystemStorage would use MEDIA_ROOT.
            raise ConfigurationError(
                "STATIC_ROOT is not set, and the manifest of the static files is stored there.",
                'In settings.py: STATIC_ROOT = BASE_DIR / "staticfiles"',
            )
        super().__init__(location=settings.STATIC_ROOT)

    def delete(self, name: str) -> None:
        """Do nothing: Django deletes the manifest before it saves, but saving replaces it."""

    def _save(self, name: str, content: File[Any]) -> str:
        with from_start(content) as source, staged(Path(self.path(name)), source):
            return name


@deconstructible(path="herokuify.storage.S3ManifestStaticStorage")
class S3ManifestStaticStorage(ManifestFilesMixin, S3StaticStorage):
    """Static files on S3 with content hashes in their names, and the manifest in STATIC_ROOT.

    Names, contents and manifest are the same as with Django's ManifestStaticFilesStorage. S3 has
    two copies of the manifest: one with a hash in its name, and one with its usual name.
    """

    def __init__(self, *, manifest_storage: Any = None, **options: Any) -> None:
        self._deletions: _Deletions | None = None
        super().__init__(manifest_storage=manifest_storage or SlugManifestStorage(), **options)
        self._missing_ok = NamePatterns(self.missing_ok, "HEROKUIFY_MISSING_OK")
        self._references = References(self, self._missing_ok)
        _instances[id(self)] = self

    def get_default_settings(self) -> dict[str, Any]:
        """Return the static files' defaults, and HEROKUIFY_MISSING_OK."""
        missing_ok = setting("HEROKUIFY_MISSING_OK", ())
        return {**super().get_default_settings(), "missing_ok": missing_ok}

    # Hashing for the collect engine

    @contextmanager
    def staged(self, stage: Any) -> Iterator[None]:
        """Save files to the stage; the manifest, too, if the stage is a folder."""
        known: Any = self.hashed_files, self.manifest_hash, self.manifest_storage
        self.manifest_storage = _ManifestCatcher(stage) if _is_tree(stage) else self
        try:
            with super().staged(stage):
                yield
        finally:
            # URLs stay those of the running release until the new one is published.
            self.hashed_files, self.manifest_hash, self.manifest_storage = known

    def hash_files(self, tree: HashingTree) -> Iterator[tuple[str, Any, Any]]:
        """Run ``post_process`` on the tree's files in memory, without using S3.

        Sets ``tree.manifest`` and ``tree.manifest_hash``.
        """
        with self.staged(tree):
            yield from self.post_process(tree.paths)
            tree.finish()
            tree.manifest_hash = self.manifest_hash

    def _post_process(self, paths: Any, adjustable_paths: Any, hashed_files: Any) -> Iterator[Any]:
        def one_pass(some: Any) -> Iterator[Any]:
            yield from super(S3ManifestStaticStorage, self)._post_process(
                some, adjustable_paths, hashed_files
            )

        # Files named by a bundler are neither read nor renamed.
        kept = {name: self.clean_name(name) for name in paths if name in self.immutable}
        for name, cleaned in kept.items():
            hashed_files[self.hash_key(cleaned)] = cleaned
            yield name, cleaned, False, False
        rest = paths
        if kept:
            rest = {name: path for name, path in paths.items() if name not in kept}
        with self._references.watched(paths):
            if _is_tree(self._stage):
                yield from self._stage.hash_pass(one_pass, rest, adjustable_paths)
            else:
                yield from one_pass(rest)
        if error := self._references.error():
            files = ", ".join(dict.fromkeys(one.name for one in error.references))
            yield files, None, error, False

    def _stored_name(self, name: str, hashed_files: Any) -> str:
        if _is_tree(self._stage):
            self._stage.consult(name)
        return str(super()._stored_name(name, hashed_files))

    # Hashing under Django's own collectstatic

    def _save(self, name: str, content: Any) -> str:
        if self._deletions is not None:
            self._deletions.saved(name)
        return super()._save(name, content)

    def delete(self, name: Any) -> None:
        """Remove the file, if it exists."""
        if self._deletions is not None:
            self._deletions.asked(name)
        else:
            super().delete(name)

    def post_process(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Hash as Django does, but delete unwanted files only at the end.

        Django deletes each file before it writes the new version, while visitors may load it.
        """
        self._references = References(self, self._missing_ok)
        if self._stage is not None:
            yield from super().post_process(*args, **kwargs)
            return
        self._deletions = _Deletions()
        try:
            yield from super().post_process(*args, **kwargs)
            unwanted = self._deletions.unwanted
        finally:
            self._deletions = None
        for name in unwanted:
            self.delete(name)

    def is_content_named(self, name: str, opener: Callable[[], Any]) -> bool:
        """Return whether the name contains a hash of the content, also a custom ``file_hash()``."""
        if super().is_content_named(name, opener):
            return True
        if type(self).file_hash is ManifestFilesMixin.file_hash:
            return False
        with opener() as file:
            own = self.file_hash(name, File(file, name))
        pattern = rf"(?<![0-9A-Za-z]){re.escape(str(own or ''))}(?![0-9A-Za-z])"
        return self._depends_on_content(name, own) and bool(re.search(pattern, name))

    def _depends_on_content(self, name: str | None, found: Any) -> bool:
        """Return whether ``file_hash()`` has a different result for other content."""
        return bool(found) and found != self.file_hash(cast(str, name), ContentFile(b"\0herokuify"))

    def save_manifest(self) -> None:
        """Write the manifest to STATIC_ROOT, then to S3, with its usual name last."""
        super().save_manifest()
        if self._stage is not None:
            return
        manifest = (self.read_manifest() or "").encode()
        copy, usual = self.manifest_names(self.manifest_hash)
        for name, is_hashed in (
            (copy, self.is_manifest_hashed(self.manifest_hash)),
            (usual, False),
        ):
            self.put(name, io.BytesIO(manifest), None, may_replace=True, is_hashed=is_hashed)
        self.reload_manifests()

    def manifest_names(self, manifest_hash: str) -> tuple[str, str]:
        """Return the manifest's two names on S3: one with its hash, and the usual one."""
        stem, suffix = posixpath.splitext(self.manifest_name)
        return f"{stem}.{manifest_hash}{suffix}", self.manifest_name

    def is_manifest_hashed(self, manifest_hash: str) -> bool:
        """Return whether the hash depends on the manifest's content."""
        return self._depends_on_content(None, manifest_hash)

    def activate_manifest(self, manifest: bytes) -> None:
        """Write a manifest to STATIC_ROOT, and make all instances use it."""
        # Like Django's save_manifest(): save() would look for a free name.
        storage: Any = self.manifest_storage
        storage._save(self.manifest_name, ContentFile(manifest))  # noqa: SLF001
        self.reload_manifests()

    def reload_manifests(self) -> None:
        """Make all instances in this process reload the manifest."""
        storage: Any
        for storage in list(_instances.values()):
            storage.hashed_files, storage.manifest_hash = storage.load_manifest()

    # URLs

    def stored_name(self, name: str) -> str:
        """Return the hashed name; compressor's output already has a hash in its name."""
        if name not in self.hashed_files and is_bundle(name):
            return name
        if not self.hashed_files and self.manifest_strict:
            raise ValueError(
                f"There is no manifest {self.manifest_name!r} in STATIC_ROOT "
                f"({settings.STATIC_ROOT}), so the URL of {name!r} is unknown. "
                "Run: python manage.py collectstatic"
            )
        return str(super().stored_name(name))

    def url(self, name: Any, force: bool = False) -> str:  # type: ignore[override]  # Django's
        """Return STATIC_URL and the quoted hashed name; with DEBUG, the plain one unless ``force``.

        Raises ValueError if there is no manifest, or no file with this name in it.
        """
        is_plain = settings.DEBUG and not force
        hashed = name if is_plain else self.hashed_files.get(name)
        if hashed is not None and (not is_plain or not {"?", "#"} & set(str(name))):
            return self.base_url + (filepath_to_uri(hashed) or "").lstrip("/")
        # The name has a fragment or a query, as in "font.svg#icon". Django unquotes such URLs.
        return str(iri_to_uri(super().url(name, force)))


@deconstructible(path="herokuify.storage.CachedS3ManifestStaticStorage")
class CachedS3ManifestStaticStorage(S3ManifestStaticStorage, CachedS3StaticStorage):
    """Static files with content hashes on S3 and on the local disk; the recommended class.

    `compress --offline` reads the hashed files on the disk.
    """
