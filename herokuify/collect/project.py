"""Describe a project's static files and their destination for the collect engine."""

from __future__ import annotations

import enum
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from sys import intern
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.utils.crypto import salted_hmac

from herokuify.collect.engine import Collection
from herokuify.collect.index import index_key
from herokuify.collect.options import (
    Options,
    Outcome,
    PublishError,
    RemoveError,
    Target,
    VanishedError,
)
from herokuify.collect.release import Found, NotStagedError, Release
from herokuify.collect.report import Progress
from herokuify.collect.visitors import confirm_public
from herokuify.exceptions import ConfigurationError
from herokuify.s3.client import COLLECT
from herokuify.s3.errors import explain, explained, failures
from herokuify.storage.cached import CachedS3BotoStorage
from herokuify.storage.locations import is_at_bucket
from herokuify.storage.manifest import S3ManifestStaticStorage
from herokuify.storage.staging import needs_staging, sends_by_itself
from herokuify.storage.static import S3StaticStorage, compressed_prefix, is_bundle

logger = logging.getLogger("herokuify.collect")

#: How often a run starts again because another one has removed objects that it needs.
ROUNDS = 3


class Scope(enum.Enum):
    """Which objects a run supersedes if they are not in its release."""

    RELEASE = "all objects below the location"
    ALL_BUT_BUNDLES = "all but compressor's bundles, whose manifest is not on this machine"
    BUNDLES = "only compressor's bundles"
    ADDITIONS = "none, because files are only sent without hashing"

    def includes(self, *, is_bundle: bool) -> bool:
        """Return whether the run may supersede an object."""
        return {
            Scope.RELEASE: True,
            Scope.ALL_BUT_BUNDLES: not is_bundle,
            Scope.BUNDLES: is_bundle,
            Scope.ADDITIONS: False,
        }[self]


def collect(
    storage: S3StaticStorage,
    found: Found,
    options: Options,
    progress: Progress,
    *,
    post_process: bool = True,
) -> Outcome:
    """Publish the collected files, hashed if the storage does that, and compressor's bundles.

    Raises CommandError with all failed files and the reasons, S3ConfigurationError if S3 refuses
    all requests, and NotStagedError if only Django's own command can use the storage.
    """
    bundles = list(offline_bundles(storage))
    scope = Scope.RELEASE if bundles else Scope.ALL_BUT_BUNDLES
    if isinstance(storage, S3ManifestStaticStorage) and not post_process:
        scope = Scope.ADDITIONS
    if methods := sends_by_itself(storage):
        raise NotStagedError(storage, min(methods))
    is_staged = needs_staging(storage) and not options.is_dry_run

    def run(collection: Collection) -> None:
        release = Release(storage, collection, options)
        with TemporaryDirectory(prefix="herokuify-") if is_staged else nullcontext("") as folder:
            if is_staged:
                release.add_staged(found, folder, post_process=post_process)
            elif post_process and isinstance(storage, S3ManifestStaticStorage):
                release.add_hashed(storage, found)
            else:
                release.add_all(found)
            release.add_bundles(bundles)
            collection.publish(release.add_plain)
        release.activate_manifest()
        collection.prune_and_save_index()

    return _run(run, storage, options, progress, scope, sorted(found))


def publish_bundles(storage: S3StaticStorage, progress: Progress) -> Outcome:
    """Publish the bundles in the local offline manifest."""

    def run(collection: Collection) -> None:
        Release(storage, collection, Options()).add_bundles(list(offline_bundles(storage)))
        collection.publish()
        collection.prune_and_save_index()

    return _run(run, storage, Options(), progress, Scope.BUNDLES)


def _run(
    work: Callable[[Collection], None],
    storage: S3StaticStorage,
    options: Options,
    progress: Progress,
    scope: Scope,
    names: Sequence[str] = (),
) -> Outcome:
    """Do the work; start again if another run removes objects that this one needs."""
    earlier = None
    for _ in range(ROUNDS):
        try:
            with _collection(storage, options, progress, scope, names) as collection:
                work(collection)
            return collection.outcome.after(earlier)
        except VanishedError:
            earlier = collection.outcome.after(earlier)
            progress.collected = progress.unchanged = 0
            logger.warning(
                "Another collectstatic has removed files that this release needs; sending them "
                "again."
            )
    raise CommandError(
        "Another collectstatic has repeatedly removed files that this release needs. Run "
        "collectstatic when no other is running on "
        f"s3://{storage.bucket_name}/{storage.location.strip('/')}/."
    )


def bundles_record(storage: CachedS3BotoStorage) -> Path:
    """Return the path of the list of local bundles, beside compressor's offline manifest."""
    return storage.local_root / compressed_prefix() / "herokuify-bundles.json"


