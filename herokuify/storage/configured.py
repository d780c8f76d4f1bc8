"""The storages that a project's settings name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar, cast

from django.conf import settings
from django.core.files.storage import Storage, storages
from django.utils.module_loading import import_string

StorageT = TypeVar("StorageT", bound=Storage)


def configured_storages(kind: type[StorageT]) -> Iterator[Callable[[], StorageT]]:
    """A maker for each storage of this kind in STORAGES, and for COMPRESS_STORAGE.

    Makers, because a storage with wrong settings raises ConfigurationError when made.
    """
    for _, storage_class, make in named_storages():
        if issubclass(storage_class, kind):
            yield cast(Callable[[], StorageT], make)


def named_storages() -> Iterator[tuple[str, type[Storage], Callable[[], Storage]]]:
    """Each storage that the settings name: its alias, or COMPRESS_STORAGE; class; maker."""
    handler: Any = storages
    backends = {alias: params["BACKEND"] for alias, params in handler.backends.items()}
    for alias, backend in backends.items():
        yield alias, import_string(backend), partial(handler.__getitem__, alias)
    # compressor adds its alias to STORAGES only when it is first used.
    compress = getattr(settings, "COMPRESS_STORAGE", None)
    if compress and getattr(settings, "COMPRESS_STORAGE_ALIAS", "compressor") not in backends:
        storage_class = import_string(compress)
        yield "COMPRESS_STORAGE", storage_class, storage_class
