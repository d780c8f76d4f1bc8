"""ACLs and grants in settings, and whether they make objects public."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from herokuify.storage.backend import S3BotoStorage

#: The only ACL that a bucket with ACLs disabled accepts (Amazon S3 User Guide, "Controlling
#: ownership of objects and disabling ACLs for your bucket").
HARMLESS_ACL = "bucket-owner-full-control"
_GRANTS = ("GrantFullControl", "GrantRead", "GrantReadACP", "GrantWriteACP")
#: Amazon S3 User Guide, "Canned ACL" and "Amazon S3 predefined groups".
_OPEN = ("public-read", "authenticated-read", "/groups/global/")


def acls(storage: S3BotoStorage) -> Iterator[tuple[str, str]]:
    """Yield each setting that gives objects an ACL or a grant, with the ACL or grant."""
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
    """Return whether an ACL or grant gives access to anyone, or to anyone with an AWS account."""
    return any(word in acl for word in _OPEN)
