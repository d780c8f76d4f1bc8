"""What the settings chose for a storage, where the safe choice is another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.conf import settings
from storages.backends.s3 import S3Storage

from herokuify.storage.base import S3BotoStorage
from herokuify.storage.locations import location_around
from herokuify.storage.static import S3StaticStorage

_GRANTS = ("GrantFullControl", "GrantRead", "GrantReadACP", "GrantWriteACP")
#: Amazon S3 User Guide, "Canned ACL" and "Amazon S3 predefined groups".
_OPEN = ("public-read", "authenticated-read", "/groups/global/")


def may_sign_urls(kind: type) -> bool:
    """Whether a class, one of django-storages' perhaps, signs URLs when the settings say so."""
    return issubclass(kind, S3Storage) and not issubclass(kind, S3StaticStorage)


def signs_urls(storage: Any) -> bool:
    """Whether such a storage gives signed URLs."""
    # django-storages leaves a custom domain's URLs unsigned without CloudFront's key.
    is_unsigned_domain = storage.custom_domain and not storage.cloudfront_signer
    return bool(storage.querystring_auth) and not is_unsigned_domain


def acls(storage: S3BotoStorage) -> Iterator[tuple[str, str]]:
    """Each setting that gives objects an ACL or grants, and the ACL."""
    if storage.default_acl:
        is_setting = storage.default_acl == getattr(settings, "AWS_DEFAULT_ACL", None)
        yield "AWS_DEFAULT_ACL" if is_setting else "default_acl", str(storage.default_acl)
    layers: list[tuple[str, Mapping[str, Any]]] = [
        ("AWS_S3_OBJECT_PARAMETERS", storage.object_parameters or {}),
        ("AWS_HEADERS", storage.header_rules.everywhere),
        *(("AWS_EXTRA_HEADERS", headers) for _, headers in storage.header_rules.patterns),
    ]
    for setting, parameters in layers:
        for name in ("ACL", *_GRANTS):
            if parameters.get(name):
                yield setting, str(parameters[name])


def opens(acl: str) -> bool:
    """Whether an ACL, or a grant, lets anyone read, or anyone with an AWS account."""
    return any(word in acl for word in _OPEN)


def public_location_around(storage: S3BotoStorage, others: Iterable[S3BotoStorage]) -> str | None:
    """The public location of the same bucket in which this storage keeps its files, if any."""

    def place(one: S3BotoStorage) -> tuple[Any, Any]:
        return one.bucket_name, one.endpoint_url

    public = [other.location for other in others if other.public and place(other) == place(storage)]
    given = getattr(settings, "AWS_PUBLIC_LOCATION", None)
    if given and storage.bucket_name == getattr(settings, "AWS_STORAGE_BUCKET_NAME", None):
        public.append(given)
    return location_around(storage.location, map(str, public))
