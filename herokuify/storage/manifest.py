"""Static files under the hash of their content, by Django's own rules."""

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

#: By their ids: of two that are equal, each has its own manifest.
_instances: weakref.WeakValueDictionary[int, S3ManifestStaticStorage] = (
    weakref.WeakValueDictionary()
)


class _Deletions:
    """Deletions that Django asks for while it hashes, put off to the end."""

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
        """Files of an earlier pass. What was there before the run may be another release's."""
        return [name for name in self._asked if name in self._saved]


class _ManifestCatcher(Storage):
    """Takes the manifest that Django writes after hashing."""

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
    """Holds a release's manifest in STATIC_ROOT, so that each release reads its own."""

    def __init__(self) -> None:
        if not settings.STATIC_ROOT:
            # Without a location FileSystemStorage would take MEDIA_ROOT.
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
    """Static files on S3 under content-hashed names, the manifest in STATIC_ROOT.

    Names, contents and manifest are the same as with Django's ManifestStaticFilesStorage. S3 has
    copies of the manifest, with a hash in the name and with its usual name.
    """

    def __init__(self, *, manifest_storage: Any = None, **options: Any) -> None:
        self._deletions: _Deletions | None = None
        super().__init__(manifest_storage=manifest_storage or SlugManifestStorage(), **options)
        self._missing_ok = NamePatterns(self.missing_ok, "HEROKUIFY_MISSING_OK")
        self._references = References(self, self._missing_ok)
        _instances[id(self)] = self

    def get_default_settings(self) -> dict[str, Any]:
        """Return the static files' defaults, and whether missing files are an error."""
        missing_ok = setting("HEROKUIFY_MISSING_OK", ())
        return {**super().get_default_settings(), "missing_ok": missing_ok}

    # Hashing for the collect engine

    @contextmanager
    def staged(self, stage: Any) -> Iterator[None]:
        """Save files, and with a folder the manifest, to the stage."""
        known: Any = self.hashed_files, self.manifest_hash, self.manifest_storage
        self.manifest_storage = _ManifestCatcher(stage) if _is_tree(stage) else self
        try:
            with super().staged(stage):
                yield
        finally:
            # URLs are the running release's until the new one is published.
            self.hashed_files, self.manifest_hash, self.manifest_storage = known

    def hash_files(self, tree: HashingTree) -> Iterator[tuple[str, Any, Any]]:
        """Hash the tree's files in memory like ``post_process``, without using S3.

        The manifest ends up in ``tree.manifest``, its hash in ``tree.manifest_hash``.
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

        # Whatever a bundler has named is not read, and where it is referred to, not renamed.
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
        """Remove the file; its absence is no error."""
        if self._deletions is not None:
            self._deletions.asked(name)
        else:
            super().delete(name)

    def post_process(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Hash as Django does, but delete files at the end, if they are still unwanted.

        Django deletes each file before it writes it anew, while visitors are loading it.
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
        """Return whether the name holds the content's hash, Django's or that of ``file_hash()``."""
        if super().is_content_named(name, opener):
            return True
        if type(self).file_hash is ManifestFilesMixin.file_hash:
            return False
        with opener() as file:
            own = self.file_hash(name, File(file, name))
        pattern = rf"(?<![0-9A-Za-z]){re.escape(str(own or ''))}(?![0-9A-Za-z])"
        return self._depends_on_content(name, own) and bool(re.search(pattern, name))

    def _depends_on_content(self, name: str | None, found: Any) -> bool:
        """Return whether ``file_hash()`` has looked at what is in the file."""
        return bool(found) and found != self.file_hash(cast(str, name), ContentFile(b"\0herokuify"))

    def save_manifest(self) -> None:
        """Write the manifest to STATIC_ROOT, then its copies to S3, the usual name last."""
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
        """Return whether another manifest would have another hash."""
        return self._depends_on_content(None, manifest_hash)

    def activate_manifest(self, manifest: bytes) -> None:
        """Activate a manifest: in STATIC_ROOT, and in every instance."""
        # As Django's save_manifest() does: save() would look for a free name.
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
        """Return the hashed name; compressor's output keeps its name, which has a hash already."""
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
        """Return STATIC_URL and the quoted hashed name; in DEBUG the plain one unless ``force``."""
        is_plain = settings.DEBUG and not force
        hashed = name if is_plain else self.hashed_files.get(name)
        if hashed is not None and (not is_plain or not {"?", "#"} & set(str(name))):
            return self.base_url + (filepath_to_uri(hashed) or "").lstrip("/")
        # A name with a fragment or a query, as in "font.svg#icon". Django unquotes the
        # whole URL there.
        return str(iri_to_uri(super().url(name, force)))


@deconstructible(path="herokuify.storage.CachedS3ManifestStaticStorage")
class CachedS3ManifestStaticStorage(S3ManifestStaticStorage, CachedS3StaticStorage):
    """Content-hashed static files on S3 and on the disk; the class to choose.

    The hashed files on the disk are what `compress --offline` bundles.
    """
