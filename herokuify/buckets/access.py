"""Who may read: the block on public access, ownership without ACLs, and the policy.

No function here sends requests.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from herokuify.buckets.current import WITHOUT_ACLS, Current
from herokuify.buckets.desired import Desired
from herokuify.buckets.statements import (
    allowed,
    exposing_statements,
    label,
    listed,
    plain,
    statements_of,
)
from herokuify.buckets.step import State, Step, difference, unsupported
from herokuify.s3.policies import PUBLIC_SID, below, public_statement

ACL_FLAGS = ("BlockPublicAcls", "IgnorePublicAcls")
POLICY_FLAGS = ("BlockPublicPolicy", "RestrictPublicBuckets")


def access_steps(current: Current, desired: Desired) -> list[Step]:
    """Return the steps that decide who may read.

    ACLs are disabled after the policy is set, so that static files that are public by ACLs stay
    public all the time.
    """
    public_access = public_access_step(current, desired)
    policy = policy_step(current, desired, is_blocked=public_access.state is State.BLOCKED)
    ownership = ownership_step(current, desired, policy)
    flags = _flags(current) | _policy_flags(current, desired)
    return [public_access, policy, ownership, acls_step(current, ownership, flags)]


def public_access_step(current: Current, desired: Desired) -> Step:
    """Turn the block on public policies off if static files need such a policy, else on."""
    name = "block on public policies"
    if current.block is None:
        return unsupported(name)
    step = _block(
        name, _flags(current), _flags(current) | _policy_flags(current, desired), POLICY_FLAGS
    )
    if not _is_dormant(current, desired):
        return step
    reasons = [
        f"! the policy's statement {label(one)} has no effect while RestrictPublicBuckets is on; "
        f"without it, anyone could {allowed(one)}. Remove the statement, or turn the flag off "
        "yourself."
        for one in exposing_statements(current, desired, of_all=True)
    ]
    return Step(name, State.BLOCKED, (*step.lines, *reasons))


def _policy_flags(current: Current, desired: Desired) -> dict[str, bool]:
    exposing = exposing_statements(current, desired)
    if _is_dormant(current, desired) or (exposing and not desired.public):
        return {}  # leave the flags as somebody has set them
    return dict.fromkeys(POLICY_FLAGS, not desired.public)


def _is_dormant(current: Current, desired: Desired) -> bool:
    """Return whether turning the block off would put too permissive statements into effect."""
    is_restricted = (current.block or {}).get("RestrictPublicBuckets")
    # Including an old statement of herokuify's, because the block is turned off before the policy
    # is replaced.
    exposing = exposing_statements(current, desired, of_all=True)
    return bool(desired.public and is_restricted and exposing)


def policy_step(current: Current, desired: Desired, *, is_blocked: bool) -> Step:
    """Add the statement for the public locations to the policy; keep other statements.

    ``is_blocked`` is whether the block on public policies stays on.
    """
    name = "policy"
    if current.policy is None:
        return unsupported(name)
    statements = statements_of(current.policy)
    ours = [one for one in statements if one.get("Sid") == PUBLIC_SID]
    others = [one for one in statements if one.get("Sid") != PUBLIC_SID]
    lines = difference(
        [resource for one in ours for resource in listed(one.get("Resource"))],
        below(desired.region, desired.bucket, desired.public),
        lambda resource: f"anyone may GET {resource}",
    )
    exposing = exposing_statements(current, desired)
    for one in others:
        if one in exposing:
            lines.append(
                f"! the statement {label(one)}, not herokuify's, stays: it lets anyone "
                f"{allowed(one)}"
            )
        else:
            lines.append(f"= the statement {label(one)}, not herokuify's, stays")
    statement = public_statement(desired.region, desired.bucket, desired.public)
    if [plain(one) for one in ours] == ([plain(statement)] if desired.public else []):
        return Step(name, State.SAME, tuple(lines) or ("= none",))
    if is_blocked:
        lines.append("! waits until the block on public policies is turned off, see above")
        return Step(name, State.BLOCKED, tuple(lines))
    if not any(line.startswith(("+", "-")) for line in lines):
        lines.insert(0, f"+ the current version of the statement {PUBLIC_SID}")
    if not desired.public and not others:
        return Step(name, State.CHANGE, tuple(lines), "DeleteBucketPolicy")
    document = {
        "Version": "2012-10-17",
        **current.policy,
        "Statement": [*others, *([statement] if desired.public else [])],
    }
    text = json.dumps(document, indent=2)
    return Step(name, State.CHANGE, tuple(lines), "PutBucketPolicy", {"Policy": text})


def ownership_step(current: Current, desired: Desired, policy: Step) -> Step:
    """Make the bucket's owner own all objects, which disables ACLs.

    This requires the policy, because static files may be public by ACLs.
    """
    name = "ownership"
    if current.ownership is None:
        return unsupported(name)
    if current.ownership == WITHOUT_ACLS:
        return Step(name, State.SAME, (f"= {WITHOUT_ACLS}: ACLs are off",))
    if desired.public and policy.state is State.UNSUPPORTED:
        reason = "= left alone: static files may need them on services without policies"
        return Step(name, State.UNSUPPORTED, (f"= {current.ownership}: ACLs are in effect", reason))
    reasons = [
        *(f"! {who}, which S3 refuses without ACLs. Delete it first." for who in desired.acls),
        *(f"! the bucket's ACL grants {what}, which would be lost." for what in current.grants),
    ]
    if current.grants:
        hint = f"aws s3api put-bucket-acl --acl private --bucket {desired.bucket}"
        reasons.append(f"! If it isn't needed: {hint}")
    if policy.state is State.BLOCKED:
        reasons.append("! static files may be public by ACLs: waits for the policy, see above")
    if reasons:
        return Step(name, State.BLOCKED, (f"= {current.ownership}: ACLs are in effect", *reasons))
    return Step(
        name,
        State.CHANGE,
        (
            f"- {current.ownership}: ACLs are in effect",
            f"+ {WITHOUT_ACLS}: ACLs are off, including those of existing objects",
        ),
        "PutBucketOwnershipControls",
        {"OwnershipControls": {"Rules": [{"ObjectOwnership": WITHOUT_ACLS}]}},
    )


def acls_step(current: Current, ownership: Step, flags: Mapping[str, bool]) -> Step:
    """Turn the block on public ACLs on, after ACLs are disabled.

    ``flags`` are those of the block at this step. If a service can't disable ACLs, they are not
    changed: Ceph 16 refuses all uploads while BlockPublicAcls is on, even without an ACL.
    """
    name = "block on public ACLs"
    if current.block is None:
        return unsupported(name)
    if ownership.state in {State.SAME, State.CHANGE}:
        return _block(name, flags, {**flags, **dict.fromkeys(ACL_FLAGS, True)}, ACL_FLAGS)
    step = _block(name, flags, flags, ACL_FLAGS)
    if ownership.state is State.UNSUPPORTED:
        return Step(name, State.SAME, (*step.lines, "= left alone: this service uses ACLs"))
    return Step(name, State.BLOCKED, (*step.lines, "! not while ACLs are in effect, see ownership"))


def _flags(current: Current) -> dict[str, bool]:
    return {flag: bool((current.block or {}).get(flag)) for flag in ACL_FLAGS + POLICY_FLAGS}


def _block(
    name: str, before: Mapping[str, bool], after: Mapping[str, bool], shown: Iterable[str]
) -> Step:
    def texts(flags: Mapping[str, bool]) -> list[str]:
        return [f"{flag}: {'on' if flags[flag] else 'off'}" for flag in shown]

    lines = tuple(difference(texts(before), texts(after)))
    if before == after:
        return Step(name, State.SAME, lines)
    configuration = {"PublicAccessBlockConfiguration": dict(after)}
    return Step(name, State.CHANGE, lines, "PutPublicAccessBlock", configuration)
