"""The storages that the settings name, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import Storage

from herokuify.doctor.access import Listing, probe_access
from herokuify.doctor.bounded import Examination, Findings
from herokuify.doctor.findings import Finding, State, Subject
from herokuify.doctor.publicity import probe_cors, probe_media, probe_static
from herokuify.doctor.published import probe_published, published_names
from herokuify.doctor.scratch import PREFIX, Scratch
from herokuify.storage import S3BotoStorage
from herokuify.storage.configured import named_storages
from herokuify.storage.static import S3StaticStorage

SETTINGS = "s3.settings"
SECONDS = 60.0  # for all probes of one storage
OBJECTS = ("s3.list", "s3.put", "s3.conditional-put", "s3.get", "s3.delete")
STATIC = ("static.public", "static.cors", "static.files", "static.headers")
MEDIA = ("media.url", "media.private")


#: The buckets that have been asked for, and what keeps their storages from going on.
Blocked = dict[tuple[object, ...], str]


def examinations() -> Iterator[Examination]:
    """Yield an examination for each storage; those that are equal are one."""
    places: Blocked = {}
    seen: dict[S3BotoStorage, list[str]] = {}
    for alias, storage_class, make in _named():
        if not issubclass(storage_class, S3BotoStorage):
            yield _unknown(alias, storage_class)
            continue
        try:
            storage = cast(S3BotoStorage, make())
        except Exception as error:  # noqa: BLE001 (a subclass of the project's may raise anything)
            yield _broken(alias, error)
            continue
        seen.setdefault(storage, []).append(_called(alias))
    for storage, aliases in seen.items():
        subject = Subject(", ".join(aliases))
        yield Examination(
            subject,
            "s3",
            SECONDS,
            "Check AWS_S3_ENDPOINT_URL, and whether an object is left: "
            f"s3://{storage.bucket_name}/{storage.location.strip('/')}/{PREFIX}….txt",
            partial(_probe, storage, subject, places),
        )


def _named() -> Iterator[tuple[str, type[Storage], Callable[[], Storage]]]:
    try:
        yield from named_storages()
    except ImportError:
        return  # herokuify's system check has told it


def _called(alias: str) -> str:
    return alias if alias.isupper() else f"STORAGES[{alias!r}]"


def _unknown(alias: str, storage_class: type[Storage]) -> Examination:
    reason = f"{storage_class.__name__} is no storage of herokuify's"

    def probes() -> Findings:
        yield Subject(_called(alias)).skipped("s3", reason)

    return Examination(Subject(_called(alias)), "s3", SECONDS, "", probes)


def _broken(alias: str, error: Exception) -> Examination:
    def probes() -> Findings:
        yield Subject(_called(alias)).refused(SETTINGS, error, "Mend the settings of this storage.")

    return Examination(Subject(_called(alias)), "s3", SECONDS, "", probes)


def _probe(storage: S3BotoStorage, subject: Subject, places: Blocked) -> Findings:
    try:
        storage.check_configuration()
    except ImproperlyConfigured as error:
        yield subject.refused(SETTINGS, error, "Mend the settings of this storage.")
        yield from _skip_all(storage, subject, f"{SETTINGS} failed")
        return
    key = storage.bucket_name, storage.endpoint_url, storage.region_name, storage.access_key
    if not places.get(key):
        listing = Listing.first(storage)
        if key not in places or listing.broken:
            yield from probe_access(storage, listing, Subject(f"s3://{storage.bucket_name}"))
        places[key] = f"{listing.broken} failed" if listing.broken else ""
    if places[key]:
        yield from _skip_all(storage, subject, f"not asked, because {places[key]}")
        return
    yield _listable(storage, subject, listing)
    scratch = Scratch(storage, subject)
    try:
        yield from _probe_object(storage, subject, scratch, listing)
    finally:
        scratch.remove()
    if isinstance(storage, S3StaticStorage):
        yield from probe_published(storage, subject, listing.error)


def _listable(storage: S3BotoStorage, subject: Subject, listing: Listing) -> Finding:
    if listing.error is not None:
        return subject.refused("s3.list", listing.error, "Try again.")
    place = f"s3://{storage.bucket_name}/{storage.location.strip('/')}/"
    return subject.ok("s3.list", f"{place} can be listed.")


def _probe_object(
    storage: S3BotoStorage, subject: Subject, scratch: Scratch, listing: Listing
) -> Findings:
    """Put an object, look at it from here and from outside, and delete it."""
    put = scratch.put()
    yield put
    is_put = put.state is State.OK
    reason = "not asked, because s3.put failed"
    if is_put:
        yield scratch.put_again()
        yield scratch.get()
    else:
        for probe in OBJECTS[2:]:
            yield subject.skipped(probe, reason)
    if isinstance(storage, S3StaticStorage):
        yield from _visit_static(storage, subject, scratch, listing)
    elif is_put:
        yield from probe_media(storage, subject, scratch.name, scratch.body)
    else:
        for probe in MEDIA:
            yield subject.skipped(probe, reason)
    if is_put:
        yield scratch.delete()


def _visit_static(
    storage: S3StaticStorage, subject: Subject, scratch: Scratch, listing: Listing
) -> Findings:
    try:
        names = list(published_names(storage))
    except ImproperlyConfigured:
        names = []  # static.files tells it
    name: str | None = scratch.name
    body: bytes | None = scratch.body
    if not scratch.is_there:
        # Another file proves less: one of its name may lie at a wrong STATIC_URL as well.
        folder = storage.key_of("x").removesuffix("x")
        name = next(
            (key.removeprefix(folder) for key in listing.keys if not key.endswith("/")), None
        )
        body = None
    if name is None:
        for probe in STATIC[:2]:
            yield subject.skipped(probe, "there is no file to ask for, because s3.put failed")
        return
    public = probe_static(storage, subject, name, body)
    yield public
    if public.state is State.OK:
        yield probe_cors(storage, subject, name, names or None)
    else:
        yield subject.skipped("static.cors", "not asked, because static.public failed")


def _skip_all(storage: S3BotoStorage, subject: Subject, reason: str) -> Findings:
    kind = STATIC if isinstance(storage, S3StaticStorage) else MEDIA
    for probe in (*OBJECTS, *kind):
        yield subject.skipped(probe, reason)
