"""Old settings on new Django; the one place that compares Django's versions."""

from __future__ import annotations

from typing import Any

import django
from django.conf import global_settings, settings

from herokuify.classic import CLASSIC_SETTINGS
from herokuify.exceptions import ConfigurationError

#: Django 5.1 removed STATICFILES_STORAGE and DEFAULT_FILE_STORAGE (its release notes,
#: "Features removed in 5.1"); it ignores them without a word.
DJANGO_READS_CLASSIC_SETTINGS = django.VERSION < (5, 1)


class ClassicStorages(dict[str, Any]):
    """A STORAGES setting that was made from the classic ones, not written by the project."""


def apply_classic_settings() -> None:
    """Let STATICFILES_STORAGE and DEFAULT_FILE_STORAGE take effect where Django dropped them.

    May be called any number of times. Raises ConfigurationError when the project sets
    STORAGES as well.
    """
    if DJANGO_READS_CLASSIC_SETTINGS:
        return
    found = [name for name in CLASSIC_SETTINGS if getattr(settings, name, None)]
    if not found:
        return
    is_ours = isinstance(settings.STORAGES, ClassicStorages)
    if settings.is_overridden("STORAGES") and not is_ours:  # type: ignore[misc]
        alias = CLASSIC_SETTINGS[found[0]]
        raise ConfigurationError(
            f"{found[0]} and STORAGES are both set. Delete the line {found[0]} = … from the "
            f"settings, and name the class in STORAGES[{alias!r}] instead."
        )
    made = {CLASSIC_SETTINGS[name]: {"BACKEND": getattr(settings, name)} for name in found}
    settings.STORAGES = ClassicStorages({**global_settings.STORAGES, **made})
    _forget_storages()


def follow_overrides(*, setting: str, **kwargs: Any) -> None:
    """Receiver of ``setting_changed``: tests that override a classic setting see its effect."""
    if setting in CLASSIC_SETTINGS and not DJANGO_READS_CLASSIC_SETTINGS:
        _forget_storages()
        apply_classic_settings()


def _forget_storages() -> None:
    """Have Django resolve STORAGES anew, as its own test signals do."""
    from django.contrib.staticfiles.storage import staticfiles_storage
    from django.core.files.storage import default_storage, storages
    from django.utils.functional import empty

    storages.__dict__.pop("backends", None)
    handler: Any = storages
    handler._backends = None  # noqa: SLF001
    handler._storages = {}  # noqa: SLF001
    lazy: Any
    for lazy in (default_storage, staticfiles_storage):
        lazy._wrapped = empty  # noqa: SLF001
