"""Creating the bucket, ready for every storage that shares it."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from herokuify.exceptions import ConfigurationError, S3ConfigurationError, S3Error
from herokuify.storage.errors import Target, code_of, explain, explained, translate

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import WaiterConfigTypeDef

    from herokuify.storage.base import S3BotoStorage

logger = logging.getLogger("herokuify.storage")

#: Regions whose buckets are made without a LocationConstraint (Amazon S3 API
#: Reference, "CreateBucket": us-east-1 must not be named).
_DEFAULT_REGIONS = {None, "", "us-east-1", "aws-global"}
_creating = Lock()  # held by the thread that creates a bucket
_READY: WaiterConfigTypeDef = {"Delay": 1, "MaxAttempts": 30}  # seconds, tries


def create_for(storage: S3BotoStorage, configured: Sequence[S3BotoStorage]) -> None:
    """Create a storage's bucket, ready for it and all configured ones that share it."""

    def place(other: S3BotoStorage) -> tuple[Any, Any]:
        return other.bucket_name, other.endpoint_url

    sharing = [storage, *(other for other in configured if place(other) == place(storage))]
    public = sorted({other.location.strip("/") for other in sharing if other.public})
    for other in sharing:
        location = other.location.strip("/")
        around = [p for p in public if not p or f"{location}/".startswith(f"{p}/")]
        if around and not other.public:
            raise ConfigurationError(
                f"{type(other).__name__} keeps private files under {location!r}, inside the "
                f"public location {around[0]!r} of the bucket {other.bucket_name!r}, so the bucket "
                "was not created. Give them locations apart, such as 'media' and 'static'."
            )
    create(storage.client, storage.target, public)


def create(client: S3Client, target: Target, public: Sequence[str]) -> None:
    """Make the bucket and let anyone GET what lies below the ``public`` locations.

    ``public`` holds prefixes without slashes at their ends. A bucket that is there
    already is left exactly as it is; one that can't be made ready is removed again.
    Raises S3ConfigurationError with the permission that is missing.
    """
    # One at a time: us-east-1 tells each of two creators that it was the first, and one that
    # fails would take the other's bucket away.
    with _creating:
        if not _exists(client, target):
            _make_ready(client, target, public)


def _exists(client: S3Client, target: Target) -> bool:
    try:
        client.head_bucket(Bucket=target.bucket)
    except ClientError:
        return False  # what a HEAD refuses is told better by the attempt to create
    except BotoCoreError as error:
        raise explain(error, target) from error
    return True


def _make_ready(client: S3Client, target: Target, public: Sequence[str]) -> None:
    if not _create(client, target):
        _wait(client, target)
        return
    logger.warning("AWS_AUTO_CREATE_BUCKET: created the bucket %s.", target.bucket)
    try:
        _wait(client, target)
        if public:
            _allow_public_policy(client, target)
            _publish(client, target, public)
    except S3Error:
        # Left behind, it would never be made public: an existing bucket is not altered.
        _remove(client, target)
        raise
    except BotoCoreError as error:
        _remove(client, target)
        raise explain(error, target) from error


def _create(client: S3Client, target: Target) -> bool:
    """Make the bucket; False when it is ours and was there already."""
    region = client.meta.region_name
    options: dict[str, Any] = {}
    if region not in _DEFAULT_REGIONS:
        options["CreateBucketConfiguration"] = {"LocationConstraint": region}
    with explained(target, "s3:CreateBucket"):
        try:
            client.create_bucket(Bucket=target.bucket, **options)
        except ClientError as error:
            # Two dynos start at once: the other one's bucket is as good as ours.
            if code_of(error) in {"BucketAlreadyOwnedByYou", "OperationAborted"}:
                return False
            if code_of(error) == "BucketAlreadyExists":
                raise S3ConfigurationError(
                    f"{target.storage}: the bucket {target.bucket!r} belongs to somebody else; "
                    "bucket names are shared by all of AWS. Choose another: "
                    "heroku config:set AWS_STORAGE_BUCKET_NAME=…"
                ) from error
            raise
    return True


