"""Mail: whether the server takes the login, with TLS as the settings ask for it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.core import mail
from django.core.mail.backends import smtp

from herokuify.doctor.findings import Subject
from herokuify.doctor.runner import Findings, ProbeGroup
from herokuify.doctor.services import CONNECT_TIMEOUT, SECONDS, Trouble, failure, reachable

PROBE = "mail"
MISSING = "herokuify.mail.backend.MissingBackend"
_HINTS = {
    Trouble.LOGIN: "heroku config:set EMAIL_HOST_USER=… EMAIL_HOST_PASSWORD=…; an add-on's page "
    "shows its login: heroku addons",
    Trouble.TLS: "heroku config:set EMAIL_PORT=587 EMAIL_USE_TLS=true (STARTTLS), or "
    "EMAIL_PORT=465 (TLS from the first byte); and EMAIL_HOST must be the name in the certificate",
    Trouble.HOST: "heroku config:set EMAIL_HOST=…",
    Trouble.REFUSED: "heroku config:set EMAIL_HOST=… EMAIL_PORT=587 (many networks block port 25)",
    Trouble.OTHER: "heroku config:set EMAIL_HOST=… EMAIL_PORT=… EMAIL_HOST_USER=… "
    "EMAIL_HOST_PASSWORD=…",
}
_NAMES = ("MAILERS", "EMAIL_BACKEND", "EMAIL_HOST")


def probe_groups() -> Iterator[ProbeGroup]:
    """Yield a group of probes for each mailer; Django before 6.1 has one."""
    holder: Any = settings
    if not any(holder.is_overridden(name) for name in _NAMES):
        subject = Subject("mail")
        probes = partial(_skip, subject, "the settings name no mail server")
        yield ProbeGroup(subject, PROBE, SECONDS, "", probes)
        return
    mailers: Any = getattr(mail, "mailers", None)
    for alias in list(mailers or ()) or ["default"]:
        subject = Subject(f"MAILERS[{alias!r}]" if mailers and list(mailers) else "EMAIL_HOST")
        try:
            probes = partial(_probe, _backend(alias), subject)
        except Exception as error:  # noqa: BLE001 (a backend may be the project's own)
            probes = partial(_fail, subject, error)
        yield ProbeGroup(subject, PROBE, SECONDS, _HINTS[Trouble.REFUSED], probes)


def _skip(subject: Subject, reason: str) -> Findings:
    yield subject.skipped(PROBE, reason)


def _fail(subject: Subject, error: Exception) -> Findings:
    yield subject.refused(PROBE, error, "Fix the mail settings in settings.py.")


def _backend(alias: str) -> Any:
    mailers: Any = getattr(mail, "mailers", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of EMAIL_*, which the project's own code is told
        return mailers[alias] if mailers is not None else mail.get_connection()


def _probe(backend: Any, subject: Subject) -> Findings:
    kind = f"{type(backend).__module__}.{type(backend).__qualname__}"
    if kind == MISSING:
        yield subject.warning(
            PROBE,
            "No mail service is attached, so sending mail fails.",
            "heroku addons:create mailgun, or heroku config:set EMAIL_HOST=… EMAIL_HOST_USER=… "
            "EMAIL_HOST_PASSWORD=…",
        )
        return
    if not isinstance(backend, smtp.EmailBackend):
        yield subject.skipped(PROBE, f"{kind} does not send by SMTP")
        return
    backend.fail_silently = False
    backend.timeout = min(backend.timeout or CONNECT_TIMEOUT, CONNECT_TIMEOUT)
    try:
        backend.open()
    except (OSError, SMTPException) as error:
        yield failure(subject, PROBE, error, _HINTS)
        return
    finally:
        with suppress(OSError, SMTPException):
            backend.close()
    tls = "TLS" if backend.use_ssl else "STARTTLS" if backend.use_tls else ""
    server = f"{backend.host}:{backend.port}"
    login = "accepts the login and" if backend.username else "requires no login, as configured, and"
    yield reachable(subject, PROBE, f"{server} {login}", str(backend.host), tls)
