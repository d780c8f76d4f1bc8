"""Who may read: the block on public access, ownership without ACLs, and the policy. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from herokuify.provision.found import WITHOUT_ACLS, Found
from herokuify.provision.statements import (
    allowed,
    exposing_statements,
    label,
    listed,
    plain,
    statements_of,
)
from herokuify.provision.step import State, Step, difference, unsupported
from herokuify.provision.wanted import Wanted
from herokuify.storage.policies import PUBLIC_SID, below, public_statement

ACL_FLAGS = ("BlockPublicAcls", "IgnorePublicAcls")
POLICY_FLAGS = ("BlockPublicPolicy", "RestrictPublicBuckets")


def access_steps(found: Found, wanted: Wanted) -> list[Step]:
    """All that decides who may read.

    ACLs end when the policy has made them needless: static files that were public by an ACL
    stay so all the time.
    """
    publicity = publicity_step(found, wanted)
    policy = policy_step(found, wanted, is_held=publicity.state is State.HELD)
    ownership = ownership_step(found, wanted, policy)
    flags = _flags(found) | _policy_flags(found, wanted)
    return [publicity, policy, ownership, acls_step(found, ownership, flags)]


def publicity_step(found: Found, wanted: Wanted) -> Step:
    """The bucket's own block on public policies: off if static files need one, else on."""
    name = "block on public policies"
    if found.block is None:
        return unsupported(name)
    step = _block(name, _flags(found), _flags(found) | _policy_flags(found, wanted), POLICY_FLAGS)
    if not _is_dormant(found, wanted):
        return step
    reasons = [
        f"! the policy's statement {label(one)} has no effect while RestrictPublicBuckets is on; "
        f"without it, anyone could {allowed(one)}. Remove the statement, or switch the flag off "
        "yourself."
        for one in exposing_statements(found, wanted, of_all=True)
    ]
    return Step(name, State.HELD, (*step.lines, *reasons))


def _policy_flags(found: Found, wanted: Wanted) -> dict[str, bool]:
    exposing = exposing_statements(found, wanted)
    if _is_dormant(found, wanted) or (exposing and not wanted.public):
        return {}  # somebody has decided this
    return dict.fromkeys(POLICY_FLAGS, not wanted.public)


def _is_dormant(found: Found, wanted: Wanted) -> bool:
    """Whether lifting the block would put statements into effect that open too much."""
    is_restricted = (found.block or {}).get("RestrictPublicBuckets")
    # Ours as well, as it was: the block goes before the new policy comes.
    exposing = exposing_statements(found, wanted, of_all=True)
    return bool(wanted.public and is_restricted and exposing)


def policy_step(found: Found, wanted: Wanted, *, is_held: bool) -> Step:
    """The policy: our statement for the public locations, beside those of others.

    ``is_held`` says that the block on public policies stays.
    """
    name = "policy"
    if found.policy is None:
        return unsupported(name)
    statements = statements_of(found.policy)
    ours = [one for one in statements if one.get("Sid") == PUBLIC_SID]
    others = [one for one in statements if one.get("Sid") != PUBLIC_SID]
    lines = difference(
        [resource for one in ours for resource in listed(one.get("Resource"))],
        below(wanted.region, wanted.bucket, wanted.public),
        lambda resource: f"anyone may GET {resource}",
    )
    exposing = exposing_statements(found, wanted)
    for one in others:
        if one in exposing:
            lines.append(
                f"! the statement {label(one)}, not herokuify's, stays: it lets anyone "
                f"{allowed(one)}"
            )
        else:
            lines.append(f"= the statement {label(one)}, not herokuify's, stays")
    statement = public_statement(wanted.region, wanted.bucket, wanted.public)
    if [plain(one) for one in ours] == ([plain(statement)] if wanted.public else []):
        return Step(name, State.SAME, tuple(lines) or ("= none",))
    if is_held:
        lines.append("! not before the block on public policies is lifted, see there")
        return Step(name, State.HELD, tuple(lines))
    if not any(line.startswith(("+", "-")) for line in lines):
        lines.insert(0, f"+ the statement {PUBLIC_SID} as it must be")
    if not wanted.public and not others:
        return Step(name, State.CHANGE, tuple(lines), "DeleteBucketPolicy")
    document = {
        "Version": "2012-10-17",
        **found.policy,
        "Statement": [*others, *([statement] if wanted.public else [])],
    }
    text = json.dumps(document, indent=2)
    return Step(name, State.CHANGE, tuple(lines), "PutBucketPolicy", {"Policy": text})


def ownership_step(found: Found, wanted: Wanted, policy: Step) -> Step:
    """All objects belong to the bucket's owner, and ACLs have no effect.

    Not without the policy: static files may be public by ACLs.
    """
    name = "ownership"
    if found.ownership is None:
        return unsupported(name)
    if found.ownership == WITHOUT_ACLS:
        return Step(name, State.SAME, (f"= {WITHOUT_ACLS}: ACLs are off",))
    if wanted.public and policy.state is State.UNSUPPORTED:
        reason = "= left alone: static files may need them, where there are no policies"
        return Step(name, State.UNSUPPORTED, (f"= {found.ownership}: ACLs count", reason))
    reasons = [
        *(f"! {who}, which S3 refuses without ACLs. Delete it first." for who in wanted.acls),
        *(f"! the bucket's ACL grants {what}, which would end." for what in found.grants),
    ]
    if found.grants:
        mend = f"aws s3api put-bucket-acl --acl private --bucket {wanted.bucket}"
        reasons.append(f"! If nobody needs that: {mend}")
    if policy.state is State.HELD:
        reasons.append("! static files may be public by ACLs: not before the policy, see there")
    if reasons:
        return Step(name, State.HELD, (f"= {found.ownership}: ACLs count", *reasons))
    return Step(
        name,
        State.CHANGE,
        (
            f"- {found.ownership}: ACLs count",
            f"+ {WITHOUT_ACLS}: ACLs are off, those of objects that are there, too",
        ),
        "PutBucketOwnershipControls",
        {"OwnershipControls": {"Rules": [{"ObjectOwnership": WITHOUT_ACLS}]}},
    )


def acls_step(found: Found, ownership: Step, flags: Mapping[str, bool]) -> Step:
    """The bucket's own block on public ACLs, after ACLs went off.

    ``flags`` are those of the block by then. Where a service can't switch ACLs off, they stay:
    Ceph 16 refuses each upload while BlockPublicAcls is on, also one without an ACL.
    """
    name = "block on public ACLs"
    if found.block is None:
        return unsupported(name)
    if ownership.state in {State.SAME, State.CHANGE}:
        return _block(name, flags, {**flags, **dict.fromkeys(ACL_FLAGS, True)}, ACL_FLAGS)
    step = _block(name, flags, flags, ACL_FLAGS)
    if ownership.state is State.UNSUPPORTED:
        return Step(name, State.SAME, (*step.lines, "= left alone: ACLs count on this service"))
    return Step(name, State.HELD, (*step.lines, "! not while ACLs count, see ownership"))


def _flags(found: Found) -> dict[str, bool]:
    return {flag: bool((found.block or {}).get(flag)) for flag in ACL_FLAGS + POLICY_FLAGS}


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
