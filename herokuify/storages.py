"""Settings fragment for files: ``STORAGES = herokuify.get_storages()``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from herokuify import env
from herokuify.conf.addons import find_addon

BUCKET = "AWS_STORAGE_BUCKET_NAME"
MEDIA = "herokuify.storage.S3MediaStorage"
STATIC = "herokuify.storage.CachedS3ManifestStaticStorage"
WHITENOISE = "whitenoise.storage.CompressedManifestStaticFilesStorage"
#: Django's own.
LOCAL_MEDIA = "django.core.files.storage.FileSystemStorage"
LOCAL_STATIC = "django.contrib.staticfiles.storage.StaticFilesStorage"


def get_storages(
    environ: Mapping[str, str] | None = None,
    *,
    media: str | Mapping[str, Any] = MEDIA,
    static: str | Mapping[str, Any] = STATIC,
) -> dict[str, dict[str, Any]]:
    """Return STORAGES: on S3 if a bucket is set, else on the local disk.

    ``media`` and ``static`` are dotted paths of other classes for S3, or dictionaries that are
    merged into the entries: ``media={"OPTIONS": {"querystring_expire": 600}}``. Without a bucket,
    static files use WhiteNoise's storage with hashed names if WhiteNoise is installed and the site
    is deployed, else Django's own, which doesn't need collectstatic. Raises ConfigurationError if
    two add-ons provide a bucket.
    """
    environ = os.environ if environ is None else environ
    if env.is_set(environ, BUCKET) or find_addon(environ) is not None:
        return {"default": _entry(media, MEDIA), "staticfiles": _entry(static, STATIC)}
    is_hashed = env.get_stage(environ) in env.DEPLOYED and find_spec("whitenoise") is not None
    return {
        "default": {"BACKEND": LOCAL_MEDIA},
        "staticfiles": {"BACKEND": WHITENOISE if is_hashed else LOCAL_STATIC},
    }


def _entry(given: str | Mapping[str, Any], backend: str) -> dict[str, Any]:
    return {"BACKEND": given} if isinstance(given, str) else {"BACKEND": backend, **given}
