"""The plan: the difference between the desired and the current state of a bucket."""

from __future__ import annotations

from herokuify.buckets.access import access_steps
from herokuify.buckets.cors_lifecycle import cors_step, lifecycle_step, versioning_step
from herokuify.buckets.current import Current
from herokuify.buckets.desired import Desired
from herokuify.buckets.step import State, Step

CREATE = "CreateBucket"


def plan(current: Current, desired: Desired) -> list[Step]:
    """Return the steps, in the order in which they are applied."""
    steps = [
        bucket_step(current, desired),
        *access_steps(current, desired),
        cors_step(current, desired),
        lifecycle_step(current, desired),
        versioning_step(current, desired),
    ]
    return [step for step in steps if step is not None]


def bucket_step(current: Current, desired: Desired) -> Step:
    """Return the step that creates the bucket."""
    if current.exists:
        return Step("bucket", State.SAME, ("= it exists",))
    lines = (f"+ {desired.bucket}", "= steps that the service does for new buckets are skipped")
    return Step("bucket", State.CHANGE, lines, CREATE)


def changes(steps: list[Step]) -> list[Step]:
    """Return the steps that change something."""
    return [step for step in steps if step.operation]
