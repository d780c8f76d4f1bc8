"""Carrying the plan out, one step after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from herokuify.exceptions import S3Error
from herokuify.provision.found import read
from herokuify.provision.plan import CREATE, changes, plan
from herokuify.provision.step import State, Step
from herokuify.provision.wanted import Wanted
from herokuify.storage import bucket
from herokuify.storage.errors import Target, explain, is_unsupported

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


def apply(client: S3Client, target: Target, wanted: Wanted) -> list[Step]:
    """Make the bucket what is wanted; return the steps that were done, and those held.

    A change that the service does not know is returned as ``UNSUPPORTED``. Raises S3Error
    at the first other refusal, with what was done before it; another call does the rest.
    """
    done: list[Step] = []
    try:
        steps = plan(read(client, target, versioning=wanted.wishes.versioning), wanted)
        if steps[0].operation == CREATE:
            bucket.make(client, target)
            bucket.wait(client, target)
            done.append(steps[0])
            # A service gives some of it to each new bucket.
            steps = plan(read(client, target, versioning=wanted.wishes.versioning), wanted)
        for step in changes(steps):
            done.append(_carry_out(client, target, step))  # noqa: PERF401 (the error needs them)
    except S3Error as error:
        before = ", ".join(step.name for step in done if step.state is State.CHANGE) or "nothing"
        raise type(error)(
            f"{error.args[0]} Done before this, and kept: {before}. When it is mended, repeat the "
            "command: it does the rest."
        ) from error.__cause__
    return [*done, *(step for step in steps if step.state is State.HELD)]


def _carry_out(client: S3Client, target: Target, step: Step) -> Step:
    request: Any = getattr(client, xform_name(step.operation))
    try:
        request(Bucket=target.bucket, **step.parameters)
    except ClientError as error:
        if step.operation == "PutBucketPolicy":
            raise bucket.policy_refused(error, target) from error
        if not is_unsupported(error):
            raise explain(error, target) from error
        return replace(step, state=State.UNSUPPORTED, lines=("= this service has none",))
    except BotoCoreError as error:
        raise explain(error, target) from error
    return step
