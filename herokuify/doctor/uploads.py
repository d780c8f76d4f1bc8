"""Direct uploads: whether browsers can upload what the site has signed, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from functools import partial

from django.conf import settings

from herokuify.conf.hosts import site_origins
from herokuify.doctor.access import ask
from herokuify.doctor.findings import Finding, Subject
from herokuify.doctor.public_access import APPLY, MOST_ORIGINS, ca_file
from herokuify.doctor.runner import Findings, ProbeGroup
from herokuify.exceptions import ConfigurationError, S3Error
from herokuify.s3.web import UnreachableError, fetch
from herokuify.storage import S3BotoStorage
from herokuify.storage.registry import UNUSABLE
from herokuify.uploads import rules
from herokuify.uploads.staging import Stage, header_names, new_key, pending_location
from herokuify.uploads.tokens import Token

SECONDS = 60.0
#: Days after which the lifecycle rule must have run: it runs once a day, and rounds up.
STALE_DAYS = 3
_BODY = b"A probe of manage.py herokuify doctor.\n"


def probe_groups() -> Iterator[ProbeGroup]:
    """Yield a group of probes for each storage with direct uploads."""
    found: dict[S3BotoStorage, list[str]] = {}
    with suppress(ConfigurationError, *UNUSABLE):  # the system checks report it
        for rule in rules.direct():
            found.setdefault(rule.storage, []).append(rule.name)
    for storage, names in found.items():
        subject = Subject(f"direct uploads of {', '.join(names)}")
        hint = f"Look for objects below s3://{storage.bucket_name}/{pending_location()}/"
        yield ProbeGroup(subject, "uploads", SECONDS, hint, partial(_probe, storage, subject))


def _probe(storage: S3BotoStorage, subject: Subject) -> Findings:
    stages: list[Stage] = []
    try:
        yield _probe_cors(storage, subject)
        yield from _probe_puts(storage, subject, stages)
    except UnreachableError as error:
        yield subject.failed("uploads.put", str(error), error.hint)
    except S3Error as error:
        yield subject.refused("uploads.put", error, "Try again.")
    finally:
        for stage in stages:
            with suppress(S3Error):  # the lifecycle removes it
                stage.abort()
    yield _probe_stale(storage, subject)


def _stage(storage: S3BotoStorage, stages: list[Stage]) -> Stage:
    token = Token(new_key(), "", "doctor", "", "probe.txt", "text/plain", len(_BODY))
    stages.append(Stage(storage, token))
    return stages[-1]


def _put(stage: Stage, body: bytes) -> int:
    request = stage.requests([1])[1]
    page = fetch(
        request["url"],
        ca_file=ca_file(stage.storage),
        method="PUT",
        headers=request["headers"],
        body=body,
    )
    return page.status


def _probe_puts(storage: S3BotoStorage, subject: Subject, stages: list[Stage]) -> Findings:
    stage = _stage(storage, stages)
    status = _put(stage, _BODY)
    if status != 200 or stage.find() is None:
        yield subject.failed(
            "uploads.put",
            f"S3 responds to a signed PUT below {pending_location()}/ with {status}.",
            "Give the app's user the permissions of: python manage.py herokuify bucket --iam",
        )
        return
    yield subject.ok("uploads.put", f"Files can be put below {pending_location()}/ by signed URLs.")
    yield _refusal(subject, "uploads.once", _put(stage, _BODY), 412, "a second PUT")
    other = _stage(storage, stages)
    yield _refusal(subject, "uploads.length", _put(other, _BODY * 2), 403, "another length")


def _refusal(subject: Subject, probe: str, status: int, expected: int, what: str) -> Finding:
    if status == expected:
        return subject.ok(probe, f"S3 refuses {what}.")
    return subject.failed(
        probe,
        f"S3 responds to {what} with {status}, not {expected}: browsers can upload what the site "
        "has not allowed.",
        "Update the service to a release that checks signed headers and If-None-Match: *",
    )


def _probe_cors(storage: S3BotoStorage, subject: Subject) -> Finding:
    """Send the preflight request of a browser's PUT, for each of the site's origins."""
    probe = "uploads.cors"
    origins = site_origins(settings.ALLOWED_HOSTS, settings.CSRF_TRUSTED_ORIGINS)
    if not origins or "*" in origins:
        return subject.failed(
            probe,
            "The site's hosts are unknown, and uploads are only for the site's own pages.",
            f"heroku config:set ALLOWED_HOSTS=…, then {APPLY}",
        )
    headers = header_names(storage)
    url = _stage(storage, []).requests([1])[1]["url"]
    asked = [origin.replace("*", "herokuify-doctor") for origin in origins[:MOST_ORIGINS]]
    refused = [one for one in asked if not _is_allowed(url, one, headers, ca_file(storage))]
    if refused:
        return subject.failed(
            probe,
            f"Browsers may not upload from pages of {', '.join(refused)}: the bucket's CORS rules "
            "don't allow PUT.",
            f"{APPLY} (if there is nothing to do, an earlier rule has the same origins: some "
            "services only use the first match)",
        )
    return subject.ok(probe, f"Browsers may upload from pages of {', '.join(asked)}.")


def _is_allowed(url: str, origin: str, headers: Sequence[str], certificates: str | None) -> bool:
    page = fetch(
        url,
        origin=origin,
        ca_file=certificates,
        method="OPTIONS",
        headers={
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": ",".join(headers),
        },
    )
    methods, allowed = (
        {
            one.strip().lower()
            for one in page.headers.get(f"access-control-allow-{name}", "").split(",")
        }
        for name in ("methods", "headers")
    )
    return (
        page.status in {200, 204}
        and page.headers.get("access-control-allow-origin") == origin
        and "put" in methods
        and set(headers) <= allowed
    )


def _probe_stale(storage: S3BotoStorage, subject: Subject) -> Finding:
    probe = "uploads.stale"
    prefix = f"{pending_location()}/"
    try:
        client = storage.probing_client
        answer = ask(
            storage,
            prefix,
            lambda: client.list_objects_v2(Bucket=str(storage.bucket_name), Prefix=prefix),
        )
    except S3Error as error:
        return subject.refused(probe, error, "Try again.")
    before = datetime.now(timezone.utc) - timedelta(days=STALE_DAYS)
    stale = [one for one in answer.get("Contents", ()) if one["LastModified"] < before]
    if stale:
        return subject.warning(
            probe,
            f"{len(stale)} uploads below {prefix} are older than {STALE_DAYS} days: no lifecycle "
            "rule removes them.",
            APPLY,
        )
    return subject.ok(probe, f"No upload below {prefix} is older than {STALE_DAYS} days.")
