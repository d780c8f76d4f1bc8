"""Services that deliver mail by SMTP, and how their variables become settings.

docs/mail.md, "Add a provider", explains how to add one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from herokuify import env
from herokuify.exceptions import ConfigurationError

STARTTLS_PORT = 587
TLS_PORT = 465  # implicit TLS (RFC 8314)


@dataclass(frozen=True)
class Smtp:
    """A mail server and a login; the password is not in the repr.

    ``use_tls`` means STARTTLS, ``use_ssl`` implicit TLS.
    """

    host: str
    port: int = STARTTLS_PORT
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    use_tls: bool = True
    use_ssl: bool = False


def smtp_at(host: str, port: int | None, username: str | None, password: str | None) -> Smtp:
    """Return a server with the encryption that its port implies: implicit TLS at 465."""
    is_tls_port = port == TLS_PORT
    return Smtp(host, port or STARTTLS_PORT, username, password, not is_tls_port, is_tls_port)


@dataclass(frozen=True)
class Provider:
    """A service that delivers mail.

    ``read`` returns the server and login from the ``variables``, and is called only if one of
    them is set. ``login_hint`` says where the service issues a login, and how to set it.
    """

    title: str
    variables: tuple[env.Variable, ...]
    read: Callable[[Mapping[str, str]], Smtp]
    login_hint: str = ""

    def variable_of(self, setting: str) -> str | None:
        """Return the variable for a setting such as EMAIL_HOST, if there is one."""
        found = (item.names[0] for item in self.variables if setting in item.settings)
        return next(found, None)

    def is_attached(self, environ: Mapping[str, str]) -> bool:
        """Return whether any of the variables is set."""
        return env.is_set(environ, *(name for item in self.variables for name in item.names))

    def smtp(self, environ: Mapping[str, str]) -> Smtp | None:
        """Return the server and login, or None if the service is not attached.

        Raises ConfigurationError for an incomplete login and for an invalid value.
        """
        return self.read(environ) if self.is_attached(environ) else None


def server(value: str) -> str:
    """Check the name of a mail server, or its IP address."""
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", value):
        raise ValueError("a server name such as smtp.example.com")
    return value


def login_provider(title: str, *names: str, issued_at: str, default_server: str = "") -> Provider:
    """Return a provider from the names of four variables: server, port, user and password.

    The default port is 587. The server must be set, unless there is a default.
    ``issued_at`` says where the service issues a login.
    """
    server_name, port_name, user_name, password_name = names

    def read(environ: Mapping[str, str]) -> Smtp:
        needed = names[2:] if default_server else (server_name, *names[2:])
        found = env.require(environ, *needed, needed_by=title)
        return smtp_at(
            env.read(environ, server_name, convert=server) or default_server,
            env.read(environ, port_name, convert=env.port),
            found[user_name],
            found[password_name],
        )

    login_hint = f"{issued_at}; then {env.config_set(names[2:])}"
    return Provider(title, _variables(title, names), read, login_hint)


def _variables(title: str, names: tuple[str, ...]) -> tuple[env.Variable, ...]:
    parts = ("the mail server", "its port", "the user on it", "the password on it")
    settings = ("EMAIL_HOST", "EMAIL_PORT", "EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD")
    return tuple(
        env.Variable((name,), f"{title}: {part}", name == names[3], ("MAILERS", setting))
        for name, part, setting in zip(names, parts, settings, strict=True)
    )


def _read_plain(environ: Mapping[str, str]) -> Smtp:
    """Return the server and login from the plain variables; the login is optional."""
    user, password = "EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD"
    host = env.require(environ, "EMAIL_HOST", needed_by="Mail")["EMAIL_HOST"]
    login = env.require_all_or_none(environ, user, password, needed_by=f"The login on {host}")
    found = smtp_at(
        env.read(environ, "EMAIL_HOST", convert=server) or "",
        env.read(environ, "EMAIL_PORT", convert=env.port),
        login[user] if login else None,
        login[password] if login else None,
    )
    use_tls, use_ssl = (
        env.read(environ, name, convert=env.boolean) for name in ("EMAIL_USE_TLS", "EMAIL_USE_SSL")
    )
    if use_tls and use_ssl:
        raise ConfigurationError(
            "EMAIL_USE_TLS (STARTTLS) and EMAIL_USE_SSL (implicit TLS) are both true, but they are "
            "mutually exclusive.",
            "heroku config:set EMAIL_USE_TLS=false (for port 465), or EMAIL_USE_SSL=false (for "
            "STARTTLS)",
        )
    if use_ssl is None:
        # At port 465, EMAIL_USE_TLS=true has always meant implicit TLS.
        use_ssl = found.use_ssl and use_tls is not False
    use_tls = not use_ssl and use_tls is not False
    port = found.port
    if use_ssl and not env.is_set(environ, "EMAIL_PORT"):
        port = TLS_PORT
    return replace(found, port=port, use_tls=use_tls, use_ssl=use_ssl)


def _read_sendgrid(environ: Mapping[str, str]) -> Smtp:
    """Prefer the API key, because SendGrid has refused the account's password since 2021."""
    key = env.read(environ, "SENDGRID_API_KEY", secret=True)
    if key:
        return Smtp(SENDGRID_SERVER, username="apikey", password=key)
    names = ("SENDGRID_USERNAME", "SENDGRID_PASSWORD")
    try:
        found = env.require(environ, *names, needed_by="SendGrid without an API key")
    except ConfigurationError as error:
        raise ConfigurationError(error.problem, f"{error.hint}, or better: {_NEW_KEY}") from None
    return Smtp(SENDGRID_SERVER, username=found[names[0]], password=found[names[1]])


