"""What a bucket's policy and CORS rule say: pure documents, for all who write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from herokuify.exceptions import ConfigurationError
from herokuify.storage.locations import location_around

if TYPE_CHECKING:
    from herokuify.storage.base import S3BotoStorage

#: What tells herokuify's statement and rule from those that others wrote.
PUBLIC_SID = "HerokuifyPublicStatic"
CORS_ID = "HerokuifyStatic"
CORS_SECONDS = 3600  # how long browsers remember the answer to a preflight request

_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "eusc-": "aws-eusc"}


def literal(text: str) -> str:
    """A location as policies write it, in which ``*``, ``?`` and ``$`` stand for something.

    IAM User Guide, "IAM policy elements: Variables and tags", "Special characters".
    """
    return re.sub(r"[*?$]", r"${\g<0>}", text)


def arn(region: str | None, bucket: str, *path: str) -> str:
    """The ARN of a bucket, or of what a path in it names, in the region's partition."""
    partition = next(
        (name for prefix, name in _PARTITIONS.items() if (region or "").startswith(prefix)), "aws"
    )
    return f"arn:{partition}:s3:::" + "/".join(filter(None, (bucket, *path)))


def below(region: str | None, bucket: str, locations: Iterable[str]) -> list[str]:
    """The ARNs of all that lies below the locations."""
    return [arn(region, bucket, literal(location), "*") for location in locations]


def public_statement(region: str | None, bucket: str, locations: Iterable[str]) -> dict[str, Any]:
    """The statement that lets anyone GET what lies below the locations, and nothing else."""
    return {
        "Sid": PUBLIC_SID,
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": below(region, bucket, locations),
    }


def public_policy(region: str | None, bucket: str, locations: Iterable[str]) -> dict[str, Any]:
    """The policy of a bucket that nobody else has written one for."""
    return {
        "Version": "2012-10-17",
        "Statement": [public_statement(region, bucket, locations)],
    }


def cors_rule(origins: Iterable[str]) -> dict[str, Any]:
    """The rule that lets these origins' pages use what they load; ``["*"]`` for any.

    Browsers load fonts from another origin only with it (CSS Fonts, "Font fetching
    requirements"); what anyone may read, any site may.
    """
    return {
        "ID": CORS_ID,
        "AllowedMethods": ["GET", "HEAD"],
        "AllowedOrigins": list(origins),
        "MaxAgeSeconds": CORS_SECONDS,
    }


def public_locations(storages: Sequence[S3BotoStorage]) -> list[str]:
    """The locations of one bucket that anyone may read, without slashes at their ends.

    ``storages`` are all that share the bucket. Raises ConfigurationError when one of them
    keeps private files inside a public location.
    """
    public = sorted({storage.location.strip("/") for storage in storages if storage.public})
    for storage in storages:
        location = storage.location.strip("/")
        around = location_around(location, public)
        if around is not None and not storage.public:
            raise ConfigurationError(
                f"{type(storage).__name__} keeps private files under {location!r}, inside the "
                f"public location {around!r} of the bucket {storage.bucket_name!r}, so anyone "
                "could read them; nothing has been done. Give them locations apart, such as "
                "'media' and 'static'."
            )
    return public
