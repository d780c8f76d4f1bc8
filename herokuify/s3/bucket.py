"""Create a bucket that is ready for all storages that share it."""

from __future__ import annotations

import json
import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock, current_thread, main_thread
from typing import TYPE_CHECKING, Any, cast

from herokuify.exceptions import S3ConfigurationError, S3Error
from herokuify.s3.destination import Destination
from herokuify.s3.errors import code_of, explain, explained
from herokuify.s3.policies import cors_rule, public_policy

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import WaiterConfigTypeDef

logger = logging.getLogger("herokuify.s3")

#: Regions whose buckets are made without a LocationConstraint (Amazon S3 API
#: Reference, "CreateBucket": us-east-1 must not be named).
DEFAULT_REGIONS = {None, "", "us-east-1", "aws-global"}
_creating = Lock()  # held by the thread that creates a bucket
_READY: WaiterConfigTypeDef = {"Delay": 1, "MaxAttempts": 30}  # seconds, tries


def create(client: S3Client, destination: Destination, public: Sequence[str]) -> None:
    """Create the bucket, and make everything below the ``public`` locations readable by anyone.

    ``public`` holds prefixes without trailing slashes. An existing bucket is not changed; a new
    one that can't be set up is removed again. Raises S3ConfigurationError, which names the
    missing permission.
    """
    # One at a time: us-east-1 reports success to both of two concurrent requests, and one that
    # fails afterwards would remove the bucket that the other uses.
    with _creating:
        if not _exists(client, destination):
            with _terminated_by_exception():
                _make_ready(client, destination, public)


@contextmanager
def _terminated_by_exception() -> Iterator[None]:
    """Make SIGTERM raise SystemExit in the block, so that cleanup runs.

    A handler that is already set, such as gunicorn's, is kept.
    """
    is_main = current_thread() is main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # don't interrupt the cleanup
    sys.exit(128 + number)


def _exists(client: S3Client, destination: Destination) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client.head_bucket(Bucket=destination.bucket)
    except ClientError:
        return False  # if it was another error, CreateBucket's response says more
    except BotoCoreError as error:
        raise explain(error, destination) from error
    return True


def _make_ready(client: S3Client, destination: Destination, public: Sequence[str]) -> None:
    from botocore.exceptions import BotoCoreError

    try:
        is_new = make(client, destination)
    except (KeyboardInterrupt, SystemExit):
        if _exists(client, destination):  # created, but the response was not read
            _remove(client, destination)
        raise
    if not is_new:
        wait(client, destination)
        return
    logger.warning("AWS_AUTO_CREATE_BUCKET: created the bucket %s.", destination.bucket)
    try:
        wait(client, destination)
        if public:
            _allow_public_policy(client, destination)
            _publish(client, destination, public)
    except BaseException as error:
        # A bucket left behind would never be made public: existing buckets aren't changed.
        _remove(client, destination)
        if isinstance(error, BotoCoreError):
            raise explain(error, destination) from error
        raise


def make(client: S3Client, destination: Destination) -> bool:
    """Create a bucket in the client's region; return False if this account already has it."""
    from botocore.exceptions import ClientError

    region = client.meta.region_name
    options: dict[str, Any] = {}
    if region not in DEFAULT_REGIONS:
        options["CreateBucketConfiguration"] = {"LocationConstraint": region}
    with explained(destination, "s3:CreateBucket"):
        try:
            client.create_bucket(Bucket=destination.bucket, **options)
        except ClientError as error:
            # Another dyno has created it at the same time.
            if code_of(error) in {"BucketAlreadyOwnedByYou", "OperationAborted"}:
                # After a retry, it was this process, and the first response was lost.
                return bool(error.response["ResponseMetadata"].get("RetryAttempts"))
            if code_of(error) == "BucketAlreadyExists":
                raise S3ConfigurationError(
                    f"{destination.storage}: the bucket {destination.bucket!r} belongs to another "
                    "account; bucket names are unique across AWS.",
                    "Choose another: heroku config:set AWS_STORAGE_BUCKET_NAME=…",
                ) from error
            raise
    return True


def wait(client: S3Client, destination: Destination) -> None:
    """Wait until a new bucket is ready."""
    from botocore.exceptions import WaiterError

    try:
        client.get_waiter("bucket_exists").wait(Bucket=destination.bucket, WaiterConfig=_READY)
    except WaiterError as error:
        raise S3Error(
            f"{destination.storage}: the new bucket {destination.bucket!r} is not ready yet: "
            f"{error}"
        ) from error


def _allow_public_policy(client: S3Client, destination: Destination) -> None:
    """Remove a new bucket's block on public policies; keep its block on public ACLs."""
    from botocore.exceptions import ClientError

    with explained(destination, "s3:GetBucketPublicAccessBlock"):
        try:
            answer = client.get_public_access_block(Bucket=destination.bucket)
        except ClientError as error:
            # Services without public access blocks respond with various errors.
            if code_of(error) in {"AccessDenied", "403"}:
                raise
            return
    block = answer["PublicAccessBlockConfiguration"]
    if not (block.get("BlockPublicPolicy") or block.get("RestrictPublicBuckets")):
        return
    with explained(destination, "s3:PutBucketPublicAccessBlock"):
        client.put_public_access_block(
            Bucket=destination.bucket,
            PublicAccessBlockConfiguration={
                **block,
                "BlockPublicPolicy": False,
                "RestrictPublicBuckets": False,
            },
        )
    logger.warning(
        "AWS_AUTO_CREATE_BUCKET: removed the block on public policies of the bucket %s, so "
        "that anyone can read its public files.",
        destination.bucket,
    )


def _publish(client: S3Client, destination: Destination, public: Sequence[str]) -> None:
    from botocore.exceptions import ClientError

    policy = public_policy(destination.region, destination.bucket, public)
    try:
        client.put_bucket_policy(Bucket=destination.bucket, Policy=json.dumps(policy, indent=2))
    except ClientError as error:
        raise policy_refused(error, destination) from error
    with explained(destination, "s3:PutBucketCORS"):
        client.put_bucket_cors(
            Bucket=destination.bucket,
            CORSConfiguration={"CORSRules": [cast(Any, cors_rule(["*"]))]},
        )
    logger.warning(
        "AWS_AUTO_CREATE_BUCKET: anyone may read %s.",
        ", ".join(f"s3://{destination.bucket}/{location}/" for location in public),
    )


def policy_refused(error: Exception, destination: Destination) -> S3Error:
    """Return the error for a policy that S3 has refused."""
    if code_of(error) != "AccessDenied":
        return explain(error, destination)
    return S3ConfigurationError(
        f"{destination.storage}: S3 refused the policy that makes the public files of the bucket "
        f"{destination.bucket!r} readable by anyone. Either the permission s3:PutBucketPolicy is "
        "missing, or the AWS account blocks public access for all its buckets.",
        'In the S3 console, under "Block Public Access settings for this account", turn off "Block '
        'public and cross-account access … through any public bucket … policies".',
    )


def _remove(client: S3Client, destination: Destination) -> None:
    from botocore.exceptions import ClientError

    try:
        client.delete_bucket(Bucket=destination.bucket)
    except ClientError as error:
        logger.warning(
            "AWS_AUTO_CREATE_BUCKET: the bucket %s could not be set up and could not be "
            "removed (%s): remove it manually, or give it the policy that the documentation shows.",
            destination.bucket,
            code_of(error),
        )
