"""The storages that the settings name, without boto3 unless one of them is for S3."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import STATICFILES_STORAGE_ALIAS, settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from herokuify.storage.base import S3BotoStorage

#: What a storage with wrong settings raises when it is made; it may read a manifest then.
UNUSABLE = (ImproperlyConfigured, OSError, TypeError, ValueError)


@dataclass(frozen=True)
class Configured:
    """A storage by its place in the settings, its class imported."""

    alias: str
    kind: type
    is_in_storages: bool = True

    @property
    def setting(self) -> str:
        """Where the settings name it."""
        return f'STORAGES["{self.alias}"]' if self.is_in_storages else "COMPRESS_STORAGE"

    @property
    def is_static(self) -> bool:
        """Whether it serves static files, or compressor's bundles, which are static files, too."""
        return self.alias in {STATICFILES_STORAGE_ALIAS, compressor_alias()}

    def make(self) -> Any:
        """The storage itself; raises one of UNUSABLE when its settings are wrong."""
        return storages[self.alias] if self.is_in_storages else self.kind()


def compressor_alias() -> str:
    """Under which name compressor's storage is in STORAGES, at the latest when it is used."""
    return str(getattr(settings, "COMPRESS_STORAGE_ALIAS", "compressor"))


def find_storages() -> tuple[dict[str, Configured], dict[str, str]]:
    """The configured storages by alias, and why others of them can't be imported, by setting."""
    named: dict[str, Any] = {
        alias: params.get("BACKEND") if isinstance(params, Mapping) else None
        for alias, params in storages.backends.items()
    }
    in_storages = set(named)
    if compress := getattr(settings, "COMPRESS_STORAGE", None):
        named.setdefault(compressor_alias(), compress)
    found, faults = {}, {}
    for alias, path in named.items():
        one = Configured(alias, object, is_in_storages=alias in in_storages)
        try:
            kind = _imported(path)
        except (ImportError, ImproperlyConfigured) as error:
            faults[one.setting] = str(error)
        else:
            found[alias] = Configured(alias, kind, one.is_in_storages)
    return found, faults


def _imported(path: Any) -> type:
    if not isinstance(path, str):
        raise ImproperlyConfigured('it names no class: {"BACKEND": "…"}')
    kind = import_string(path)
    # A function that makes a storage is as good for Django, and unknown here.
    return kind if isinstance(kind, type) else object


def s3_configured() -> list[Configured]:
    """The configured storages on herokuify's backend; empty, without boto3, when there are none."""
    found, _ = find_storages()
    if "herokuify.storage.base" not in sys.modules:
        return []  # and so none of the classes that were imported is built on it
    from herokuify.storage.base import S3BotoStorage

    return [one for one in found.values() if issubclass(one.kind, S3BotoStorage)]


def s3_storages() -> Iterator[tuple[Configured, S3BotoStorage]]:
    """Those on herokuify's backend that can be made; of the others herokuify.E002 tells."""
    for one in s3_configured():
        try:
            yield one, one.make()
        except UNUSABLE:
            continue
