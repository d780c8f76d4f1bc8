"""CORS, the lifecycle and versioning. No function here sends requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from herokuify.buckets.current import Current
from herokuify.buckets.desired import Desired
from herokuify.buckets.step import State, Step, difference, unsupported
from herokuify.platforms import adapted
from herokuify.s3.policies import CORS_ID, cors_rule

ABORT_ID = "HerokuifyAbortIncompleteUploads"
ABORT_DAYS = 7  # after the start; no upload takes as long
EXPIRE_ID = "HerokuifyExpireOldVersions"
PENDING_ID = "HerokuifyExpirePendingUploads"
PENDING_DAYS = 1  # as long as an upload's token

_Rule = Mapping[str, Any]

_UNKNOWN = "! the site's hosts are unknown: heroku config:set ALLOWED_HOSTS=…"


def cors_step(current: Current, desired: Desired) -> Step:
    """Add the CORS rule for the site's origins; keep other rules."""
    name = "CORS"
    if current.cors is None:
        return unsupported(name)
    if not (desired.public or desired.pending):
        return Step(name, State.SAME, ("= no public files, so nothing is needed",))
    origins = desired.options.origins or ("*",)
    uploads = () if "*" in origins else desired.upload_headers  # only from the site's own pages
    if not (desired.public or uploads):
        return Step(name, State.SAME, (adapted(_UNKNOWN),))
    rule = cors_rule(origins, uploads)
    ours = [one for one in current.cors if _is_ours(one, rule)]
    others = [one for one in current.cors if not _is_ours(one, rule)]
    lines = difference([page for one in ours for page in _pages(one)], _pages(rule))
    lines += [
        f"= the rule {one.get('ID') or '(no ID)'} for {', '.join(one.get('AllowedOrigins', ()))}, "
        "not herokuify's, stays"
        for one in others
    ]
    if "*" in rule["AllowedOrigins"]:
        lines.append(adapted(_UNKNOWN))
    if len(ours) == 1 and _same_cors(ours[0], rule):
        return Step(name, State.SAME, tuple(lines))
    if not [line for line in lines if line.startswith(("+", "-"))]:
        lines.insert(0, f"+ the current version of the rule {CORS_ID}")
    rules = {"CORSRules": [*others, rule]}
    return Step(name, State.CHANGE, tuple(lines), "PutBucketCors", {"CORSConfiguration": rules})


def _pages(rule: _Rule) -> list[str]:
    """Return the pages that a rule applies to, and whether they may upload."""
    uploading = "uploads from " if "PUT" in rule.get("AllowedMethods", ()) else ""
    return [
        f"{uploading}pages of {'any site' if origin == '*' else origin}"
        for origin in rule.get("AllowedOrigins", ())
    ]


def _is_ours(rule: _Rule, desired: _Rule) -> bool:
    # Some services don't store IDs: a rule without an ID is ours if it equals the desired one.
    return rule.get("ID") == CORS_ID or ("ID" not in rule and _same_cors(rule, desired))


def _same_cors(one: _Rule, other: _Rule) -> bool:
    lists = ("AllowedOrigins", "AllowedMethods", "AllowedHeaders", "ExposeHeaders")
    return one.get("MaxAgeSeconds") == other.get("MaxAgeSeconds") and all(
        set(one.get(name, ())) == set(other.get(name, ())) for name in lists
    )


def lifecycle_step(current: Current, desired: Desired) -> Step:
    """Add the lifecycle rules for the storages' locations; keep other rules.

    Parts of incomplete multipart uploads cost money, although listings don't contain them.
    """
    name = "lifecycle"
    if current.lifecycle is None:
        return unsupported(name)
    rules = [_normalized(rule) for rule in current.lifecycle]
    # S3 refuses a mixture of rules with Prefix, the old form, and rules with Filter.
    is_old = any("Prefix" in rule and "Filter" not in rule for rule in current.lifecycle)
    lines = []
    added: list[dict[str, Any]] = []
    for rule in desired_rules(desired):
        before = [known for known in rules if known["ID"] == rule["ID"]]
        covering = [known for known in rules if _covers(known, rule)]
        if covering:
            by = "" if covering[0]["ID"] == rule["ID"] else f" (by the rule {covering[0]['ID']!r})"
            lines.append(f"= {_text(rule)}{by}")
            continue
        lines += difference(before, [rule], _text)
        added.append(_in_form(rule, is_old=is_old))
    ours = {rule["ID"] for rule in desired_rules(desired)}
    lines += [
        f"= the rule {rule.get('ID') or '(no ID)'} stays"
        for rule in current.lifecycle
        if rule.get("ID") not in ours
    ]
    if not added:
        return Step(name, State.SAME, tuple(lines))
    replaced = {rule["ID"] for rule in added}
    kept = [dict(rule) for rule in current.lifecycle if rule.get("ID") not in replaced]
    parameters = {
        **(current.lifecycle_options or {}),
        "LifecycleConfiguration": {"Rules": [*kept, *added]},
    }
    return Step(name, State.CHANGE, tuple(lines), "PutBucketLifecycleConfiguration", parameters)


