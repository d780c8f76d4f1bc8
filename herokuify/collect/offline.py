"""django-compressor's offline manifest, the same for every build of a commit."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

from compressor.storage import (
    OfflineManifestFileStorage,
    default_offline_manifest_storage,
    get_storage,
)
from django.core.management import call_command

from herokuify.collect.options import Outcome
from herokuify.collect.project import publish_bundles
from herokuify.collect.report import Progress
from herokuify.storage.backend import S3BotoStorage
from herokuify.storage.cached import CachedS3StaticStorage
from herokuify.storage.content import from_start, staged


class OfflineManifestStorage(OfflineManifestFileStorage):
    """Writes the offline manifest sorted and atomically, in the slug.

    Then it sees to it that the bundles are on S3, and that collectstatic knows them as the
    release's. compressor fills it from threads, in the order in which they happen to finish: two
    builds of one commit would differ.
    """

    def save(self, name: str, content: Any, max_length: int | None = None) -> str:
        """Replace the manifest; returns its name.

        Raises ConfigurationError when COMPRESS_STORAGE can't work: compressor loses the
        errors of its threads, and would write an empty manifest with success.
        """
        storage = get_storage()
        if isinstance(storage, S3BotoStorage):
            storage.check_configuration()
        with from_start(content) as source:
            ordered = json.dumps(json.loads(source.read()), indent=2, sort_keys=True)
        with staged(Path(self.path(name)), io.BytesIO(ordered.encode())):
            pass
        if isinstance(storage, CachedS3StaticStorage) and not storage.is_local_only:
            publish_bundles(storage, Progress(sys.stdout, is_quiet=True))
        return name


def compress(progress: Progress, **options: Any) -> Outcome | None:
    """Run `compress`, then send its bundles through the collect engine.

    Returns None when compressor's storages leave the engine nothing to do.
    """
    storage = get_storage()
    keeps_manifest_here = isinstance(default_offline_manifest_storage, OfflineManifestFileStorage)
    if not (isinstance(storage, CachedS3StaticStorage) and keeps_manifest_here):
        call_command("compress", **options)
        return None
    with storage.local_only():
        call_command("compress", **options)
    return publish_bundles(storage, progress)
