"""herokuify's system checks, as findings."""

from __future__ import annotations

from django.core.checks import ERROR, CheckMessage
from django.core.checks.registry import registry

from herokuify.doctor.findings import Finding, Subject
from herokuify.doctor.runner import Findings

SUBJECT = Subject("settings")


def probe_checks() -> Findings:
    """Run herokuify's checks only, because others may need a service that doesn't work."""
    found = 0
    for check in registry.get_checks(include_deployment_checks=True):
        if check.__module__.partition(".")[0] != "herokuify":
            continue
        try:
            messages = check(app_configs=None, databases=None)
        except Exception as error:  # noqa: BLE001 (a project's own storage may raise anything)
            found += 1
            yield SUBJECT.refused("checks", error, "Run: python manage.py check --traceback")
            continue
        for message in messages:
            if not message.is_silenced():
                found += 1
                yield _finding(message)
    if not found:
        yield SUBJECT.ok("checks", "herokuify's system checks find nothing.")


def _finding(message: CheckMessage) -> Finding:
    text = str(message.msg).removeprefix("ImproperlyConfigured: ")
    probe = f"check {message.id}"
    hint = str(message.hint or "")
    if message.level >= ERROR:
        return SUBJECT.failed(probe, text, hint or "Fix the settings.")
    return SUBJECT.warning(probe, text, hint)
