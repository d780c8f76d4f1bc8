"""Find all storages of the project: in its settings, and on its models' file fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from django.apps import apps
from django.conf import STATICFILES_STORAGE_ALIAS, settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.db.models import FileField
from django.utils.module_loading import import_string

from herokuify.conf.addresses import same_endpoint
from herokuify.exceptions import ConfigurationError
from herokuify.s3.policies import location_around

#: What creating a storage with wrong settings may raise; OSError if it reads a manifest.
UNUSABLE = (ImproperlyConfigured, OSError, TypeError, ValueError)


@dataclass(frozen=True)
class Registered:
    """A storage, with its class and the setting or model field that names it."""

    alias: str  # in STORAGES; for a model's field, "shop.Photo.image"
    kind: type
    setting: str  # where the project names it, for messages
    instance: Any = field(default=None, compare=False)  # if a model's field has created it

    @property
    def is_static(self) -> bool:
        """Whether it is for static files, including compressor's bundles."""
        return self.alias in {STATICFILES_STORAGE_ALIAS, compressor_alias()}

    @property
    def is_s3(self) -> bool:
        """Whether it is built on herokuify's backend."""
        return bool(getattr(self.kind, "is_on_s3", False))

    def make(self) -> Any:
        """Return the storage; raise one of UNUSABLE if its settings are wrong."""
        if self.instance is not None:
            return self.instance
        return self.kind() if self.setting == "COMPRESS_STORAGE" else storages[self.alias]


def compressor_alias() -> str:
    """Return the alias in STORAGES that compressor adds for its storage."""
    return str(getattr(settings, "COMPRESS_STORAGE_ALIAS", "compressor"))


def find_storages() -> tuple[list[Registered], dict[str, str]]:
    """Return the project's storages, and by setting the errors of those that can't be imported.

    A field's storage is left out if it equals one in the settings.
    """
    named: dict[str, tuple[str, Any]] = {}
    for alias, params in storages.backends.items():
        path = params.get("BACKEND") if isinstance(params, Mapping) else None
        named[alias] = f'STORAGES["{alias}"]', path
    # compressor adds its alias to STORAGES only when it is first used.
    if compress := getattr(settings, "COMPRESS_STORAGE", None):
        named.setdefault(compressor_alias(), ("COMPRESS_STORAGE", compress))
    found: list[Registered] = []
    faults: dict[str, str] = {}
    for alias, (setting, path) in named.items():
        try:
            found.append(Registered(alias, _imported(path), setting))
        except (ImportError, ImproperlyConfigured) as error:
            faults[setting] = str(error)
    found += _of_fields(found)
    return found, faults


def find_storage(alias: str) -> Registered | None:
    """Return the storage with an alias; None if it is missing or can't be imported."""
    return next((one for one in find_storages()[0] if one.alias == alias), None)


def s3_registered() -> list[Registered]:
    """Return the storages on herokuify's backend."""
    return [one for one in find_storages()[0] if one.is_s3]


def s3_storages() -> Iterator[tuple[Registered, Any]]:
    """Yield working storages on herokuify's backend; herokuify.E002 reports the others."""
    for one in s3_registered():
        try:
            yield one, one.make()
        except UNUSABLE:
            continue


def _imported(path: Any) -> type:
    if not isinstance(path, str):
        raise ImproperlyConfigured('it names no class: {"BACKEND": "…"}')
    kind = import_string(path)
    if isinstance(kind, ModuleType):  # import_string() accepts modules from Django 6.2 on
        raise ImproperlyConfigured(f"{path!r} is a module, not a class")
    # Django also accepts a function that returns a storage; its class is unknown.
    return kind if isinstance(kind, type) else object


def _of_fields(named: Sequence[Registered]) -> Iterator[Registered]:
    """Yield the storages on S3 that are set on model fields."""
    known: list[Any] = []
    for one in named:
        # Project classes may raise anything; other code reports it.
        with suppress(Exception):
            known += [one.make()] if one.is_s3 else []
    for each, storage in fields_on_s3():
        if storage not in known:
            known.append(storage)
            yield Registered(str(each), storage.__class__, str(each), storage)


def fields_on_s3() -> Iterator[tuple[FileField, Any]]:
    """Yield the models' file fields with storages on herokuify's backend, and the storages."""
    for model in apps.get_models() if apps.models_ready else ():
        for each in model._meta.local_fields:  # noqa: SLF001  (public)
            if not isinstance(each, FileField):
                continue
            is_s3 = False
            with suppress(Exception):
                # Accessing the class creates a lazy storage.
                storage: Any = each.storage
                is_s3 = getattr(storage.__class__, "is_on_s3", False)
            if is_s3:
                yield each, storage


# Storages that share a bucket


def share_bucket(one: Any, other: Any) -> bool:
    """Return whether two storages use the same bucket, at equivalent endpoints."""
    return one.bucket_name == other.bucket_name and any(
        same_endpoint(url, other_url)
        for url in {one.endpoint_url, one.public_endpoint}
        for other_url in {other.endpoint_url, other.public_endpoint}
    )


def sharing_bucket(storage: Any) -> list[Any]:
    """Return the storage and all others of the project with the same bucket."""
    others = [each for one in s3_registered() if (each := one.make()) is not storage]
    return [storage, *(other for other in others if share_bucket(storage, other))]


def by_bucket(found: Iterable[Any]) -> list[list[Any]]:
    """Group storages by bucket."""
    buckets: list[list[Any]] = []
    for storage in found:
        for bucket in buckets:
            if share_bucket(bucket[0], storage):
                bucket.append(storage)
                break
        else:
            buckets.append([storage])
    return buckets


def public_locations(sharing: Sequence[Any]) -> list[str]:
    """Return the public locations of a bucket, without trailing slashes.

    ``sharing`` are all storages that use the bucket. Raises ConfigurationError if one of them
    has private files inside a public location.
    """
    public = sorted({storage.location.strip("/") for storage in sharing if storage.public})
    for storage in sharing:
        location = storage.location.strip("/")
        around = location_around(location, public)
        if around is not None and not storage.public:
            raise ConfigurationError(
                f"{type(storage).__name__} keeps private files under {location!r}, inside the "
                f"public location {around!r} of the bucket {storage.bucket_name!r}, so anyone "
                "could read them; nothing has been done.",
                "Give them separate locations, such as 'media' and 'static'.",
            )
    return public


def public_location_around(
    storage: Any, others: Iterable[Any], location: str | None = None
) -> str | None:
    """Return the public location that contains the storage's location, or None.

    ``location`` replaces the storage's location.
    """
    public = [one.location for one in others if one.public and share_bucket(one, storage)]
    given = getattr(settings, "AWS_PUBLIC_LOCATION", None)
    if given and storage.bucket_name == getattr(settings, "AWS_STORAGE_BUCKET_NAME", None):
        public.append(given)
    inner = storage.location if location is None else location
    return location_around(inner, map(str, public))
