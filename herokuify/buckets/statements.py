"""The statements of a policy: whether they are herokuify's, and what they allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from herokuify.buckets.current import Current
from herokuify.buckets.desired import Desired
from herokuify.s3.policies import PUBLIC_SID, below


def statements_of(policy: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a policy's statements as a list; a policy may contain a single one without a list."""
    statements = policy.get("Statement", [])
    return [statements] if isinstance(statements, Mapping) else list(statements)


def exposing_statements(
    current: Current, desired: Desired, *, of_all: bool = False
) -> list[Mapping[str, Any]]:
    """Return statements that allow anyone more than GET in public locations.

    herokuify's own statement is only included with ``of_all``.
    """
    public = below(desired.region, desired.bucket, desired.public)
    return [
        one
        for one in statements_of(current.policy or {})
        if (of_all or one.get("Sid") != PUBLIC_SID)
        and _is_for_anyone(one)
        and not _is_within(one, public)
    ]


def _is_for_anyone(statement: Mapping[str, Any]) -> bool:
    if statement.get("Effect") != "Allow":
        return False
    principal = statement.get("Principal")
    named = principal.values() if isinstance(principal, Mapping) else [principal]
    # A condition may restrict the statement, but herokuify doesn't evaluate conditions.
    return "NotPrincipal" in statement or any("*" in listed(names) for names in named)


def _is_within(statement: Mapping[str, Any], resources: Sequence[str]) -> bool:
    return set(listed(statement.get("Action"))) == {"s3:GetObject"} and all(
        any(fnmatchcase(one, _escaped(resource)) for resource in resources)
        for one in listed(statement.get("Resource")) or [""]
    )


def _escaped(resource: str) -> str:
    """Escape brackets for fnmatch, which have no meaning in policies."""
    return resource.replace("[", "[[]")


def label(statement: Mapping[str, Any]) -> str:
    """Return a statement's name, or what it allows if it has no name."""
    if sid := statement.get("Sid"):
        return repr(sid)
    return f"({statement.get('Effect')} {allowed(statement)})"


def allowed(statement: Mapping[str, Any]) -> str:
    """Return what a statement allows: actions and resources."""
    actions = statement.get("Action") or f"all but {statement.get('NotAction')}"
    resources = statement.get("Resource") or f"all but {statement.get('NotResource')}"
    return f"{', '.join(listed(actions))} on {', '.join(listed(resources))}"


def listed(value: Any) -> list[str]:
    """Return an element of a statement as a list; it may be a single string."""
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else [str(value)]


def plain(statement: Mapping[str, Any]) -> dict[str, Any]:
    """Normalize a statement, so that different notations compare equal."""
    principal = statement.get("Principal")
    return {
        **statement,
        "Principal": "*" if principal in ({"AWS": "*"}, {"AWS": ["*"]}) else principal,
        "Action": listed(statement.get("Action")),
        "Resource": sorted(listed(statement.get("Resource"))),
    }
