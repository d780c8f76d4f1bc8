"""The plan: what is wanted of a bucket, less what is there. Pure."""

from __future__ import annotations

from herokuify.provision.access import access_steps
from herokuify.provision.found import Found
from herokuify.provision.step import State, Step
from herokuify.provision.upkeep import cors_step, lifecycle_step, versioning_step
from herokuify.provision.wanted import Wanted

CREATE = "CreateBucket"


def plan(found: Found, wanted: Wanted) -> list[Step]:
    """The steps, in the order in which they are carried out."""
    steps = [
        bucket_step(found, wanted),
        *access_steps(found, wanted),
        cors_step(found, wanted),
        lifecycle_step(found, wanted),
        versioning_step(found, wanted),
    ]
    return [step for step in steps if step is not None]


def bucket_step(found: Found, wanted: Wanted) -> Step:
    """The bucket itself."""
    if found.exists:
        return Step("bucket", State.SAME, ("= it exists",))
    lines = (f"+ {wanted.bucket}", "= what the service gives a new bucket will not be done again")
    return Step("bucket", State.CHANGE, lines, CREATE)


def changes(steps: list[Step]) -> list[Step]:
    """The steps that change something."""
    return [step for step in steps if step.operation]