def offline_bundles(storage: S3StaticStorage) -> Iterator[tuple[str, Path]]:
    """Yield the names and paths of the local bundles, if there is an offline manifest."""
    if not isinstance(storage, CachedS3BotoStorage):
        return
    record = bundles_record(storage)
    manifest = record.with_name(getattr(settings, "COMPRESS_OFFLINE_MANIFEST", "manifest.json"))
    if not manifest.exists():
        return
    try:
        names = json.loads(record.read_bytes())
        if not isinstance(names, list) or not isinstance(json.loads(manifest.read_bytes()), dict):
            raise TypeError
        bundles = [(str(name), storage.local_root / name) for name in sorted(names)]
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{manifest} or {record} was not written by compress.",
            "Remove both, and run: python manage.py compress",
        ) from error
    yield from bundles


@contextmanager
def _collection(
    storage: S3StaticStorage,
    options: Options,
    progress: Progress,
    scope: Scope,
    names: Sequence[str] = (),
) -> Iterator[Collection]:
    location = storage.location.strip("/")
    if not location:
        raise ConfigurationError(
            f"{storage.__class__.__name__} has an empty location: its files would fill the "
            f"whole bucket {storage.bucket_name!r}.",
            "Give it a folder, such as 'static'.",
        )
    # One part at a time, so that a large file doesn't need more memory than many small ones.
    transfer = storage.transfer._replace(concurrency=1)
    destination = replace(storage.destination, transfer=transfer)
    prefix = f"{location}/"
    # Without a folder of their own, only their names distinguish bundles from other files, so
    # old ones are kept.
    folder = compressed_prefix()
    if scope is Scope.BUNDLES and not folder:
        scope = Scope.ADDITIONS
    target = Target(
        destination=destination,
        profile=COLLECT._replace(connections=_concurrency()),
        prefix=prefix + folder if scope is Scope.BUNDLES else prefix,
        index_key=index_key(location),
        has_manifest=isinstance(storage, S3ManifestStaticStorage),
        in_scope=lambda key: scope.includes(is_bundle=is_bundle(key.removeprefix(prefix))),
        create_bucket=_bucket_maker(storage, options),
        confirm_public=partial(confirm_public, storage)
        if is_at_bucket(storage.base_url, storage)
        else None,
        owner=_owner(),
        expected=[intern(prefix + name) for name in names],
    )
    with explained(destination, "s3:ListBucket"):
        collection = Collection(target, options, progress)
    try:
        yield collection
    except PublishError as error:
        raise CommandError(_failure(storage, error)) from error
    except RemoveError as error:
        lines = "\n".join(f"  {key}: {code}" for key, code in sorted(error.codes.items()))
        raise CommandError(
            f"The release is published, but {error}. The permission s3:DeleteObject may be "
            f"missing:\n{lines}"
        ) from error
    except failures() as error:
        raise explain(error, destination) from error
    finally:
        collection.close()


def _owner() -> str:
    """Return eight hex digits that identify this app among apps that share the location.

    They are the same in all builds, so SECRET_KEY is only used if it comes from the environment.
    """
    try:
        key: str = settings.SECRET_KEY
    except ImproperlyConfigured:  # no key, as in many builds
        key = ""
    known = key if key in os.environ.values() else ""
    urls = str(getattr(settings, "ROOT_URLCONF", ""))
    return salted_hmac(
        "herokuify.collect", urls, secret=f"{known}.", algorithm="sha256"
    ).hexdigest()[:8]


def _concurrency() -> int:
    value = getattr(settings, "HEROKUIFY_UPLOAD_CONCURRENCY", COLLECT.connections)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(
            f"HEROKUIFY_UPLOAD_CONCURRENCY is {value!r}; it must be a whole number of requests, "
            f"at least 1. The default is {COLLECT.connections}."
        )
    return value


def _bucket_maker(storage: S3StaticStorage, options: Options) -> Any:
    if not storage.auto_create_bucket:
        return None
    return (lambda: None) if options.is_dry_run else storage.create_bucket


def _failure(storage: S3StaticStorage, error: PublishError) -> str:
    """Return the message for a failed release: the failed keys, grouped by cause."""
    causes: dict[str, list[str]] = {}
    for key, failure in sorted(error.failures.items()):
        cause = str(failure)
        if isinstance(failure, failures()):
            cause = str(explain(failure, storage.destination))
        causes.setdefault(cause, []).append(key)
    state = (
        "The release was not published: its manifest is unchanged, and the running release is "
        "intact."
        if isinstance(storage, S3ManifestStaticStorage)
        else "The files that were sent are published; the next run sends the rest."
    )
    blocks = "\n".join(
        "\n".join([f"{cause}", *(f"  {key}" for key in keys)]) for cause, keys in causes.items()
    )
    return f"{error}. {state}\n{blocks}"
