"""Permanent URLs of private uploads: paths on the site, from ``herokuify.media.urls``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import DEFAULT_STORAGE_ALIAS
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import storages
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string
from storages.utils import clean_name

from herokuify.exceptions import ConfigurationError
from herokuify.s3.policies import location_around
from herokuify.storage.registry import UNUSABLE, s3_registered, s3_storages, share_bucket

NAMESPACE = "herokuify_media"
#: The path of a storage other than the default one begins with this and its alias.
OTHERS = "-/"


def permanent_url(storage: Any, alias: str | None, name: Any) -> str:
    """Return the path of a file on the site.

    ``alias`` is the storage's name in STORAGES. Raises ConfigurationError if it has none, or if
    no URL pattern is included.
    """
    storage.key_of(name)
    name = clean_name(name)
    if alias is None:
        raise ConfigurationError(
            f"The option url_view is set for a {type(storage).__name__} that is not in STORAGES, "
            "so its URLs can't name it.",
            'In settings.py: STORAGES["uploads"] = {"BACKEND": …, "OPTIONS": {"url_view": True}}'
            ', and in the field: storage=…, a function that returns storages["uploads"]',
        )
    route, arguments = "default", {"name": name}
    if alias != DEFAULT_STORAGE_ALIAS or name.startswith(OTHERS):
        route, arguments = "file", {"name": name, "alias": alias}
    try:
        return reverse(f"{NAMESPACE}:{route}", kwargs=arguments)
    except NoReverseMatch as error:
        raise ConfigurationError(
            f'The option url_view of STORAGES["{alias}"] is set, but no URL pattern leads to its '
            "view.",
            'In urls.py: path("media/", include("herokuify.media.urls"))',
        ) from error


def alias_of(storage: Any) -> str | None:
    """Return a storage's name in STORAGES, or that of an equal one; None without one."""
    for one in s3_registered():
        if one.instance is None and one.kind is type(storage) and one.alias in storages.backends:
            try:
                if one.make() == storage:
                    return one.alias
            except UNUSABLE:
                continue
    return None


def storage_of(alias: str) -> Any:
    """Return the storage with this name in STORAGES if it has the option ``url_view``."""
    if alias not in storages.backends:
        return None
    storage = storages[alias]
    return storage if getattr(storage, "url_view", False) else None


def is_reachable(storage: Any, name: str) -> bool:
    """Return whether a name in a URL may be a file of this storage, and not of another one.

    The name must be normalized, so that the permission is checked for the file that is opened.
    """
    try:
        key = storage.key_of(name)
        is_plain = key == "/".join(filter(None, (storage.location.strip("/"), name)))
    except (SuspiciousFileOperation, ValueError):
        return False
    inner = [
        other.location
        for _, other in s3_storages()
        if share_bucket(storage, other)
        and other.location.strip("/") != storage.location.strip("/")
        and location_around(other.location, [storage.location]) is not None
    ]
    return is_plain and location_around(key, inner) is None


def permission_of(storage: Any) -> Callable[[Any, Any, str], Any] | None:
    """Return the function of the option ``url_permission``; None if every user may read."""
    permission = storage.url_permission
    fault = "is not a function"
    try:
        found: Any = import_string(permission) if isinstance(permission, str) else permission
    except ImportError as error:
        found, fault = False, f"can't be imported ({error})"
    if found is None or callable(found):
        return found  # type: ignore[no-any-return]
    raise ConfigurationError(
        f"The option url_permission, {permission!r}, {fault}.",
        'It must be a function (request, storage, name), such as "shop.access.may_read".',
    )
