"""django-compressor's offline manifest, identical in all builds of a commit."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

from compressor.conf import settings
from compressor.storage import (
    OfflineManifestFileStorage,
    default_offline_manifest_storage,
    get_storage,
)
from django.core.management import call_command
from django.template import engines
from django.template.backends.django import DjangoTemplates
from django.template.utils import InvalidTemplateEngineError

from herokuify.collect.options import Outcome
from herokuify.collect.project import bundles_record, publish_bundles
from herokuify.collect.report import Progress
from herokuify.exceptions import ConfigurationError
from herokuify.storage.backend import S3BotoStorage
from herokuify.storage.cached import CachedS3BotoStorage, CachedS3StaticStorage
from herokuify.storage.content import from_start, staged

EXTENSION = "compressor.contrib.jinja2ext.CompressorExtension"


class OfflineManifestStorage(OfflineManifestFileStorage):
    """Writes the offline manifest to the slug, sorted and atomically.

    Sorted, because compressor's threads add entries in random order, so that two builds of one
    commit would differ. Also publishes the bundles, if no other command does, and records them for
    collectstatic.
    """

    def __init__(self, location: Any = None, base_url: Any = None, **options: Any) -> None:
        # The base class would treat "/CACHE" as an absolute path.
        folder = settings.COMPRESS_OUTPUT_DIR.strip("/")
        super().__init__(location or Path(settings.COMPRESS_ROOT, folder), base_url, **options)

    def save(self, name: str, content: Any, max_length: int | None = None) -> str:
        """Replace the manifest; return its name.

        Raises ConfigurationError if COMPRESS_STORAGE can't work: compressor ignores the
        errors of its threads, and would write an empty manifest.
        """
        storage = get_storage()
        if isinstance(storage, S3BotoStorage):
            storage.check_configuration()
        with from_start(content) as source:
            ordered = json.dumps(json.loads(source.read()), indent=2, sort_keys=True)
        _write(Path(self.path(name)), ordered)
        record_bundles()
        if isinstance(storage, CachedS3StaticStorage) and not storage.is_local_only:
            publish_bundles(storage, Progress(sys.stdout, is_quiet=True))
        return name


def record_bundles() -> None:
    """Record the names of the bundles that compressor has saved, for later commands."""
    storage = get_storage()
    if isinstance(storage, CachedS3BotoStorage):
        _write(bundles_record(storage), json.dumps(sorted(storage.saved_bundles), indent=2))


def _write(path: Path, text: str) -> None:
    with staged(path, io.BytesIO(text.encode())):
        pass


def is_wanted() -> bool:
    """Return whether collectstatic must run `compress` for HEROKUIFY_COMPRESS.

    Raises ConfigurationError, before anything is sent, if `compress` would fail.
    """
    if not settings.COMPRESS_ENABLED:
        return False
    if not settings.COMPRESS_OFFLINE:
        raise ConfigurationError(
            "HEROKUIFY_COMPRESS is set, and COMPRESS_OFFLINE is not: compress makes bundles for "
            "offline mode only.",
            "In settings.py: COMPRESS_OFFLINE = True",
        )
    get_engines()
    return True


def get_engines() -> list[str]:
    """Return the template engines for `compress`: "django", "jinja2" or both."""
    found = ["django"] if any(isinstance(one, DjangoTemplates) for one in engines.all()) else []
    try:
        environment = settings.COMPRESS_JINJA2_GET_ENVIRONMENT()
    except InvalidTemplateEngineError:
        environment = None  # compressor's default function needs a "jinja2" in TEMPLATES
    if environment is not None and EXTENSION in environment.extensions:
        found.append("jinja2")
    return found or ["django"]


def compress(progress: Progress, **options: Any) -> Outcome | None:
    """Run `compress`, then publish its bundles with the collect engine.

    Return None if compressor's storages aren't herokuify's, so that `compress` has saved them.
    """
    storage = get_storage()
    keeps_manifest_here = isinstance(default_offline_manifest_storage, OfflineManifestFileStorage)
    if not (isinstance(storage, CachedS3StaticStorage) and keeps_manifest_here):
        call_command("compress", **options)
        return None
    with storage.local_only():
        call_command("compress", **options)
    return publish_bundles(storage, progress)
