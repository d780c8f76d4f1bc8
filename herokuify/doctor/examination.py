"""All probes, in order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain

from herokuify.doctor import caches, databases, files, mailboxes
from herokuify.doctor.bounded import Examination
from herokuify.doctor.configuration import SUBJECT, probe_checks
from herokuify.doctor.files import SETTINGS
from herokuify.doctor.findings import Finding, Subject
from herokuify.doctor.report import without_secrets
from herokuify.doctor.secrets import Secrets
from herokuify.storage import S3BotoStorage
from herokuify.storage.configured import configured_storages

CHECKS_SECONDS = 30.0


def examine() -> list[Finding]:
    """Run all probes of what is configured; their findings hold no secret."""
    checks = Examination(SUBJECT, "checks", CHECKS_SECONDS, "Run: manage.py check", probe_checks)
    # These wait for different servers, and may as well wait at once.
    services = chain(databases.examinations(), caches.examinations(), mailboxes.examinations())
    waiting = [examination.start() for examination in services]
    # These depend on each other: what is found once is not asked again.
    in_turn = (examination.start() for examination in chain([checks], files.examinations()))
    findings = [finding for run in chain(in_turn, waiting) for finding in run.findings()]
    return without_secrets(_once(findings), Secrets.of(os.environ, *_keys()))


def _once(findings: list[Finding]) -> Iterator[Finding]:
    """The findings, without the errors of settings that a system check has told already."""
    told = {finding.message for finding in findings if finding.probe.startswith("check ")}
    for finding in findings:
        if finding.probe == SETTINGS and f"{finding.message} {finding.mend}".strip() in told:
            yield Subject(finding.subject).skipped(SETTINGS, "not usable: see the check above")
        else:
            yield finding


def _keys() -> Iterator[str | None]:
    """Keys that a project's own storage class holds, and no setting."""
    try:
        makers = list(configured_storages(S3BotoStorage))
    except ImportError:
        return
    for make in makers:
        try:
            storage = make()
        except Exception:  # noqa: BLE001, S112 (files.examinations() has told it)
            continue
        yield from (storage.access_key, storage.secret_key, storage.security_token)
