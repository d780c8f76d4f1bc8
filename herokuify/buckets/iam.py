"""IAM policies with the permissions that herokuify's requests need, and no others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from herokuify.buckets.desired import Desired
from herokuify.collect.index import index_key
from herokuify.s3.policies import arn, below, literal

#: To save, open and delete files. HEAD and multipart uploads need no other permissions, except to
#: abort an upload (Amazon S3 User Guide, "Required permissions for Amazon S3 API operations").
FILES = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
PARTS = ("s3:ListMultipartUploadParts",)  # to resume direct uploads
INDEX = ("s3:GetObject", "s3:PutObject")  # for collectstatic's index, which is not public
#: For AWS_AUTO_CREATE_BUCKET, which deletes a new bucket if it can't configure it.
CREATION = (
    "s3:CreateBucket",
    "s3:DeleteBucket",
    "s3:GetBucketPublicAccessBlock",
    "s3:PutBucketCORS",
    "s3:PutBucketPolicy",
    "s3:PutBucketPublicAccessBlock",
)
CREATION_WITHOUT_POLICY = ("s3:CreateBucket", "s3:DeleteBucket")

_Policy = dict[str, Any]


def app_policy(buckets: Sequence[Desired], *, compresses: bool) -> _Policy | None:
    """Return the policy of the dynos, for uploads and, with ``compresses``, compressor's bundles.

    It is None if the dynos need no permissions.
    """
    return _policy(
        statement
        for number, bucket in enumerate(buckets, 1)
        for statement in (
            *_files("Media", number, bucket, bucket.media, bucket.media_actions),
            *_files("Pending", number, bucket, bucket.pending, PARTS),
            *(_static(number, bucket) if compresses else ()),
            # If there are static files, the build has created the bucket.
            *(_creation(number, bucket) if not bucket.static else ()),
        )
    )


def build_policy(buckets: Sequence[Desired]) -> _Policy | None:
    """Return the policy of the build and release phases; None without static files."""
    return _policy(
        statement
        for number, bucket in enumerate(buckets, 1)
        if bucket.static
        for statement in (*_static(number, bucket), *_creation(number, bucket))
    )


def _static(number: int, bucket: Desired) -> list[_Policy]:
    if not bucket.static:
        return []
    indices = [index_key(location) for location in bucket.static]
    folders = [index.rpartition("/")[0] for index in indices]
    index: _Policy = {
        "Sid": f"StaticIndex{number}",
        "Effect": "Allow",
        "Action": list(INDEX),
        "Resource": [arn(bucket.region, bucket.bucket, literal(index)) for index in indices],
    }
    return [
        *_files("Static", number, bucket, bucket.static, bucket.static_actions, folders),
        index,
    ]


def _files(
    kind: str,
    number: int,
    bucket: Desired,
    locations: Sequence[str],
    extra: Sequence[str],
    beside: Sequence[str] = (),
) -> list[_Policy]:
    """Return statements for the files below the locations; ``beside`` are other folders to list."""
    if not locations:
        return []
    listing: _Policy = {
        "Sid": f"{kind}Listing{number}",
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": arn(bucket.region, bucket.bucket),
    }
    if "" not in locations:
        prefixes = [f"{literal(folder)}/*" for folder in (*locations, *beside)]
        listing["Condition"] = {"StringLike": {"s3:prefix": prefixes}}
    objects = {
        "Sid": f"{kind}Files{number}",
        "Effect": "Allow",
        "Action": [*FILES, *extra],
        "Resource": below(bucket.region, bucket.bucket, locations),
    }
    return [objects, listing]


def _creation(number: int, bucket: Desired) -> list[_Policy]:
    if not bucket.creates:
        return []
    return [
        {
            "Sid": f"Creation{number}",
            "Effect": "Allow",
            "Action": list(CREATION if bucket.public else CREATION_WITHOUT_POLICY),
            "Resource": arn(bucket.region, bucket.bucket),
        }
    ]


def _policy(statements: Iterable[_Policy]) -> _Policy | None:
    listed = list(statements)
    return {"Version": "2012-10-17", "Statement": listed} if listed else None
