"""Lasting addresses of private uploads: paths on the site, of ``herokuify.media.urls``."""

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
#: What stands before the alias of a storage other than the default one.
OTHERS = "-/"


def lasting_url(storage: Any, alias: str | None, name: Any) -> str:
    """Return the path of a file on the site; raise ConfigurationError where it has none."""
    storage.key_of(name)
    name = clean_name(name)
    if alias is None:
        raise ConfigurationError(
            f"The option url_view is set for a {type(storage).__name__} that is not in STORAGES, "
            "so its URLs can't name it.",
            'In settings.py: STORAGES["uploads"] = {"BACKEND": …, "OPTIONS": {"url_view": True}}'
            ', and in the field: storage=lambda: storages["uploads"]',
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
    """Return the name in STORAGES of a storage, or of one that equals it."""
    for one in s3_registered():
        if one.instance is None and one.kind is type(storage) and one.alias in storages.backends:
            try:
                if one.make() == storage:
                    return one.alias
            except UNUSABLE:
                continue
    return None


def storage_of(alias: str) -> Any:
    """Return the storage of a name in STORAGES, if its files have lasting addresses."""
    if alias not in storages.backends:
        return None
    storage = storages[alias]
    return storage if getattr(storage, "url_view", False) else None


def is_reachable(storage: Any, name: str) -> bool:
    """Return whether a name from an address is that of a file of this storage, and of no other.

    Only a name in its plain form is: who asks for permission must see what will be opened.
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
    """Return what decides who may read a storage's files; None for all who are logged in."""
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
