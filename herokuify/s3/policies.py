"""The bucket policy and the CORS rule, as data for S3's API."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import Any

#: These ids distinguish herokuify's statement and rule from others.
PUBLIC_SID = "HerokuifyPublicStatic"
CORS_ID = "HerokuifyStatic"
CORS_SECONDS = 3600  # how long browsers remember the answer to a preflight request

_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "eusc-": "aws-eusc"}


def location_around(location: str, public: Iterable[str]) -> str | None:
    """Return the first public location that contains ``location``; ``""`` is the whole bucket."""
    inside = f"{_plain(location)}/"
    found = (_plain(one) for one in public)
    return next((one for one in found if not one or inside.startswith(f"{one}/")), None)


def _plain(location: str) -> str:
    """Return a location without leading, trailing and repeated slashes, as in keys."""
    return posixpath.normpath(f"/{location}").strip("/")


def literal(text: str) -> str:
    """Escape a location for policies, where ``*``, ``?`` and ``$`` are special.

    IAM User Guide, "IAM policy elements: Variables and tags", "Special characters".
    """
    return re.sub(r"[*?$]", r"${\g<0>}", text)


def arn(region: str | None, bucket: str, *path: str) -> str:
    """Return the ARN of a bucket, or of a path in it, in the region's partition."""
    partition = next(
        (name for prefix, name in _PARTITIONS.items() if (region or "").startswith(prefix)), "aws"
    )
    return f"arn:{partition}:s3:::" + "/".join(filter(None, (bucket, *path)))


def below(region: str | None, bucket: str, locations: Iterable[str]) -> list[str]:
    """Return the ARNs of everything below the locations."""
    return [arn(region, bucket, literal(location), "*") for location in locations]


def public_statement(region: str | None, bucket: str, locations: Iterable[str]) -> dict[str, Any]:
    """Return the statement that lets anyone GET what is below the locations."""
    return {
        "Sid": PUBLIC_SID,
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": below(region, bucket, locations),
    }


def public_policy(region: str | None, bucket: str, locations: Iterable[str]) -> dict[str, Any]:
    """Return a policy with only the public statement, for a bucket without a policy."""
    return {
        "Version": "2012-10-17",
        "Statement": [public_statement(region, bucket, locations)],
    }


def cors_rule(origins: Iterable[str], upload_headers: Iterable[str] = ()) -> dict[str, Any]:
    """Return the CORS rule for pages of these origins; ``["*"]`` for any.

    Browsers need it to load fonts from another origin (CSS Fonts, "Font fetching requirements").
    ``upload_headers``, the names of the headers that browsers send with direct uploads, also allow
    PUTs. It is one rule for both, because services use the first rule that matches the origin,
    whatever its methods. Not every service supports patterns in header names.
    """
    headers = list(upload_headers)
    return {
        "ID": CORS_ID,
        "AllowedMethods": ["GET", "HEAD", *(["PUT"] if headers else [])],
        "AllowedOrigins": list(origins),
        **({"AllowedHeaders": headers} if headers else {}),
        "MaxAgeSeconds": CORS_SECONDS,
    }
