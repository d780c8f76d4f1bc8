"""django-compressor: COMPRESS_* settings that don't work with static files on S3."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import STATICFILES_STORAGE_ALIAS, settings
from django.core.checks import CheckMessage
from django.core.files.storage import FileSystemStorage

from herokuify.checks.messages import error
from herokuify.conf.addresses import without_logins
from herokuify.storage.cached import CachedS3BotoStorage
from herokuify.storage.manifest import S3ManifestStaticStorage
from herokuify.storage.registry import (
    UNUSABLE,
    Registered,
    compressor_alias,
    find_storage,
)

FINDER = "compressor.finders.CompressorFinder"
CACHED = "herokuify.storage.CachedS3ManifestStaticStorage"


def is_enabled() -> bool:
    """Return whether pages use bundles; by default, compressor is disabled in DEBUG."""
    is_on = getattr(settings, "COMPRESS_ENABLED", not settings.DEBUG)
    return apps.is_installed("compressor") and bool(is_on)


def is_offline() -> bool:
    """Return whether only `compress` makes bundles."""
    return is_enabled() and bool(getattr(settings, "COMPRESS_OFFLINE", False))


def check_finder(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E009: the finder that compressor requires is missing."""
    names = ("compressor", "django.contrib.staticfiles")
    if not all(map(apps.is_installed, names)) or FINDER in settings.STATICFILES_FINDERS:
        return []
    return [
        error(
            f"STATICFILES_FINDERS does not contain {FINDER!r}. Without it, compress and every "
            "page with a bundle fail.",
            hint=f'Add "{FINDER}" to STATICFILES_FINDERS, below those of django.contrib.'
            "staticfiles.finders: FileSystemFinder and AppDirectoriesFinder.",
            id="herokuify.E009",
        )
    ]


def check_sources(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E006: files with hashed names have no local copies to make bundles from."""
    static = _static()
    if not is_enabled() or static is None:
        return []
    if not issubclass(static.kind, S3ManifestStaticStorage) or issubclass(
        static.kind, CachedS3BotoStorage
    ):
        return []
    return [
        error(
            f"{static.setting} is {static.kind.__name__}, which keeps no local copies, and "
            "django-compressor looks for the hashed sources of its bundles only on the local "
            "disk.",
            hint=f'{static.setting} = {{"BACKEND": "{CACHED}"}}',
            id="herokuify.E006",
        )
    ]


def check_bundles(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E007: bundles are not saved where pages load them from."""
    bundles = find_storage(compressor_alias())
    if not is_enabled() or bundles is None:
        return []
    name = bundles.kind.__name__
    if issubclass(bundles.kind, FileSystemStorage) and _static() is not None:
        fault = (
            f"COMPRESS_STORAGE is {name}, which keeps the bundles on the local disk, but pages "
            "load them from STATIC_URL, on S3"
        )
    elif is_offline() and _is_uncached(bundles):
        fault = (
            f"COMPRESS_STORAGE is {name}, which keeps no local copies: with COMPRESS_OFFLINE, the "
            "slug must contain the bundles, so that collectstatic can publish them after a "
            "promotion"
        )
    else:
        return []
    return [
        error(
            f"{fault}.",
            hint=f'COMPRESS_STORAGE = "{CACHED}", or CachedS3StaticStorage: the same class as in '
            'STORAGES["staticfiles"].',
            id="herokuify.E007",
        )
    ]


def check_url(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E008: COMPRESS_URL is not where the bundles are."""
    bundles = _on_s3(compressor_alias())
    if not is_enabled() or bundles is None:
        return []
    try:
        base_url = getattr(bundles.make(), "base_url", None)
    except UNUSABLE:
        return []  # herokuify.E002 reports it
    found = str(getattr(settings, "COMPRESS_URL", ""))
    if base_url is None or found == base_url:
        return []
    shown = without_logins(found)
    return [
        error(
            f"COMPRESS_URL is {shown!r}, but {bundles.kind.__name__} serves the bundles from "
            f"{base_url!r}. Files that they refer to would not be found, and the offline manifest "
            "would name this app's bucket after a promotion.",
            hint="Delete COMPRESS_URL from the settings: it defaults to STATIC_URL.",
            id="herokuify.E008",
        )
    ]


def _on_s3(alias: str) -> Registered | None:
    one = find_storage(alias)
    return one if one is not None and one.is_s3 else None


def _static() -> Registered | None:
    """Return the storage for static files if it is one of herokuify's."""
    one = _on_s3(STATICFILES_STORAGE_ALIAS)
    return one if one is not None and getattr(one.kind, "public", False) else None


def _is_uncached(one: Registered) -> bool:
    if _on_s3(one.alias) is None:
        return False
    return not issubclass(one.kind, CachedS3BotoStorage)
