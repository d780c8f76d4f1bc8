"""Uploads: settings that make them public, or lose them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage
from django.core.files.storage import FileSystemStorage
from django.db.models import FileField

from herokuify import env
from herokuify.checks.messages import CheckWarning, error, unique
from herokuify.checks.static import signs_urls
from herokuify.exceptions import ConfigurationError
from herokuify.storage.acl import acls, opens
from herokuify.storage.backend import S3BotoStorage
from herokuify.storage.media import S3MediaStorage
from herokuify.storage.permanent import permission_of
from herokuify.storage.registry import UNUSABLE, Registered, find_storage, s3_storages

MOST_NAMED = 3  # fields that a message lists


def _private() -> Iterator[tuple[Registered, S3BotoStorage]]:
    for one, storage in s3_storages():
        if not (one.is_static or storage.public):
            yield one, storage


def check_overwriting(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W004: a setting lets uploads replace others of the same name."""
    is_set = bool(getattr(settings, "AWS_S3_FILE_OVERWRITE", False))
    found = []
    for one, storage in s3_storages():
        is_media = isinstance(storage, S3MediaStorage)
        if one.is_static or not (is_media or not storage.public):
            continue
        # S3BotoStorage overwrites by default, like django-storages' class.
        if not (storage.file_overwrite and (is_set or is_media)):
            continue
        setting = "AWS_S3_FILE_OVERWRITE" if is_set else "file_overwrite"
        found.append(
            CheckWarning(
                f"{setting} is true for {one.setting}: an upload replaces another one with the "
                "same name.",
                hint=f"Delete {setting}: a name that is taken then gets a suffix.",
                id="herokuify.W004",
            )
        )
    return unique(found)


def check_public_access(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W005: a setting makes uploads public, or their URLs unsigned."""
    found = []
    for one, storage in _private():
        faults = {
            setting: f"{setting} gives the files of {one.setting} the ACL {acl!r}, so anyone may "
            "read them"
            for setting, acl in acls(storage)
            if opens(acl)
        }
        if not storage.querystring_auth:
            is_set = not getattr(settings, "AWS_QUERYSTRING_AUTH", True)
            name = "AWS_QUERYSTRING_AUTH" if is_set else "querystring_auth"
            faults[name] = (
                f"{name} is false for {one.setting}: its URLs are not signed, and work only where "
                "anyone may read its files"
            )
        elif not signs_urls(storage):
            faults["AWS_S3_CUSTOM_DOMAIN"] = (
                f"{one.setting} has a custom domain and no CloudFront key: its URLs are not signed"
            )
        found += [
            CheckWarning(
                f"{text}.",
                hint=f"Delete {setting}, if these files are not meant to be public.",
                id="herokuify.W005",
            )
            for setting, text in faults.items()
        ]
    return unique(found)


def check_url_view(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E015: the view for permanent URLs of uploads is missing or misconfigured."""
    faults = []
    for _, storage in s3_storages():
        if not getattr(storage, "url_view", False):
            continue
        try:
            permission_of(storage)
            storage.url("herokuify-check.txt")
        except ConfigurationError as fault:
            faults.append(error(fault.problem, hint=fault.hint, id="herokuify.E015"))
        except Exception:  # noqa: BLE001, S112 (any error of the URLconf, which Django reports)
            continue
    return unique(faults)


def check_disk(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W011: uploads are on a dyno's disk, which is erased at every restart."""
    if env.get_stage(os.environ) not in env.LIVE:
        return []
    fields = list(_fields_on_disk())
    default = find_storage("default")
    is_on_disk = default is not None and issubclass(default.kind, FileSystemStorage)
    if fields:
        more = len(fields) - MOST_NAMED
        kept = env.listed(fields[:MOST_NAMED] + ([f"{more} more"] if more > 0 else []))
    elif is_on_disk and settings.MEDIA_ROOT:
        kept = "MEDIA_ROOT"
    else:
        return []
    return [
        CheckWarning(
            f"The files of {kept} are on the dyno's disk, which other dynos can't access, and "
            "which is erased at every restart, at least once a day.",
            hint="heroku addons:create bucketeer, and in settings.py: STORAGES = "
            'herokuify.get_storages(), or herokuify.storage.S3MediaStorage in STORAGES["default"]',
            id="herokuify.W011",
        )
    ]


def _fields_on_disk() -> Iterator[str]:
    """Yield the models' fields whose files are on the local disk."""
    for model in apps.get_models():
        for field in model._meta.local_fields:  # noqa: SLF001  (public)
            if isinstance(field, FileField):
                try:
                    # isinstance() instantiates a lazy storage, which may fail.
                    is_on_disk = isinstance(field.storage, FileSystemStorage)
                except (*UNUSABLE, ImportError):
                    continue
                if is_on_disk:
                    yield str(field)
