"""Creating the bucket, ready for every storage that shares it."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from herokuify.exceptions import S3ConfigurationError, S3Error
from herokuify.storage.errors import Target, code_of, explain, explained
from herokuify.storage.policies import cors_rule, public_locations, public_policy

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import WaiterConfigTypeDef

    from herokuify.storage.base import S3BotoStorage

logger = logging.getLogger("herokuify.storage")

#: Regions whose buckets are made without a LocationConstraint (Amazon S3 API
#: Reference, "CreateBucket": us-east-1 must not be named).
DEFAULT_REGIONS = {None, "", "us-east-1", "aws-global"}
_creating = Lock()  # held by the thread that creates a bucket
_READY: WaiterConfigTypeDef = {"Delay": 1, "MaxAttempts": 30}  # seconds, tries


def create_for(storage: S3BotoStorage, configured: Sequence[S3BotoStorage]) -> None:
    """Create a storage's bucket, ready for it and all configured ones that share it."""
    place = storage.bucket_name, storage.endpoint_url
    sharing = [other for other in configured if (other.bucket_name, other.endpoint_url) == place]
    public = public_locations([storage, *sharing])
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
    if not make(client, target):
        wait(client, target)
        return
    logger.warning("AWS_AUTO_CREATE_BUCKET: created the bucket %s.", target.bucket)
    try:
        wait(client, target)
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


def make(client: S3Client, target: Target) -> bool:
    """Make a bucket in the client's region; False when it is ours and was there already."""
    region = client.meta.region_name
    options: dict[str, Any] = {}
    if region not in DEFAULT_REGIONS:
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


def wait(client: S3Client, target: Target) -> None:
    """Return when a bucket that was made is ready."""
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
    policy = public_policy(target.region, target.bucket, public)
    try:
        client.put_bucket_policy(Bucket=target.bucket, Policy=json.dumps(policy, indent=2))
    except ClientError as error:
        raise policy_refused(error, target) from error
    with explained(target, "s3:PutBucketCORS"):
        client.put_bucket_cors(
            Bucket=target.bucket,
            CORSConfiguration={"CORSRules": [cast(Any, cors_rule(["*"]))]},
        )
    logger.warning(
        "AWS_AUTO_CREATE_BUCKET: anyone may read %s.",
        ", ".join(f"s3://{target.bucket}/{location}/" for location in public),
    )


def policy_refused(error: ClientError, target: Target) -> S3Error:
    """The error for a policy that S3 has not taken."""
    if code_of(error) != "AccessDenied":
        return explain(error, target)
    return S3ConfigurationError(
        f"{target.storage}: S3 refused the policy that makes the static files of the bucket "
        f"{target.bucket!r} public. Either the permission s3:PutBucketPolicy is missing, or "
        'the AWS account blocks public access for all its buckets (S3 console, "Block Public '
        'Access settings for this account"): switch off "Block public and cross-account '
        'access … through any public bucket … policies" there.'
    )


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
