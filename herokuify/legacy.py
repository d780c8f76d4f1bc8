"""Old settings on new Django versions; the only module that compares Django's version.

Settings fragments use this module, so Django's settings are imported only inside functions.
"""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning

from herokuify import env
from herokuify.exceptions import ConfigurationError

#: Setting → the alias in STORAGES that took its place (Django 4.2 release notes, "Custom
#: file storages").
LEGACY_SETTINGS = {"DEFAULT_FILE_STORAGE": "default", "STATICFILES_STORAGE": "staticfiles"}

_ADDRESSING = "AWS_S3_ADDRESSING_STYLE"
#: Settings that nothing reads since django-storages 1.7 removed boto, and their successors.
BOTO_SETTINGS = {
    "AWS_AUTO_CREATE_ACL": "",
    "AWS_BUCKET_ACL": "",
    "AWS_CALLING_FORMAT": _ADDRESSING,
    "AWS_ENCRYPTION": "AWS_S3_OBJECT_PARAMETERS",
    "AWS_PRELOAD_METADATA": "",
    "AWS_QUERYSTRING_ACTIVE": "AWS_QUERYSTRING_AUTH",
    "AWS_REDUCED_REDUNDANCY": "AWS_S3_OBJECT_PARAMETERS",
    "AWS_S3_CALLING_FORMAT": _ADDRESSING,
    "AWS_S3_ENCRYPTION": "AWS_S3_OBJECT_PARAMETERS",
    "AWS_S3_FORCE_HTTP_URL": "AWS_S3_URL_PROTOCOL",
    "AWS_S3_HOST": "AWS_S3_ENDPOINT_URL",
    "AWS_S3_PORT": "AWS_S3_ENDPOINT_URL",
    "AWS_S3_PROXY_HOST": "AWS_S3_PROXIES",
    "AWS_S3_PROXY_PORT": "AWS_S3_PROXIES",
    "AWS_S3_SECURE_URLS": "AWS_S3_USE_SSL",
    "S3_USE_SIGV4": "AWS_S3_SIGNATURE_VERSION",
}

#: django-compressor's COMPRESS_OFFLINE_MANIFEST_STORAGE, which two fragments set.
OFFLINE_MANIFEST_STORAGE = "herokuify.storage.offline.OfflineManifestStorage"


def django_reads_legacy_settings() -> bool:
    """Return whether this Django still reads STATICFILES_STORAGE and DEFAULT_FILE_STORAGE.

    Django 5.1 and later ignore them silently (its release notes, "Features removed in 5.1").
    """
    import django

    return django.VERSION < (5, 1)


def successor(name: str) -> str | None:
    """Return the setting that replaced one that is no longer read.

    It is ``""`` if there is none, and None if the setting is still read. The settings of
    collectfast and collectfasta belong to a ``collectstatic`` that herokuify's replaces.
    """
    if name.startswith(("COLLECTFAST_", "COLLECTFASTA_")):
        return "HEROKUIFY_UPLOAD_CONCURRENCY" if name.endswith("_THREADS") else ""
    return BOTO_SETTINGS.get(name)


# With "herokuify" in INSTALLED_APPS: the settings take effect again


class LegacyStorages(dict[str, Any]):
    """A STORAGES setting that was made from the legacy settings, not written by the project."""


def apply_legacy_settings() -> None:
    """Let STATICFILES_STORAGE and DEFAULT_FILE_STORAGE take effect in Django 5.1 and later.

    Calling it again has no effect. Raises ConfigurationError if the project sets STORAGES as well.
    """
    from django.conf import global_settings, settings

    if django_reads_legacy_settings():
        return
    found = [name for name in LEGACY_SETTINGS if getattr(settings, name, None)]
    if not found:
        return
    is_ours = isinstance(settings.STORAGES, LegacyStorages)
    if settings.is_overridden("STORAGES") and not is_ours:  # type: ignore[misc]
        alias = LEGACY_SETTINGS[found[0]]
        raise ConfigurationError(
            f"{found[0]} and STORAGES are both set.",
            f"Delete the line {found[0]} = … from the settings, and name the class in "
            f"STORAGES[{alias!r}] instead.",
        )
    made = {LEGACY_SETTINGS[name]: {"BACKEND": getattr(settings, name)} for name in found}
    settings.STORAGES = LegacyStorages({**global_settings.STORAGES, **made})
    _forget_storages()


def follow_overrides(*, setting: str, **kwargs: Any) -> None:
    """Receive ``setting_changed``, so that overriding a legacy setting in tests has an effect."""
    if setting in LEGACY_SETTINGS and not django_reads_legacy_settings():
        _forget_storages()
        apply_legacy_settings()


def _forget_storages() -> None:
    """Make Django read STORAGES again, as its own receiver of ``setting_changed`` does."""
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


# Without it: one clear error


def ignored_settings() -> list[str]:
    """Return the legacy settings that the project sets and that have no effect."""
    from django.apps import apps
    from django.conf import global_settings, settings

    return [
        name
        for name in sorted(LEGACY_SETTINGS, reverse=True)
        if not hasattr(global_settings, name)
        and getattr(settings, name, None)
        and not apps.is_installed("herokuify")
    ]


def explain_ignored(ignored: list[str]) -> tuple[str, str]:
    """Return the problem and the hint for settings that are ignored."""
    from django.conf import settings

    names = env.listed(ignored)
    message = f"the settings define {names}, which Django has ignored since 5.1"
    if settings.is_overridden("STORAGES"):  # type: ignore[misc]
        return (
            f"{message} and which contradict STORAGES.",
            f"Delete {names} from the settings: STORAGES is what Django reads.",
        )
    hint = (
        'In settings.py: INSTALLED_APPS = ["herokuify", …], above "django.contrib.staticfiles", '
        "so that they take effect."
    )
    return f"{message}: files would silently be stored on the local disk.", hint


def check_legacy_settings(**_: Any) -> list[CheckMessage]:
    """herokuify.E001: storage settings that Django ignores; herokuify.W013: no app "herokuify"."""
    ignored = ignored_settings()
    if ignored:
        message, hint = explain_ignored(ignored)
        return [Error(f"ImproperlyConfigured: {message}", hint=hint, id="herokuify.E001")]
    return [_MISSING_APP] if _lacks_app() else []


_MISSING_APP = CheckWarning(
    'STORAGES["staticfiles"] is a herokuify class, but "herokuify" is not in INSTALLED_APPS: '
    "Django's collectstatic uploads one file at a time, and herokuify's other checks don't run.",
    hint='In settings.py: INSTALLED_APPS = ["herokuify", …], above "django.contrib.staticfiles".',
    id="herokuify.W013",
)


def _lacks_app() -> bool:
    """Return whether Django's collectstatic would write to a storage of herokuify's."""
    from django.apps import apps
    from django.conf import settings

    static: Any = settings.STORAGES.get("staticfiles", {})
    if apps.is_installed("herokuify") or not apps.is_installed("django.contrib.staticfiles"):
        return False
    return str(static.get("BACKEND")).startswith("herokuify.storage.")
