"""Existing uploads: whether their headers differ from the current settings."""

from __future__ import annotations

from herokuify.buckets.headers import examine, listed_names
from herokuify.doctor.findings import Finding, Subject
from herokuify.exceptions import S3Error
from herokuify.s3.errors import translated
from herokuify.storage.media import S3MediaStorage

PROBE = "media.headers"
MOST_LISTED = 1000  # objects, which takes one request
MOST_EXAMINED = 20  # objects, beginning with those that should be downloads
MOST_NAMED = 3


def probe_headers(storage: S3MediaStorage, subject: Subject) -> Finding:
    """Check the headers of a few uploads."""
    client = storage.probing_client
    try:
        with translated(storage.destination):
            names = list(listed_names(storage, client, MOST_LISTED))
        names.sort(key=lambda name: "ContentDisposition" not in storage.parameters_for(name))
        examined = names[:MOST_EXAMINED]
        found = [
            result
            for name in examined
            if (result := examine(storage, client, name, apply=False)) and not result.fault
        ]
    except S3Error as error:
        return subject.refused(PROBE, error, "Try again.")
    if not examined:
        return subject.skipped(PROBE, "there are no uploads")
    if not found:
        return subject.ok(PROBE, f"{len(examined)} uploads have the same headers as new ones.")
    shown = [f"{one.name} ({', '.join(one.changes)})" for one in found[:MOST_NAMED]]
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return subject.warning(
        PROBE,
        f"{len(found)} of {len(examined)} uploads have different headers from new ones: "
        f"{'; '.join(shown)}{more}.",
        "python manage.py herokuify headers (shows all; --apply changes them)",
    )