def _read_postmark(environ: Mapping[str, str]) -> Smtp:
    token = env.require(environ, "POSTMARK_API_TOKEN", needed_by="Postmark")["POSTMARK_API_TOKEN"]
    return Smtp(POSTMARK_SERVER, username=token, password=token)


MAILGUN_SERVER = "smtp.mailgun.org"
SENDGRID_SERVER = "smtp.sendgrid.net"
POSTMARK_SERVER = "smtp.postmarkapp.com"
_NEW_KEY = env.config_set(["SENDGRID_API_KEY"])
_USER = ("MAILERS", "EMAIL_HOST_USER")
_PASSWORD = ("MAILERS", "EMAIL_HOST_PASSWORD")
_PLAIN = ("EMAIL_HOST", "EMAIL_PORT", "EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD")

#: The plain variables, named like Django's settings, which override every add-on.
PLAIN = Provider(
    "Mail",
    (
        *_variables("Mail", _PLAIN),
        env.Variable(
            ("EMAIL_USE_TLS",),
            "Mail: false for no STARTTLS",
            settings=("MAILERS", "EMAIL_USE_TLS"),
        ),
        env.Variable(
            ("EMAIL_USE_SSL",),
            "Mail: true for implicit TLS, at port 465",
            settings=("MAILERS", "EMAIL_USE_SSL"),
        ),
    ),
    _read_plain,
    env.config_set(_PLAIN[2:]),
)
MAILGUN = login_provider(
    "Mailgun",
    "MAILGUN_SMTP_SERVER",
    "MAILGUN_SMTP_PORT",
    "MAILGUN_SMTP_LOGIN",
    "MAILGUN_SMTP_PASSWORD",
    issued_at="In Mailgun: Sending, Domain settings, SMTP credentials, Reset password",
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
    # Also for the legacy variables, which a key replaces.
    f'In SendGrid: Settings, API Keys, one with the access "Mail Send"; then {_NEW_KEY}',
)
POSTMARK = Provider(
    "Postmark",
    (env.Variable(("POSTMARK_API_TOKEN",), "Postmark: the server's token", True, _PASSWORD),),
    _read_postmark,
    "In Postmark: the server's API Tokens (the account's token is refused), and its Settings, "
    f"where SMTP is enabled; then {env.config_set(['POSTMARK_API_TOKEN'])}",
)
MAILER_TO_GO = login_provider(
    "Mailer To Go",
    "MAILERTOGO_SMTP_HOST",
    "MAILERTOGO_SMTP_PORT",
    "MAILERTOGO_SMTP_USER",
    "MAILERTOGO_SMTP_PASSWORD",
    issued_at="In Mailer To Go's dashboard: the SMTP credentials",
)
SPARKPOST = login_provider(
    "SparkPost",
    "SPARKPOST_SMTP_HOST",
    "SPARKPOST_SMTP_PORT",
    "SPARKPOST_SMTP_USERNAME",
    "SPARKPOST_SMTP_PASSWORD",
    issued_at='In SparkPost: API Keys, one with the permission "Send via SMTP"',
)

ADDONS = (MAILGUN, SENDGRID, POSTMARK, MAILER_TO_GO, SPARKPOST)