def desired_rules(desired: Desired) -> list[dict[str, Any]]:
    """Return the lifecycle rules for each location, in the form of ``_normalized``."""
    days = {"DaysAfterInitiation": PENDING_DAYS}
    pending = {
        "Expiration": {"Days": PENDING_DAYS},
        "NoncurrentVersionExpiration": {"NoncurrentDays": PENDING_DAYS},
        "AbortIncompleteMultipartUpload": days,
    }
    uploads = [_rule(PENDING_ID, f"{location}/", pending) for location in desired.pending]
    prefixes = [f"{location}/" if location else "" for location in desired.locations]
    if "" in prefixes:
        prefixes = [""]
    abort = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": ABORT_DAYS}}
    rules = [_rule(ABORT_ID, prefix, abort) for prefix in prefixes]
    if desired.options.versioning and desired.options.noncurrent_days is not None:
        expire = {
            "NoncurrentVersionExpiration": {"NoncurrentDays": desired.options.noncurrent_days}
        }
        rules += [_rule(EXPIRE_ID, prefix, expire) for prefix in prefixes]
    return rules + uploads


def _rule(name: str, prefix: str, actions: _Rule) -> dict[str, Any]:
    identity = f"{name}-{prefix.rstrip('/')}" if prefix else name
    return {"ID": identity, "Status": "Enabled", "Prefix": prefix, **actions}


def _normalized(rule: _Rule) -> dict[str, Any]:
    """Return a rule with its prefix in ``Prefix``; other conditions stay in ``Filter``."""
    result = {"ID": "", **rule}
    conditions = dict(result.pop("Filter", {}))
    result["Prefix"] = conditions.pop("Prefix", result.get("Prefix", ""))
    return {**result, "Filter": conditions} if conditions else result


def _in_form(rule: _Rule, *, is_old: bool) -> dict[str, Any]:
    result = dict(rule)
    return result if is_old else {"Filter": {"Prefix": result.pop("Prefix")}, **result}


def _covers(known: _Rule, rule: _Rule) -> bool:
    """Return whether an existing rule does what the desired one would."""
    if known["ID"] == rule["ID"] or "Expiration" in rule:
        return dict(known) == dict(rule)
    days = known.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation")
    return (
        "AbortIncompleteMultipartUpload" in rule
        and days is not None
        and days <= ABORT_DAYS
        and known.get("Status") == "Enabled"
        and "Filter" not in known
        and str(rule["Prefix"]).startswith(known["Prefix"])
    )


def _text(rule: _Rule) -> str:
    where = f"below {rule['Prefix']}" if rule.get("Prefix") else "everywhere"
    state = "" if rule.get("Status") == "Enabled" else " (disabled)"
    if "Expiration" in rule:
        days = rule["Expiration"].get("Days")
        return f"uploads {where} that were never submitted are removed after {days} day{state}"
    if "AbortIncompleteMultipartUpload" in rule:
        days = rule["AbortIncompleteMultipartUpload"].get("DaysAfterInitiation")
        return f"incomplete uploads {where} are removed after {days} days{state}"
    days = rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays")
    return f"old versions {where} are removed after {days} days{state}"


def versioning_step(current: Current, desired: Desired) -> Step | None:
    """Enable versioning if requested; never disable it."""
    if not desired.options.versioning:
        return None
    name = "versioning"
    if current.versioning is None:
        return unsupported(name)
    if current.versioning == "Enabled":
        return Step(name, State.SAME, ("= Enabled",))
    lines = (f"- {current.versioning or 'never enabled'}", "+ Enabled")
    parameters = {"VersioningConfiguration": {"Status": "Enabled"}}
    return Step(name, State.CHANGE, lines, "PutBucketVersioning", parameters)
