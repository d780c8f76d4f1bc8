"""The published static files: whether they are in the bucket, with the right headers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from itertools import islice
from time import monotonic
from typing import Any

from django.conf import settings

from herokuify.buckets.headers import COMPARED
from herokuify.collect.project import offline_bundles
from herokuify.doctor.access import ask, is_status
from herokuify.doctor.findings import Finding, Subject
from herokuify.doctor.runner import Findings
from herokuify.env import LIVE, get_stage
from herokuify.exceptions import ConfigurationError, S3Error
from herokuify.s3.headers import HEADERS_BY_PARAMETER, METADATA_PREFIX
from herokuify.s3.upload import TOKEN, accepted_by
from herokuify.storage import S3BotoStorage
from herokuify.storage.manifest import S3ManifestStaticStorage
from herokuify.storage.static import S3StaticStorage

#: Objects whose headers are checked, each with different ones.
MOST_HEADS = 24
MOST_NAMED = 5
LISTING_SECONDS = 20.0
_COLLECT = "python manage.py collectstatic --noinput"
#: Parameters with defaults in the bucket, which are compared only if they are in the settings.
_WITH_DEFAULTS = ("ServerSideEncryption", "SSEKMSKeyId", "StorageClass")


def published_names(storage: S3StaticStorage) -> dict[str, bool]:
    """Return the names of the files in the local manifests, and whether they are hashed names.

    Raises ConfigurationError for an invalid offline manifest.
    """
    hashed = storage.hashed_files if isinstance(storage, S3ManifestStaticStorage) else {}
    names = dict.fromkeys(hashed, False)
    names |= {name: name != source or name in storage.immutable for source, name in hashed.items()}
    return names | {name: True for name, _ in offline_bundles(storage)}


def probe_published(
    storage: S3StaticStorage, subject: Subject, list_refusal: S3Error | None
) -> Findings:
    """Compare the files in the manifests with the bucket, and their headers."""
    try:
        names = published_names(storage)
    except ConfigurationError as error:
        yield subject.refused("static.files", error, _COLLECT)
        return
    if not names:
        yield _without_manifest(storage, subject)
        yield subject.skipped("static.headers", "no manifest names an object to check")
        return
    if list_refusal is not None:
        yield subject.skipped("static.files", "unknown, because s3.list failed")
    else:
        yield _files(storage, subject, [name for name, is_hashed in names.items() if is_hashed])
    yield _headers(storage, subject, names)


def _without_manifest(storage: S3StaticStorage, subject: Subject) -> Finding:
    probe = "static.files"
    if not isinstance(storage, S3ManifestStaticStorage):
        return subject.skipped(probe, f"{type(storage).__name__} has no manifest")
    message = f"there is no manifest {storage.manifest_name!r} in STATIC_ROOT"
    if get_stage(os.environ) not in LIVE:
        return subject.skipped(probe, f"{message} ({settings.STATIC_ROOT})")
    return subject.failed(
        probe,
        f"On this dyno {message} ({settings.STATIC_ROOT}): pages with static files fail.",
        "heroku config:unset DISABLE_COLLECTSTATIC, and build again: collectstatic writes the "
        "manifest into the slug",
    )


def _files(storage: S3StaticStorage, subject: Subject, names: list[str]) -> Finding:
    probe = "static.files"
    try:
        keys = _keys(storage)
    except S3Error as error:
        return subject.refused(probe, error, "Try again.")
    if keys is None:
        return subject.warning(
            probe, f"The bucket was not listed within {LISTING_SECONDS:.0f} seconds.", "Try again."
        )
    missing = [name for name in names if storage.key_of(name) not in keys]
    if not missing:
        return subject.ok(probe, f"All {len(names)} files of the manifests are in the bucket.")
    return subject.failed(
        probe,
        f"{len(missing)} of the {len(names)} files in the manifests are not in the bucket: "
        f"{_listed(missing)}.",
        _COLLECT,
    )


def _keys(storage: S3StaticStorage) -> set[str] | None:
    """Return the keys below the location, or None if listing takes too long."""
    location = storage.location.strip("/")
    deadline = monotonic() + LISTING_SECONDS
    keys: set[str] = set()
    pages = storage.probing_client.get_paginator("list_objects_v2").paginate(
        Bucket=storage.bucket_name, Prefix=f"{location}/" if location else ""
    )
    listing = iter(pages)
    while page := ask(storage, location, lambda: next(listing, None)):
        keys.update(item["Key"] for item in page.get("Contents", ()))
        if monotonic() > deadline:
            return None
    return keys


def _headers(storage: S3StaticStorage, subject: Subject, names: Mapping[str, bool]) -> Finding:
    probe = "static.headers"
    sample = dict(islice(_sample(storage, names), MOST_HEADS))
    wrong: list[str] = []
    found = 0
    for name, expected in sample.items():
        try:
            head = _head(storage, name)
        except S3Error as error:
            return subject.refused(probe, error, "Try again.")
        if head is None:
            continue
        found += 1
        differences = list(_differences(storage, expected, head))
        if differences:
            wrong.append(f"{name} has {' and '.join(differences)}")
    if wrong:
        return subject.warning(
            probe,
            f"{len(wrong)} of {found} objects have headers that differ from the settings: "
            f"{_listed(wrong, '; ')}.",
            _COLLECT,
        )
    if not found:
        return subject.skipped(probe, "none of the release's files is in the bucket")
    return subject.ok(probe, f"The headers of {found} objects are those of the settings.")


def _sample(
    storage: S3StaticStorage, names: Mapping[str, bool]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield one name for each combination of headers, with its parameters."""
    seen = set()
    for name in sorted(names):
        parameters = storage.parameters_for(name, is_hashed=names[name])
        fingerprint = repr(sorted(parameters.items()))
        if fingerprint not in seen:
            seen.add(fingerprint)
            yield name, parameters


