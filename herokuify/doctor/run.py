"""All probes, in order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain

from herokuify.doctor import caches, databases, files, mail, uploads
from herokuify.doctor.configuration import SUBJECT, probe_checks
from herokuify.doctor.files import SETTINGS
from herokuify.doctor.findings import Finding, Subject
from herokuify.doctor.report import without_secrets
from herokuify.doctor.runner import ProbeGroup
from herokuify.doctor.secrets import Secrets
from herokuify.storage.registry import s3_registered

CHECKS_SECONDS = 30.0


def run_probes() -> list[Finding]:
    """Run all probes of what is configured; the findings contain no secrets."""
    checks = ProbeGroup(
        SUBJECT, "checks", CHECKS_SECONDS, "Run: python manage.py check", probe_checks
    )
    # At the same time, because they wait for different servers.
    services = chain(databases.probe_groups(), caches.probe_groups(), mail.probe_groups())
    concurrent = [group.start() for group in services]
    # One after the other, because storages share what was found out about their bucket.
    sequential = (
        group.start() for group in chain([checks], files.probe_groups(), uploads.probe_groups())
    )
    findings = [finding for run in chain(sequential, concurrent) for finding in run.findings()]
    return without_secrets(_once(findings), Secrets.of(os.environ, *_keys()))


def _once(findings: list[Finding]) -> Iterator[Finding]:
    """Yield the findings, without repeating those that a system check has reported already."""
    reported = {finding.message for finding in findings if finding.probe.startswith("check ")}
    for finding in findings:
        if finding.probe == SETTINGS and finding.message in reported:
            yield Subject(finding.subject).skipped(SETTINGS, "not usable: see the check above")
        else:
            yield finding


def _keys() -> Iterator[str | None]:
    """Yield the storages' keys, which a project's own class may have instead of the settings."""
    for one in s3_registered():
        try:
            storage = one.make()
        except Exception:  # noqa: BLE001, S112 (files.probe_groups() has reported it)
            continue
        yield from (storage.access_key, storage.secret_key, storage.security_token)
