"""Apply a plan, step by step."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from herokuify.buckets.current import read
from herokuify.buckets.desired import Desired
from herokuify.buckets.plan import CREATE, changes, plan
from herokuify.buckets.step import State, Step
from herokuify.exceptions import S3Error
from herokuify.s3 import bucket
from herokuify.s3.client import method_of
from herokuify.s3.destination import Destination
from herokuify.s3.errors import failures, is_unsupported, translated

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


def apply(client: S3Client, destination: Destination, desired: Desired) -> list[Step]:
    """Apply the plan; return the steps that were done, and those that are blocked.

    A change that the service doesn't support is returned as ``UNSUPPORTED``. Raises S3Error at the
    first other refusal, with the steps that were done before it; another call does the rest.
    """
    done: list[Step] = []
    try:
        steps = plan(read(client, destination, versioning=desired.options.versioning), desired)
        if steps[0].operation == CREATE:
            bucket.make(client, destination)
            bucket.wait(client, destination)
            done.append(steps[0])
            # Services configure some of it in new buckets.
            steps = plan(read(client, destination, versioning=desired.options.versioning), desired)
        for step in changes(steps):
            done.append(_apply_step(client, destination, step))  # noqa: PERF401 (see the error)
    except S3Error as error:
        before = ", ".join(step.name for step in done if step.state is State.CHANGE) or "nothing"
        raise type(error)(
            f"{error.problem} Completed before the error: {before}. Run the command again for the "
            "rest.",
            error.hint,
        ) from error.__cause__
    return [*done, *(step for step in steps if step.state is State.BLOCKED)]


def _apply_step(client: S3Client, destination: Destination, step: Step) -> Step:
    with translated(destination):
        try:
            method_of(client, step.operation)(Bucket=destination.bucket, **step.parameters)
        except failures() as error:
            if step.operation == "PutBucketPolicy":
                raise bucket.policy_refused(error, destination) from error
            if not is_unsupported(error):
                raise
            return replace(
                step, state=State.UNSUPPORTED, lines=("= not supported by this service",)
            )
    return step
