"""`herokuify bucket`: compares the storages' buckets with what they need."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from herokuify.conf.hosts import site_origins
from herokuify.exceptions import HerokuifyError
from herokuify.management.subcommands import Subcommand, UnsuccessfulError

if TYPE_CHECKING:
    from herokuify.buckets.desired import Desired
    from herokuify.buckets.step import Step
    from herokuify.storage.backend import S3BotoStorage

_TITLES = {
    "app": "For the app's user: what the dynos need at run time",
    "build": "For the build's user: what collectstatic needs in the build and the release phase",
}


def add_arguments(parser: CommandParser) -> None:
    """Add ``--apply``, ``--iam``, ``--versioning``, ``--noncurrent-days`` and ``--json``."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--apply",
        action="store_true",
        help="Apply the plan; without this option, nothing is changed.",
    )
    what.add_argument(
        "--iam",
        action="store_true",
        help="Print minimal IAM policies for the users of the app and of the build, without "
        "contacting S3.",
    )
    parser.add_argument(
        "--versioning",
        action="store_true",
        help="Keep versions of files that are overwritten or deleted.",
    )
    parser.add_argument(
        "--noncurrent-days",
        type=days,
        metavar="DAYS",
        help="With --versioning: remove old versions after this many days.",
    )
    parser.add_argument("--json", action="store_true", help="Print JSON.")


def days(value: str) -> int:
    """Convert a number of days, 1 or more; argparse names this function if it can't."""
    number = int(value)
    if number < 1:
        raise ValueError
    return number


def run(options: Mapping[str, Any]) -> str:
    """Return the plan, what was done, or the IAM policies.

    Raises CommandError or ConfigurationError if the options or the settings are wrong, and
    UnsuccessfulError if S3 refuses a request or steps are blocked.
    """
    # boto3 is imported only if this subcommand runs.
    from herokuify.buckets.desired import Options, desired_for
    from herokuify.storage.registry import by_bucket, find_storages

    if options["noncurrent_days"] is not None and not options["versioning"]:
        raise CommandError("--noncurrent-days requires --versioning.")
    found, faults = find_storages()
    for setting, fault in faults.items():
        raise CommandError(f"ImproperlyConfigured: {setting}: {fault}")
    requested = Options(
        origins=tuple(site_origins(settings.ALLOWED_HOSTS, settings.CSRF_TRUSTED_ORIGINS)),
        versioning=options["versioning"],
        noncurrent_days=options["noncurrent_days"],
    )
    buckets = [
        (storages[0], desired_for(storages, requested))
        for storages in by_bucket(one.make() for one in found if one.is_s3)
    ]
    if not buckets:
        raise CommandError(
            "STORAGES and COMPRESS_STORAGE name no herokuify storage, so there is no bucket to "
            "check."
        )
    if options["iam"]:
        return _iam([desired for _, desired in buckets], as_json=options["json"])
    return _provide(buckets, options)


def _provide(buckets: Sequence[tuple[S3BotoStorage, Desired]], options: Mapping[str, Any]) -> str:
    """Return the plan for each bucket, or apply it.

    If one fails, UnsuccessfulError has the report of the others.
    """
    from herokuify.buckets.apply import apply
    from herokuify.buckets.current import read
    from herokuify.buckets.plan import plan
    from herokuify.s3.errors import explained

    reports: list[dict[str, Any]] = []
    blocked: list[str] = []
    for storage, desired in buckets:
        try:
            destination = storage.destination
            with explained(destination, "s3:ListBucket"):
                client = storage.client
            if options["apply"]:
                steps = apply(client, destination, desired)
            else:
                steps = plan(
                    read(client, destination, versioning=desired.options.versioning), desired
                )
        except HerokuifyError as error:
            raise UnsuccessfulError(str(error), _written(reports, options)) from error
        reports.append(
            {
                "bucket": desired.bucket,
                "endpoint": destination.endpoint,
                "region": desired.region,
                "applied": options["apply"],
                "steps": steps,
            }
        )
        blocked += [step.name for step in steps if step.state.value == "blocked"]
    report = _written(reports, options)
    if options["apply"] and blocked:
        raise UnsuccessfulError(f"Not done, see above: {', '.join(blocked)}.", report)
    return report


def _written(reports: Sequence[Mapping[str, Any]], options: Mapping[str, Any]) -> str:
    if options["json"]:
        data = [{**one, "steps": [step.as_data() for step in one["steps"]]} for one in reports]
        return json.dumps({"buckets": data}, indent=2)
    return "\n".join(line for report in reports for line in _lines(report))


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    steps: list[Step] = report["steps"]
    address = ", ".join(filter(None, (report["endpoint"], report["region"])))
    yield f"s3://{report['bucket']} ({address})"
    for step in steps:
        yield f"  {step.name}{_result(step) if report['applied'] else ''}"
        yield from (f"    {line}" for line in step.lines)
    count = sum(bool(step.operation) for step in steps)
    if report["applied"]:
        yield "  Done." if steps else "  There was nothing to do."
    elif count:
        things = "1 change" if count == 1 else f"{count} changes"
        yield f"  {things}; nothing has been changed. To apply: manage.py herokuify bucket --apply"
    else:
        yield "  There is nothing to do."


def _result(step: Step) -> str:
    return {"change": ": done", "blocked": ": NOT done", "unsupported": ": not supported"}.get(
        step.state.value, ""
    )


def _iam(buckets: Sequence[Desired], *, as_json: bool) -> str:
    from herokuify.buckets.iam import app_policy, build_policy

    policies = {
        "app": app_policy(buckets, compresses=_compresses()),
        "build": build_policy(buckets),
    }
    if as_json:
        return json.dumps(policies, indent=2)
    return "\n\n".join(
        f"{_TITLES[name]}:\n\n{'none' if policy is None else json.dumps(policy, indent=2)}"
        for name, policy in policies.items()
    )


def _compresses() -> bool:
    """Return whether compressor writes bundles to S3 while the app runs."""
    from django.core.files.storage import Storage
    from django.utils.module_loading import import_string

    from herokuify.storage.static import S3StaticStorage

    name = getattr(settings, "COMPRESS_STORAGE", None)
    kind: type[Storage] | None = import_string(name) if name else None
    return bool(
        kind is not None
        and issubclass(kind, S3StaticStorage)
        and getattr(settings, "COMPRESS_ENABLED", not settings.DEBUG)
        and not getattr(settings, "COMPRESS_OFFLINE", False)
    )


SUBCOMMAND = Subcommand(
    "bucket",
    "Compare the storages' buckets with what they need: public static files, CORS, no ACLs, no "
    "unfinished uploads. With --apply, make the changes.",
    add_arguments,
    run,
)