def _wait(client: S3Client, target: Target) -> None:
    try:
        client.get_waiter("bucket_exists").wait(Bucket=target.bucket, WaiterConfig=_READY)
    except WaiterError as error:
        raise S3Error(
            f"{target.storage}: bucket {target.bucket!r} is being created: {error}"
        ) from error


def _allow_public_policy(client: S3Client, target: Target) -> None:
    """Lift a new bucket's block on public policies, and leave its block on ACLs."""
    with explained(target, "s3:GetBucketPublicAccessBlock"):
        try:
            answer = client.get_public_access_block(Bucket=target.bucket)
        except ClientError as error:
            # Services without this block answer in many ways; nothing is to be lifted there.
            if code_of(error) in {"AccessDenied", "403"}:
                raise
            return
    block = answer["PublicAccessBlockConfiguration"]
    if not (block.get("BlockPublicPolicy") or block.get("RestrictPublicBuckets")):
        return
    with explained(target, "s3:PutBucketPublicAccessBlock"):
        client.put_public_access_block(
            Bucket=target.bucket,
            PublicAccessBlockConfiguration={
                **block,
                "BlockPublicPolicy": False,
                "RestrictPublicBuckets": False,
            },
        )
    logger.warning(
        "AWS_AUTO_CREATE_BUCKET: lifted the block on public policies of the bucket %s, so that "
        "its static files can be read by anyone.",
        target.bucket,
    )


def _publish(client: S3Client, target: Target, public: Sequence[str]) -> None:
    try:
        client.put_bucket_policy(
            Bucket=target.bucket, Policy=json.dumps(policy(target, public), indent=2)
        )
    except ClientError as error:
        if code_of(error) != "AccessDenied":
            raise translate(error, target, "s3:PutBucketPolicy", "") from error
        raise S3ConfigurationError(
            f"{target.storage}: S3 refused the policy that makes the static files of the bucket "
            f"{target.bucket!r} public. Either the permission s3:PutBucketPolicy is missing, or "
            'the AWS account blocks public access for all its buckets (S3 console, "Block Public '
            'Access settings for this account"): switch off "Block public and cross-account '
            'access … through any public bucket … policies" there.'
        ) from error
    with explained(target, "s3:PutBucketCORS"):
        # Browsers load fonts from another origin only with this header (CSS Fonts, "Font
        # fetching requirements"); what anyone may read, any site may.
        client.put_bucket_cors(
            Bucket=target.bucket,
            CORSConfiguration={
                "CORSRules": [
                    {
                        "AllowedMethods": ["GET", "HEAD"],
                        "AllowedOrigins": ["*"],
                        "MaxAgeSeconds": 3600,
                    }
                ]
            },
        )
    logger.warning(
        "AWS_AUTO_CREATE_BUCKET: anyone may read %s.",
        ", ".join(f"s3://{target.bucket}/{location}/" for location in public),
    )


def policy(target: Target, public: Sequence[str]) -> dict[str, Any]:
    """The bucket policy: anyone may GET below the public locations, and nothing else."""
    partition = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "eusc-": "aws-eusc"}
    arn = next(
        (name for prefix, name in partition.items() if (target.region or "").startswith(prefix)),
        "aws",
    )
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "HerokuifyPublicStatic",
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": [
                    f"arn:{arn}:s3:::" + "/".join(filter(None, (target.bucket, location, "*")))
                    for location in public
                ],
            }
        ],
    }


def _remove(client: S3Client, target: Target) -> None:
    try:
        client.delete_bucket(Bucket=target.bucket)
    except ClientError as error:
        logger.warning(
            "AWS_AUTO_CREATE_BUCKET: the bucket %s could not be made ready and could not be "
            "removed (%s): remove it by hand, or give it the policy that the documentation shows.",
            target.bucket,
            code_of(error),
        )
