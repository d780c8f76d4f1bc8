"""Services that deliver mail by SMTP: which variables they set, and what those mean.

docs/mail.md, "Add a provider", explains how to add one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from herokuify import env
from herokuify.exceptions import ConfigurationError

STARTTLS_PORT = 587
TLS_PORT = 465  # with TLS from the first byte


@dataclass(frozen=True)
class Smtp:
    """A mail server, and the login on it; the password stays out of the repr.

    ``use_tls`` asks for encryption: from the first byte at port 465, else by STARTTLS.
    """

    host: str
    port: int = STARTTLS_PORT
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    use_tls: bool = True


@dataclass(frozen=True)
class Provider:
    """A service that delivers mail.

    ``read`` makes the server and login of its ``variables``, and is called only when one of
    them is set.
    """

    title: str
    variables: tuple[env.Variable, ...]
    read: Callable[[Mapping[str, str]], Smtp]

    def is_attached(self, environ: Mapping[str, str]) -> bool:
        """Tell whether any of the variables is set that a login is made of."""
        return env.is_set(environ, *(name for item in self.variables for name in item.names))

    def smtp(self, environ: Mapping[str, str]) -> Smtp | None:
        """Return the server and login, or None when the service is not attached.

        Raises ConfigurationError for half a login, and for a value that can't be right.
        """
        return self.read(environ) if self.is_attached(environ) else None


def server(value: str) -> str:
    """Check the name of a mail server, or its IP address."""
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", value):
        raise ValueError("a server's name alone, such as smtp.example.com")
    return value


def login_provider(title: str, *names: str, default_server: str = "") -> Provider:
    """Make a provider of the names of four variables: server, port, user and password.

    The port is 587 when none is set; the server must be, unless there is a default.
    """
    server_name, port_name, user_name, password_name = names

    def read(environ: Mapping[str, str]) -> Smtp:
        needed = names[2:] if default_server else (server_name, *names[2:])
        found = env.require(environ, *needed, needed_by=title)
        return Smtp(
            env.read(environ, server_name, convert=server) or default_server,
            env.read(environ, port_name, convert=env.port) or STARTTLS_PORT,
            found[user_name],
            found[password_name],
        )

    return Provider(title, _variables(title, names), read)


def _variables(title: str, names: tuple[str, ...]) -> tuple[env.Variable, ...]:
    parts = ("the mail server", "its port", "the user on it", "the password on it")
    settings = ("EMAIL_HOST", "EMAIL_PORT", "EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD")
    return tuple(
        env.Variable((name,), f"{title}: {part}", name == names[3], ("MAILERS", setting))
        for name, part, setting in zip(names, parts, settings, strict=True)
    )


def _read_plain(environ: Mapping[str, str]) -> Smtp:
    """Read Django's own names; a server that asks for no login is possible."""
    user, password = "EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD"
    host = env.require(environ, "EMAIL_HOST", needed_by="Mail")["EMAIL_HOST"]
    login = env.require_all_or_none(environ, user, password, needed_by=f"The login on {host}")
    use_tls = env.read(environ, "EMAIL_USE_TLS", convert=env.boolean)
    return Smtp(
        env.read(environ, "EMAIL_HOST", convert=server) or "",
        env.read(environ, "EMAIL_PORT", convert=env.port) or STARTTLS_PORT,
        login[user] if login else None,
        login[password] if login else None,
        use_tls=use_tls is not False,
    )


def _read_sendgrid(environ: Mapping[str, str]) -> Smtp:
    """Prefer the API key: SendGrid stopped taking the account's name and password in 2021."""
    key = env.read(environ, "SENDGRID_API_KEY", secret=True)
    if key:
        return Smtp(SENDGRID_SERVER, username="apikey", password=key)
    names = ("SENDGRID_USERNAME", "SENDGRID_PASSWORD")
    try:
        found = env.require(environ, *names, needed_by="SendGrid without an API key")
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{error.args[0]}, or, better: {env.config_set(['SENDGRID_API_KEY'])}"
        ) from None
    return Smtp(SENDGRID_SERVER, username=found[names[0]], password=found[names[1]])


def _read_postmark(environ: Mapping[str, str]) -> Smtp:
    token = env.require(environ, "POSTMARK_API_TOKEN", needed_by="Postmark")["POSTMARK_API_TOKEN"]
    return Smtp(POSTMARK_SERVER, username=token, password=token)


MAILGUN_SERVER = "smtp.mailgun.org"
SENDGRID_SERVER = "smtp.sendgrid.net"
POSTMARK_SERVER = "smtp.postmarkapp.com"
_USER = ("MAILERS", "EMAIL_HOST_USER")
_PASSWORD = ("MAILERS", "EMAIL_HOST_PASSWORD")
_PLAIN = ("EMAIL_HOST", "EMAIL_PORT", "EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD")

#: Django's own names, which win over every add-on.
PLAIN = Provider(
    "Mail",
    (
        *_variables("Mail", _PLAIN),
        env.Variable(
            ("EMAIL_USE_TLS",), "Mail: false for no TLS", settings=("MAILERS", "EMAIL_USE_TLS")
        ),
    ),
    _read_plain,
)
MAILGUN = login_provider(
    "Mailgun",
    "MAILGUN_SMTP_SERVER",
    "MAILGUN_SMTP_PORT",
    "MAILGUN_SMTP_LOGIN",
    "MAILGUN_SMTP_PASSWORD",
    default_server=MAILGUN_SERVER,
)
SENDGRID = Provider(
    "SendGrid",
    (
        env.Variable(("SENDGRID_API_KEY",), "SendGrid: the API key", True, _PASSWORD),
        env.Variable(("SENDGRID_USERNAME",), "SendGrid, legacy: the user", settings=_USER),
        env.Variable(("SENDGRID_PASSWORD",), "SendGrid, legacy: the password", True, _PASSWORD),
    ),
    _read_sendgrid,
)
POSTMARK = Provider(
    "Postmark",
    (env.Variable(("POSTMARK_API_TOKEN",), "Postmark: the server's token", True, _PASSWORD),),
    _read_postmark,
)
MAILER_TO_GO = login_provider(
    "Mailer To Go",
    "MAILERTOGO_SMTP_HOST",
    "MAILERTOGO_SMTP_PORT",
    "MAILERTOGO_SMTP_USER",
    "MAILERTOGO_SMTP_PASSWORD",
)
SPARKPOST = login_provider(
    "SparkPost",
    "SPARKPOST_SMTP_HOST",
    "SPARKPOST_SMTP_PORT",
    "SPARKPOST_SMTP_USERNAME",
    "SPARKPOST_SMTP_PASSWORD",
)

ADDONS = (MAILGUN, SENDGRID, POSTMARK, MAILER_TO_GO, SPARKPOST)
