"""All storages on S3: their options, locations and ACLs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage

from herokuify.checks.messages import CheckWarning, error, unique
from herokuify.conf.addresses import is_aws
from herokuify.exceptions import ConfigurationError
from herokuify.s3.policies import location_around
from herokuify.storage.acl import HARMLESS_ACL, acls, opens
from herokuify.storage.media import S3MediaStorage
from herokuify.storage.options import WrongTypeError
from herokuify.storage.registry import (
    UNUSABLE,
    fields_on_s3,
    find_storages,
    public_location_around,
    s3_registered,
    s3_storages,
    share_bucket,
)

_HINT = "Correct it in settings.py, then run `python manage.py check --tag staticfiles`."


def check_storages(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E002: a storage can't work with these settings."""
    return unique(error(text, hint=hint or _HINT, id="herokuify.E002") for text, hint in _faults())


def _faults() -> Iterator[tuple[str, str]]:
    """Yield problems, and hints if the error has one."""
    for setting, fault in find_storages()[1].items():
        yield f"{setting}: {fault}", ""
    for one in s3_registered():
        try:
            storage = one.make()
            storage.check_configuration()
            if not (one.is_static or storage.public or storage.querystring_auth):
                _ = getattr(storage, "base_url", None)  # unsigned URLs need it, and it may raise
        except WrongTypeError as fault:
            if not fault.setting:  # herokuify.E013 reports settings
                yield fault.problem, fault.hint
        except ConfigurationError as fault:
            yield fault.problem, fault.hint
        except UNUSABLE as fault:
            yield f"{one.setting}, {one.kind.__name__}, can't be instantiated: {fault}", ""


def check_locations(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E004: private files are in a public location."""
    made = list(s3_storages())
    if not made:
        return []
    found = []
    for one, storage in made:
        if one.is_static or storage.public:
            continue
        around = public_location_around(storage, [other for _, other in made])
        if around is not None:
            public = f"in the public location {around!r}" if around else "which is all public"
            found.append(
                _exposed(
                    f"{one.setting} keeps private files under {storage.location!r} of the bucket "
                    f"{storage.bucket_name!r}, {public}, so anyone may read them.",
                    "Give the storages separate locations, such as 'media' and 'static': "
                    f"delete the location of {one.setting}, or name another.",
                )
            )
    return unique([*found, *_fields_in_public([storage for _, storage in made])])


def _fields_in_public(made: list[Any]) -> Iterator[CheckMessage]:
    """Report fields whose upload_to is in a public location, although their storage is not."""
    for each, storage in fields_on_s3():
        folder = each.upload_to
        if storage.public or not isinstance(folder, str) or public_location_around(storage, made):
            continue
        known, has_date, _ = folder.partition("%")  # the part before strftime's format
        known = known.rpartition("/")[0] if has_date else known
        around = public_location_around(storage, made, f"{storage.location}/{known}")
        if around:
            yield _exposed(
                f"{each} keeps private files under {folder!r} of a storage at "
                f"{storage.location!r} of the bucket {storage.bucket_name!r}, in the public "
                f"location {around!r}, so anyone may read them.",
                f"Give {each} another upload_to, or its storage a location of its own, such "
                "as 'media'.",
            )


def check_public_locations(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E014: the locations of static files and public uploads overlap."""
    made = list(s3_storages())
    uploads = [(one, storage) for one, storage in made if is_public_media(storage)]
    static = [
        (one, storage)
        for one, storage in made
        if (one.is_static or storage.public) and not is_public_media(storage)
    ]
    return unique(
        error(
            f"{one.setting} keeps uploads under {storage.location!r} of the bucket "
            f"{storage.bucket_name!r}, and {other.setting} keeps static files under "
            f"{built.location!r}: an upload could be mistaken for a static file, and collectstatic "
            "could replace an upload.",
            hint="Give the storages separate locations, such as 'public-media' and 'static': "
            f"delete the location of {one.setting}, or name another.",
            id="herokuify.E014",
        )
        for one, storage in uploads
        for other, built in static
        if share_bucket(storage, built)
        and (
            location_around(storage.location, [built.location]) is not None
            or location_around(built.location, [storage.location]) is not None
        )
    )


def check_private_around(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W017: a public location is inside the location of private files."""
    made = list(s3_storages())
    return unique(
        CheckWarning(
            f"{other.setting} keeps public files under {public.location!r}, inside the location "
            f"{storage.location!r} of {one.setting}, in the bucket {storage.bucket_name!r}: anyone "
            "can read private files that are saved there.",
            hint="Give the storages separate locations, such as 'media' and 'public-media'.",
            id="herokuify.W017",
        )
        for one, storage in made
        for other, public in made
        if not (one.is_static or storage.public)
        and public.public
        # Uploads at the top of the bucket with static files below are common in django-storages.
        and (is_public_media(public) or storage.location.strip("/"))
        and (is_public_media(public) or isinstance(storage, S3MediaStorage))
        and share_bucket(storage, public)
        and public.location.strip("/") != storage.location.strip("/")
        and location_around(public.location, [storage.location]) is not None
    )


def is_public_media(storage: Any) -> bool:
    """Return whether a storage is for uploads that anyone may read."""
    return bool(storage.public) and isinstance(storage, S3MediaStorage)


def _exposed(message: str, hint: str) -> CheckMessage:
    return error(message, hint=hint, id="herokuify.E004")


def check_acls(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W006: a setting sends ACLs, which new buckets of Amazon S3 refuse."""
    found = []
    for one, storage in s3_storages():
        is_media = not (one.is_static or storage.public)
        for setting, acl in acls(storage) if is_aws(storage.endpoint_url) else ():
            if acl == HARMLESS_ACL or (is_media and opens(acl)):  # W005 reports the latter
                continue
            found.append(
                CheckWarning(
                    f"{setting} gives objects the ACL {acl!r}, which Amazon S3 buckets created "
                    "since April 2023 refuse (AccessControlListNotSupported).",
                    hint=f"Delete {setting}, or the ACL in it: a bucket policy makes static files "
                    "public, and media files stay private.",
                    id="herokuify.W006",
                )
            )
    return unique(found)
