"""Static files: their URLs, and STATIC_ROOT."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage

from herokuify.checks.messages import CheckWarning, error, unique
from herokuify.env import Stage, get_stage
from herokuify.storage.backend import S3BotoStorage
from herokuify.storage.cached import CachedS3BotoStorage
from herokuify.storage.manifest import S3ManifestStaticStorage
from herokuify.storage.registry import UNUSABLE, find_storages, s3_registered
from herokuify.storage.static import S3StaticStorage


def check_signing(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W003: static files have signed URLs, also with django-storages' classes."""
    messages = []
    for one in find_storages()[0]:
        if not (one.is_static and _may_sign_urls(one.kind)):
            continue
        try:
            is_signing = signs_urls(one.make())
        except UNUSABLE:
            continue
        if is_signing:
            messages.append(
                CheckWarning(
                    f"{one.setting} is {one.kind.__name__}, which signs the URLs of static files: "
                    "these URLs expire, which breaks cached pages and bundles.",
                    hint=f'Set {one.setting} to "herokuify.storage.CachedS3ManifestStaticStorage", '
                    "whose URLs are STATIC_URL and the name.",
                    id="herokuify.W003",
                )
            )
    return unique(messages)


def _may_sign_urls(kind: type) -> bool:
    """Return whether a class of herokuify or django-storages may sign URLs."""
    s3_storage = getattr(sys.modules.get("storages.backends.s3"), "S3Storage", S3BotoStorage)
    return issubclass(kind, (S3BotoStorage, s3_storage)) and not issubclass(kind, S3StaticStorage)


def signs_urls(storage: Any) -> bool:
    """Return whether a storage of herokuify or django-storages signs its URLs."""
    # URLs with a custom domain are only signed with a CloudFront key.
    is_unsigned_domain = storage.custom_domain and not storage.cloudfront_signer
    return bool(storage.querystring_auth) and not is_unsigned_domain


def check_root(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E005: a build can't write to STATIC_ROOT."""
    # Elsewhere, the disk may be read-only on purpose.
    if get_stage(os.environ) not in {Stage.BUILD, Stage.RELEASE}:
        return []
    root = settings.STATIC_ROOT
    if not root or not _is_written():
        return []
    nearest = Path(os.path.abspath(root))
    while not os.path.exists(nearest):  # noqa: PTH110  (Path.exists() raises without permission)
        nearest = nearest.parent
    if not nearest.is_dir():
        fault = f"{nearest} is not a folder"
    elif not _is_writable(nearest):
        fault = f"{nearest} is read-only for the current user"
    else:
        return []
    return [
        error(
            f"Static files can't be written to STATIC_ROOT ({root}): {fault}.",
            hint='Choose a folder in the project: STATIC_ROOT = BASE_DIR / "staticfiles"',
            id="herokuify.E005",
        )
    ]


def _is_written() -> bool:
    """Return whether collectstatic or compress writes below STATIC_ROOT."""
    from django.contrib.staticfiles.storage import StaticFilesStorage

    kinds: list[type] = [StaticFilesStorage]
    if s3_registered():
        kinds += [CachedS3BotoStorage, S3ManifestStaticStorage]
    static = [one for one in find_storages()[0] if one.is_static]
    return any(issubclass(one.kind, tuple(kinds)) for one in static)


def _is_writable(folder: Path) -> bool:
    wanted = os.W_OK | os.X_OK
    return os.access(folder, wanted, effective_ids=os.access in os.supports_effective_ids)
