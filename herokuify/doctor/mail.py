"""Mail: whether the server accepts the login, with TLS as configured."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
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
from herokuify.exceptions import ConfigurationError
from herokuify.mail.config import MISSING_BACKEND, MISSING_HINT
from herokuify.mail.providers import ADDONS, PLAIN, Provider

PROBE = "mail"
#: For the plain variables.
_HINTS = {
    Trouble.LOGIN: PLAIN.login_hint,
    Trouble.TLS: "heroku config:set EMAIL_PORT=587 EMAIL_USE_TLS=true (STARTTLS), or "
    "EMAIL_PORT=465 (implicit TLS); and EMAIL_HOST must be the name in the certificate",
    Trouble.HOST: "heroku config:set EMAIL_HOST=…",
    Trouble.REFUSED: "heroku config:set EMAIL_HOST=… EMAIL_PORT=587 (many networks block port 25)",
    Trouble.OTHER: "heroku config:set EMAIL_HOST=… EMAIL_PORT=… EMAIL_HOST_USER=… "
    "EMAIL_HOST_PASSWORD=…",
}
_OWN = "The server is set in settings.py: correct its host, port, login or encryption there."
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
        hints: Mapping[Trouble, str] = dict.fromkeys(Trouble, _OWN)
        try:
            backend = _backend(alias)
            hints = _hints(backend)
            probes = partial(_probe, backend, subject, hints)
        except Exception as error:  # noqa: BLE001 (a project's own backend may raise anything)
            probes = partial(_fail, subject, error)
        yield ProbeGroup(subject, PROBE, SECONDS, hints[Trouble.REFUSED], probes)


def _hints(backend: Any) -> Mapping[Trouble, str]:
    """Return the hints for the service whose server and login the backend uses."""
    server = (getattr(backend, "host", None), getattr(backend, "username", None) or None)
    for provider in (PLAIN, *ADDONS):
        with suppress(ConfigurationError):  # an incomplete login of another service
            found = provider.smtp(os.environ)
            if found and (found.host, found.username) == server:
                return _HINTS if provider is PLAIN else _hints_of(provider, found.host)
    return dict.fromkeys(Trouble, _OWN)


def _hints_of(provider: Provider, host: str) -> dict[Trouble, str]:
    """Return the hints for an add-on, with its own variables."""
    other_port = (
        f"{provider.title}'s status page; or another port, with the plain variables, which take "
        f"precedence: heroku config:set EMAIL_HOST={host} EMAIL_PORT=2525 EMAIL_HOST_USER=… "
        "EMAIL_HOST_PASSWORD=…"
    )
    name, port = provider.variable_of("EMAIL_HOST"), provider.variable_of("EMAIL_PORT")
    if name is None or port is None:  # the service has one server for everybody
        return dict.fromkeys(Trouble, other_port) | {Trouble.LOGIN: provider.login_hint}
    return {
        Trouble.LOGIN: provider.login_hint,
        Trouble.TLS: f"heroku config:set {port}=587 (STARTTLS) or {port}=465 (implicit TLS); and "
        f"{name} must be the name in the certificate",
        Trouble.HOST: f"heroku config:set {name}=…",
        Trouble.REFUSED: f"heroku config:set {name}=… {port}=587; or {other_port}",
        Trouble.OTHER: f"{provider.login_hint}; or {other_port}",
    }


def _skip(subject: Subject, reason: str) -> Findings:
    yield subject.skipped(PROBE, reason)


def _fail(subject: Subject, error: Exception) -> Findings:
    yield subject.refused(PROBE, error, "Fix the mail settings in settings.py.")


def _backend(alias: str) -> Any:
    mailers: Any = getattr(mail, "mailers", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about EMAIL_*, which the project's own code gets, too
        return mailers[alias] if mailers is not None else mail.get_connection()


def _probe(backend: Any, subject: Subject, hints: Mapping[Trouble, str]) -> Findings:
    kind = f"{type(backend).__module__}.{type(backend).__qualname__}"
    if kind == MISSING_BACKEND:
        yield subject.warning(
            PROBE, "No mail service is attached, so sending mail fails.", MISSING_HINT
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
        yield failure(subject, PROBE, error, hints)
        return
    finally:
        with suppress(OSError, SMTPException):
            backend.close()
    tls = "TLS" if backend.use_ssl else "STARTTLS" if backend.use_tls else ""
    server = f"{backend.host}:{backend.port}"
    login = "accepts the login and" if backend.username else "requires no login, as configured, and"
    yield reachable(subject, PROBE, f"{server} {login}", str(backend.host), tls, hints[Trouble.TLS])
