"""Describe a release's files for the collect engine."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.core.files.storage import Storage
from django.core.management.base import CommandError

from herokuify.collect.engine import Collection
from herokuify.collect.local import LocalFile, Stage
from herokuify.collect.options import Options
from herokuify.exceptions import ConfigurationError
from herokuify.storage.content import Content
from herokuify.storage.hashing import HashingTree, Source
from herokuify.storage.manifest import S3ManifestStaticStorage
from herokuify.storage.references import DanglingReferencesError
from herokuify.storage.staging import Staging
from herokuify.storage.static import S3StaticStorage

#: Errors for a folder that can't be written to.
_UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}
#: Where the collected files come from: name → the finder's storage and the path in it.
Found = Mapping[str, tuple[Storage, str]]


class NotStagedError(Exception):
    """A storage's class sends files in its own way, which only Django's command supports."""

    def __init__(self, storage: S3StaticStorage, method: str) -> None:
        super().__init__(f"{storage.__class__.__name__}.{method}() sends files in its own way")


class Release:
    """Adds a release's files to the engine's collection."""

    def __init__(self, storage: S3StaticStorage, collection: Collection, options: Options) -> None:
        self._storage = storage
        self._collection = collection
        self._options = options
        self._shared: dict[str, dict[str, Any]] = {}
        self._activate: Callable[[], None] | None = None
        self._plain: Iterable[tuple[str, Content]] = ()

    def add_all(self, found: Found) -> None:
        """Add files under their own names."""
        self._add_collected(found, lambda name: Content.of_file(Source(*found[name])))

    def add_hashed(self, storage: S3ManifestStaticStorage, found: Found) -> None:
        """Add files under their hashed and their own names, and the manifest.

        Raises CommandError if a file refers to a missing one.
        """
        tree = HashingTree(found, self._add_hashed)
        try:
            self._post_process(storage.hash_files(tree))
        except UnicodeDecodeError as error:  # old versions of Django raise it, new ones yield it
            raise CommandError(_hashing_error(str(tree.opened), error)) from error
        self._add_collected(found, tree.take)
        self._add_manifest(storage, tree.manifest, tree.manifest_hash)

    def add_staged(self, found: Found, folder: str, *, post_process: bool) -> None:
        """Let the storage save and post-process files in a folder, and add the result.

        Raises NotStagedError if its class sends files in its own way.
        """
        storage = self._storage
        staging = Staging(folder)
        with storage.staged(staging):
            for name, (source, path) in found.items():
                with source.open(path) as file:
                    storage.save(name, file)
            if found and not staging.is_used:
                raise NotStagedError(storage, "_save")
            if post_process and hasattr(storage, "post_process"):
                self._post_process(storage.post_process(dict(found), dry_run=False))
            names = staging.names()
            hashed = set(getattr(storage, "hashed_files", {}).values())
            manifest_hash = getattr(storage, "manifest_hash", "")
        manifest = None
        if isinstance(storage, S3ManifestStaticStorage) and storage.manifest_name in names:
            names.remove(storage.manifest_name)
            manifest = Path(staging.path(storage.manifest_name)).read_bytes()

        def read(name: str) -> Content:
            return Content.of_file(Source(staging, name))

        for name in names:
            if name in hashed:
                self._add_hashed(name, read(name))
        self._add_collected((name for name in names if name not in hashed), read)
        if post_process and isinstance(storage, S3ManifestStaticStorage):
            self._add_manifest(storage, manifest, manifest_hash)

    def _post_process(self, processor: Iterable[tuple[str, Any, Any]]) -> None:
        try:
            for name, _, result in processor:
                if isinstance(result, Exception):
                    raise CommandError(_hashing_error(name, result)) from result
                if result:
                    self._collection.outcome.post_processed.append(name)
        finally:
            # Run its cleanup now, while the files are still where it expects them.
            getattr(processor, "close", lambda: None)()

    def _add_manifest(
        self, storage: S3ManifestStaticStorage, manifest: bytes | None, manifest_hash: str
    ) -> None:
        if manifest is None:
            raise CommandError(
                f"{storage.__class__.__name__}.post_process() did not save a manifest."
            )
        self._activate = partial(storage.activate_manifest, manifest)
        content = Content.of_bytes(manifest)
        copy, usual = storage.manifest_names(manifest_hash)
        is_hashed = storage.is_manifest_hashed(manifest_hash)
        self._send(copy, content, Stage.MANIFEST_COPY, is_hashed=is_hashed)
        self._send(usual, content, Stage.MANIFEST)

    def add_bundles(self, bundles: list[tuple[str, Path]]) -> None:
        """Add django-compressor's bundles, by name and path."""
        for name, path in bundles:
            try:
                content = Content.of_file(partial(_open_path, path))
            except FileNotFoundError as error:
                raise CommandError(
                    f"django-compressor's offline manifest names {name}, and {path} does not "
                    "exist. Run: python manage.py compress"
                ) from error
            self._send(name, content, Stage.HASHED, is_hashed=True)

    def activate_manifest(self) -> None:
        """Write the release's manifest, if it has one, to STATIC_ROOT."""
        if self._activate is None or self._options.is_dry_run:
            return
        try:
            self._activate()
        except OSError as error:
            raise _disk_error("The manifest", error) from error

    def add_plain(self) -> None:
        """Add the plain files of a release with a manifest, when the hashed ones are sent."""
        for name, content in self._plain:
            self._add(name, content, Stage.PLAIN)

    def _add_collected(self, names: Iterable[str], read: Callable[[str], Content]) -> None:
        """Add files under their own names, which may contain a bundler's hash."""
        has_manifest = isinstance(self._storage, S3ManifestStaticStorage)
        plain = []
        for name in names:
            if name in self._storage.immutable:
                self._add_hashed(name, read(name))
            elif has_manifest:
                plain.append(name)
            else:
                self._add(name, read(name), Stage.PLAIN)
        self._plain = ((name, read(name)) for name in plain)

    def _add_hashed(self, name: str, content: Content) -> None:
        """Add a file that hashing has saved; as a plain file if its name has no content hash."""
        is_hashed = self._storage.is_content_named(name, content.open)
        self._add(name, content, Stage.HASHED if is_hashed else Stage.PLAIN, is_hashed=is_hashed)

    def _add(self, name: str, content: Content, stage: Stage, *, is_hashed: bool = False) -> None:
        name = name.replace("\\", "/")
        if self._storage.key_of(name) in self._collection:
            return  # a collected file has the name of a hashed one
        if not self._options.is_dry_run:
            try:
                self._storage.write_local_copy(name, content)
            except OSError as error:
                raise _disk_error(name, error) from error
        self._send(name, content, stage, is_hashed=is_hashed)

    def _send(self, name: str, content: Content, stage: Stage, *, is_hashed: bool = False) -> None:
        parameters = self._storage.parameters_for(name, is_hashed=is_hashed)
        # Thousands of files share a few sets of headers.
        parameters = self._shared.setdefault(repr(sorted(parameters.items())), parameters)
        self._collection.add(
            LocalFile(
                name=name,
                key=self._storage.key_of(name),
                stage=stage,
                content=content,
                parameters=parameters,
                is_gzipped=self._storage.can_be_gzipped(parameters),
            )
        )


def _disk_error(name: str, error: OSError) -> Exception:
    """Return the error for a file that can't be written to STATIC_ROOT."""
    message = (
        f"{name} can't be written to STATIC_ROOT ({settings.STATIC_ROOT}): {error}. "
        "The manifest there is unchanged."
    )
    if error.errno in _UNWRITABLE:
        return ConfigurationError(
            f"{message} The user who runs collectstatic must be able to write there.",
            'In settings.py: STATIC_ROOT = BASE_DIR / "staticfiles"',
        )
    return CommandError(message)


def _open_path(path: Path) -> BinaryIO:
    return path.open("rb")


def _hashing_error(name: str, error: Exception) -> str:
    """Return Django's error for a file that it can't hash, or all broken references."""
    if isinstance(error, DanglingReferencesError):
        return str(error)
    notes = "\n".join(getattr(error, "__notes__", ()))
    return f"{name!r} can't be hashed: {error}\n{notes}".rstrip()
