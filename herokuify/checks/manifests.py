"""The manifests that a dyno needs from its build to render pages."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.conf import STATICFILES_STORAGE_ALIAS, settings
from django.core.checks import CheckMessage

from herokuify.checks.compressor import is_offline
from herokuify.checks.messages import CheckWarning
from herokuify.env import LIVE, get_stage
from herokuify.storage.manifest import SlugManifestStorage
from herokuify.storage.registry import s3_storages

#: Storages that keep the offline manifest on the disk, below COMPRESS_ROOT.
ON_DISK = (
    "compressor.storage.OfflineManifestFileStorage",
    "herokuify.storage.offline.OfflineManifestStorage",
)


def check_static(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W008: a dyno without the manifest of hashed names."""
    if get_stage(os.environ) not in LIVE or settings.DEBUG:
        return []
    made = {one.alias: storage for one, storage in s3_storages()}
    storage: Any = made.get(STATICFILES_STORAGE_ALIAS)
    if storage is None or not getattr(storage, "manifest_strict", False):
        return []
    if not isinstance(storage.manifest_storage, SlugManifestStorage):
        return []
    path = Path(storage.manifest_storage.path(storage.manifest_name))
    if path.is_file():
        return []
    return [
        CheckWarning(
            f"{path} does not exist, and without it every page with a static file fails: "
            "collectstatic did not run in the build that dynos start from.",
            hint="heroku config:unset DISABLE_COLLECTSTATIC if it is set, and deploy again.",
            id="herokuify.W008",
        )
    ]


def check_offline(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W009: a dyno without compressor's offline manifest."""
    if get_stage(os.environ) not in LIVE:
        return []
    known: Any = settings  # with compressor's settings, which the type stubs lack
    if not is_offline() or known.COMPRESS_OFFLINE_MANIFEST_STORAGE not in ON_DISK:
        return []
    path = Path(
        known.COMPRESS_ROOT, known.COMPRESS_OUTPUT_DIR.strip("/"), known.COMPRESS_OFFLINE_MANIFEST
    )
    if path.is_file():
        return []
    return [
        CheckWarning(
            f"{path} does not exist, and with COMPRESS_OFFLINE every page with a bundle fails: "
            "compress did not run in the build that dynos start from.",
            hint="Run `python manage.py compress` in bin/post_compile, or set HEROKUIFY_COMPRESS "
            "= True in the settings, and deploy again.",
            id="herokuify.W009",
        )
    ]