def _head(storage: S3StaticStorage, name: str) -> Any:
    key = storage.key_of(name)
    client = storage.probing_client
    parameters = accepted_by(client, "HeadObject", storage.get_object_parameters(key))
    try:
        return ask(
            storage,
            key,
            lambda: client.head_object(Bucket=storage.bucket_name, Key=key, **parameters),
        )
    except S3Error as error:
        if is_status(error, 404):
            return None  # static.files reports it
        raise


def _differences(
    storage: S3BotoStorage, expected: Mapping[str, Any], head: Mapping[str, Any]
) -> Iterator[str]:
    for parameter in COMPARED:
        desired, found = (_comparable(parameter, side.get(parameter)) for side in (expected, head))
        if parameter == "ContentEncoding" and found == "gzip" and storage.can_be_gzipped(expected):
            continue
        if desired != found:
            yield _difference(HEADERS_BY_PARAMETER[parameter], desired, found)
    for parameter in _WITH_DEFAULTS:
        desired = expected.get(parameter)
        if desired not in {None, "STANDARD", head.get(parameter)}:
            yield _difference(HEADERS_BY_PARAMETER[parameter], desired, head.get(parameter))
    desired = expected.get("Metadata", {})
    found = {name: value for name, value in head.get("Metadata", {}).items() if name != TOKEN}
    for name in sorted({*desired, *found}):
        if desired.get(name) != found.get(name):
            yield _difference(f"{METADATA_PREFIX}{name}", desired.get(name), found.get(name))


def _comparable(parameter: str, value: Any) -> object:
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).replace(microsecond=0)
    if parameter == "ContentEncoding" and value:
        # boto3 may send "aws-chunked" in addition, which some services store.
        return value.removeprefix("aws-chunked").strip(", ") or None
    return value or None


def _difference(header: str, desired: object, found: object) -> str:
    if found is None:
        return f"no {header} and should have {desired!s}"
    if desired is None:
        return f"{header}: {found!s}, which is not in the settings"
    return f"{header}: {found!s} instead of {desired!s}"


def _listed(items: list[str], separator: str = ", ") -> str:
    more = len(items) - MOST_NAMED
    return separator.join(items[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
