"""Probes of the storages that the settings name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import cast

from django.core.exceptions import ImproperlyConfigured

from herokuify.doctor.access import Listing, probe_access
from herokuify.doctor.earlier import probe_headers
from herokuify.doctor.findings import Finding, State, Subject
from herokuify.doctor.probe_object import PREFIX, ProbeObject
from herokuify.doctor.public_access import probe_cors, probe_media, probe_static
from herokuify.doctor.published import probe_published, published_names
from herokuify.doctor.runner import Findings, ProbeGroup
from herokuify.storage import S3BotoStorage, S3MediaStorage
from herokuify.storage.registry import Registered, find_storages
from herokuify.storage.static import S3StaticStorage

SETTINGS = "s3.settings"
SECONDS = 60.0  # for all probes of one storage
OBJECTS = ("s3.list", "s3.put", "s3.conditional-put", "s3.get", "s3.delete")
STATIC = ("static.public", "static.cors", "static.files", "static.headers")
MEDIA = ("media.url", "media.private")

#: Buckets that have been probed → why their storages can't be probed, or "".
Blocked = dict[tuple[object, ...], str]


def probe_groups() -> Iterator[ProbeGroup]:
    """Yield a group of probes for each storage, and one for storages that are equal."""
    blocked: Blocked = {}
    seen: dict[S3BotoStorage, list[str]] = {}
    for one in find_storages()[0]:
        if not one.is_s3:
            yield _unknown(one)
            continue
        try:
            storage = cast(S3BotoStorage, one.make())
        except Exception as error:  # noqa: BLE001 (a project's subclass may raise anything)
            yield _broken(one, error)
            continue
        seen.setdefault(storage, []).append(_title(one))
    for storage, aliases in seen.items():
        subject = Subject(", ".join(aliases))
        yield ProbeGroup(
            subject,
            "s3",
            SECONDS,
            "Check AWS_S3_ENDPOINT_URL, and whether an object remains: "
            f"s3://{storage.bucket_name}/{storage.location.strip('/')}/{PREFIX}….txt",
            partial(_probe, storage, subject, blocked),
        )


def _title(one: Registered) -> str:
    return one.setting.replace('"', "'")


def _unknown(one: Registered) -> ProbeGroup:
    reason = f"{one.kind.__name__} is not a herokuify storage"

    def probes() -> Findings:
        yield Subject(_title(one)).skipped("s3", reason)

    return ProbeGroup(Subject(_title(one)), "s3", SECONDS, "", probes)


def _broken(one: Registered, error: Exception) -> ProbeGroup:
    def probes() -> Findings:
        yield Subject(_title(one)).refused(SETTINGS, error, "Fix the settings of this storage.")

    return ProbeGroup(Subject(_title(one)), "s3", SECONDS, "", probes)


def _probe(storage: S3BotoStorage, subject: Subject, blocked: Blocked) -> Findings:
    try:
        storage.check_configuration()
    except ImproperlyConfigured as error:
        yield subject.refused(SETTINGS, error, "Fix the settings of this storage.")
        yield from _skip_all(storage, subject, f"{SETTINGS} failed")
        return
    key = storage.bucket_name, storage.endpoint_url, storage.region_name, storage.access_key
    if not blocked.get(key):
        listing = Listing.first(storage)
        if key not in blocked or listing.broken:
            yield from probe_access(storage, listing, Subject(f"s3://{storage.bucket_name}"))
        blocked[key] = f"{listing.broken} failed" if listing.broken else ""
    if blocked[key]:
        yield from _skip_all(storage, subject, f"skipped, because {blocked[key]}")
        return
    yield _listable(storage, subject, listing)
    probe_object = ProbeObject(storage, subject)
    try:
        yield from _probe_object(storage, subject, probe_object, listing)
    finally:
        probe_object.remove()
    if isinstance(storage, S3StaticStorage):
        yield from probe_published(storage, subject, listing.error)
    elif isinstance(storage, S3MediaStorage) and listing.error is None:
        yield probe_headers(storage, subject)


def _listable(storage: S3BotoStorage, subject: Subject, listing: Listing) -> Finding:
    if listing.error is not None:
        return subject.refused("s3.list", listing.error, "Try again.")
    place = f"s3://{storage.bucket_name}/{storage.location.strip('/')}/"
    return subject.ok("s3.list", f"{place} can be listed.")


def _probe_object(
    storage: S3BotoStorage, subject: Subject, probe_object: ProbeObject, listing: Listing
) -> Findings:
    """Put an object, read it with credentials and as a visitor, and delete it."""
    put = probe_object.put()
    yield put
    is_put = put.state is State.OK
    reason = "skipped, because s3.put failed"
    if is_put:
        yield probe_object.put_again()
        yield probe_object.get()
    else:
        for probe in OBJECTS[2:]:
            yield subject.skipped(probe, reason)
    if isinstance(storage, S3StaticStorage):
        yield from _visit_static(storage, subject, probe_object, listing)
    elif is_put:
        yield from probe_media(storage, subject, probe_object.name, probe_object.body)
    else:
        for probe in _media(storage):
            yield subject.skipped(probe, reason)
    if is_put:
        yield probe_object.delete()


def _visit_static(
    storage: S3StaticStorage, subject: Subject, probe_object: ProbeObject, listing: Listing
) -> Findings:
    try:
        names = list(published_names(storage))
    except ImproperlyConfigured:
        names = []  # static.files reports it
    name: str | None = probe_object.name
    body: bytes | None = probe_object.body
    if not probe_object.is_there:
        # Another file proves less, because one of its name may also be at a wrong STATIC_URL.
        folder = storage.key_of("x").removesuffix("x")
        name = next(
            (key.removeprefix(folder) for key in listing.keys if not key.endswith("/")), None
        )
        body = None
    if name is None:
        for probe in STATIC[:2]:
            yield subject.skipped(probe, "there is no file to request, because s3.put failed")
        return
    public = probe_static(storage, subject, name, body)
    yield public
    if public.state is State.OK:
        yield probe_cors(storage, subject, name, names or None)
    else:
        yield subject.skipped("static.cors", "skipped, because static.public failed")


def _media(storage: S3BotoStorage) -> tuple[str, ...]:
    return MEDIA[:1] if storage.public else MEDIA


def _skip_all(storage: S3BotoStorage, subject: Subject, reason: str) -> Findings:
    kind = STATIC if isinstance(storage, S3StaticStorage) else _media(storage)
    for probe in (*OBJECTS, *kind):
        yield subject.skipped(probe, reason)
