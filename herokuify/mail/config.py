"""Mail settings, in the form that the installed version of Django reads."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from email.utils import parseaddr
from typing import Any

from herokuify import env
from herokuify.exceptions import ConfigurationError
from herokuify.mail.providers import ADDONS, PLAIN, Provider, Smtp

SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
CONSOLE_BACKEND = "django.core.mail.backends.console.EmailBackend"
MISSING_BACKEND = "herokuify.mail.backend.MissingBackend"
MISSING_HINT = (
    "heroku addons:create mailgun, or heroku config:set EMAIL_HOST=… EMAIL_HOST_USER=… "
    "EMAIL_HOST_PASSWORD=…"
)
TIMEOUT = 10  # seconds, well within the router's 30
SENDERS = ("DEFAULT_FROM_EMAIL", "SERVER_EMAIL")

VARIABLES = (
    *(variable for provider in (PLAIN, *ADDONS) for variable in provider.variables),
    env.Variable(
        ("DEFAULT_FROM_EMAIL",), "the sender of the site's mail", settings=("DEFAULT_FROM_EMAIL",)
    ),
    env.Variable(
        ("SERVER_EMAIL",),
        "the sender of mail to ADMINS; by default DEFAULT_FROM_EMAIL",
        settings=("SERVER_EMAIL",),
    ),
)


def get_email_config(
    environ: Mapping[str, str] | None = None, *, timeout: int = TIMEOUT
) -> dict[str, Any]:
    """Return mail settings: ``globals().update(herokuify.get_email_config())``.

    MAILERS on Django 6.1 and later, else EMAIL_*, from the plain variables (EMAIL_HOST and so on)
    or the attached add-on. Without either, mail goes to the console in local development, in CI and
    in a build, and is an error on a dyno. ``timeout`` is in seconds. Raises ConfigurationError for
    two add-ons, an incomplete login, and invalid values.
    """
    environ = os.environ if environ is None else environ
    smtp = PLAIN.smtp(environ)
    if smtp is None:
        addon = _find_addon(environ)
        smtp = addon.smtp(environ) if addon else None
    mailers = {"default": _mailer(smtp, environ, timeout)}
    return read_senders(environ) | (
        {"MAILERS": mailers} if knows_mailers() else _legacy(mailers["default"])
    )


def read_provider(
    provider: Provider, environ: Mapping[str, str]
) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the mail settings that a provider's module defines, and the names in its __all__.

    MAILERS and EMAIL_* are both defined, because settings files may import EMAIL_HOST by name.
    ``__all__`` contains those that Django reads, or neither if another provider is attached and
    this one is not, so that a star import doesn't override the other's settings.
    """
    smtp = provider.smtp(environ)
    mailer = _mailer(smtp, environ, TIMEOUT)
    legacy = dict.fromkeys(_legacy(_mailer(Smtp(""), environ, TIMEOUT))) | _legacy(mailer)
    senders = read_senders(environ)
    exported = {"MAILERS"} if knows_mailers() else set(legacy)
    if smtp is None and any(other.is_attached(environ) for other in (PLAIN, *ADDONS)):
        exported = set()
    return {**senders, **legacy, "MAILERS": {"default": mailer}}, frozenset(exported | {*senders})


def read_senders(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the senders' addresses that are set."""
    default, server = (env.read(environ, name, convert=address) for name in SENDERS)
    pairs = zip(SENDERS, (default, server or default), strict=True)
    return {name: value for name, value in pairs if value}


def address(value: str) -> str:
    """Check an address, alone or as ``Name <address>``."""
    if not re.fullmatch(r"[^@\s<>,]+@[^@\s<>,]+", parseaddr(value)[1]) or not value.isprintable():
        raise ValueError("an address: me@example.com, or My Site <me@example.com>")
    return value


def knows_mailers() -> bool:
    """Return whether this Django reads MAILERS, and refuses EMAIL_* beside it."""
    # Imported only here, because most processes send no mail.
    from django.core import mail

    return hasattr(mail, "mailers")


def _find_addon(environ: Mapping[str, str]) -> Provider | None:
    attached = [addon for addon in ADDONS if addon.is_attached(environ)]
    if len(attached) > 1:
        titles = env.listed(addon.title for addon in attached)
        plain = ("EMAIL_HOST", "EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD")
        raise ConfigurationError(
            f"{titles} are attached at the same time, and herokuify can't tell which one should "
            "send mail.",
            "Detach the others (heroku addons:detach …), choose one in the settings (from "
            "herokuify.mail.mailgun import *), or set the plain variables, which take precedence: "
            f"{env.config_set(plain)}",
        )
    return attached[0] if attached else None


def _mailer(smtp: Smtp | None, environ: Mapping[str, str], timeout: int) -> dict[str, Any]:
    """Return the entry of MAILERS."""
    if smtp is None:
        is_live = env.get_stage(environ) in env.LIVE
        return {"BACKEND": MISSING_BACKEND if is_live else CONSOLE_BACKEND}
    return {
        "BACKEND": SMTP_BACKEND,
        "OPTIONS": {
            "host": smtp.host,
            "port": smtp.port,
            "username": smtp.username,
            "password": smtp.password,
            "use_tls": smtp.use_tls,
            "use_ssl": smtp.use_ssl,
            "timeout": timeout,
        },
    }


def _legacy(mailer: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of MAILERS as the EMAIL_* settings of Django before 6.1."""
    names = {"username": "HOST_USER", "password": "HOST_PASSWORD"}
    options = mailer.get("OPTIONS", {})
    return {"EMAIL_BACKEND": mailer["BACKEND"]} | {
        f"EMAIL_{names.get(name, name.upper())}": value for name, value in options.items()
    }
