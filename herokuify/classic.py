"""The storage settings that Django dropped, and what is said where the app is missing."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning

from herokuify import env

#: Setting → the alias in STORAGES that took its place (Django 4.2 release notes, "Custom
#: file storages").
CLASSIC_SETTINGS = {"DEFAULT_FILE_STORAGE": "default", "STATICFILES_STORAGE": "staticfiles"}

#: django-compressor's COMPRESS_OFFLINE_MANIFEST_STORAGE, as two fragments set it.
OFFLINE_MANIFEST_STORAGE = "herokuify.storage.offline.OfflineManifestStorage"


def ignored_settings() -> list[str]:
    """The classic settings that the project sets and that take no effect.

    Django 5.1 removed them (its release notes, "Features removed in 5.1"); the app
    "herokuify" puts them into effect again.
    """
    from django.apps import apps
    from django.conf import global_settings, settings

    return [
        name
        for name in sorted(CLASSIC_SETTINGS, reverse=True)
        if not hasattr(global_settings, name)
        and getattr(settings, name, None)
        and not apps.is_installed("herokuify")
    ]


def complaint(ignored: list[str]) -> tuple[str, str]:
    """What is wrong with settings that are ignored, and how to mend it."""
    from django.conf import settings

    names = env.listed(ignored)
    message = f"the settings define {names}, which Django has ignored since 5.1"
    if settings.is_overridden("STORAGES"):  # type: ignore[misc]
        return (
            f"{message} and which contradict STORAGES.",
            f"Delete {names} from the settings: STORAGES is what Django reads.",
        )
    hint = (
        'Add the line INSTALLED_APPS = ["herokuify", …], above "django.contrib.staticfiles": it '
        "puts them into effect."
    )
    return f"{message}: it would keep the files on the local disk, without a word.", hint


def check_classic_settings(**_: Any) -> list[CheckMessage]:
    """herokuify.E001: storage settings that Django ignores; herokuify.W013: no app "herokuify"."""
    ignored = ignored_settings()
    if ignored:
        message, hint = complaint(ignored)
        return [Error(f"ImproperlyConfigured: {message}", hint=hint, id="herokuify.E001")]
    return [_MISSING_APP] if _lacks_app() else []


_MISSING_APP = CheckWarning(
    'STORAGES["staticfiles"] is a class of herokuify\'s, and "herokuify" is not in INSTALLED_APPS: '
    "collectstatic is Django's, one request after the other, and no check looks at the settings.",
    hint='Add the line INSTALLED_APPS = ["herokuify", …], above "django.contrib.staticfiles".',
    id="herokuify.W013",
)


def _lacks_app() -> bool:
    """Tell whether Django's collectstatic would write to a storage of herokuify's."""
    from django.apps import apps
    from django.conf import settings

    static: Any = settings.STORAGES.get("staticfiles", {})
    if apps.is_installed("herokuify") or not apps.is_installed("django.contrib.staticfiles"):
        return False
    return str(static.get("BACKEND")).startswith("herokuify.storage.")
