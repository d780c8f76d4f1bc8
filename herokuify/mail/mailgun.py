"""Settings fragment for Mailgun: ``from herokuify.mail.mailgun import *``.

MAILGUN_… are None if they are not set.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from herokuify import env
from herokuify.mail.config import read_provider
from herokuify.mail.providers import MAILGUN

# For type checkers. EMAIL_… are for Django before 6.1, MAILERS for later versions.
MAILGUN_API_KEY: str | None
MAILGUN_DOMAIN: str | None
MAILGUN_SMTP_SERVER: str | None
MAILGUN_SMTP_PORT: int | None
MAILGUN_SMTP_LOGIN: str | None
MAILGUN_SMTP_PASSWORD: str | None
EMAIL_BACKEND: str
EMAIL_HOST: str | None
EMAIL_PORT: int | None
EMAIL_HOST_USER: str | None
EMAIL_HOST_PASSWORD: str | None
EMAIL_USE_TLS: bool | None
EMAIL_USE_SSL: bool | None
EMAIL_TIMEOUT: int | None
MAILERS: dict[str, dict[str, Any]]

VARIABLES = (
    *MAILGUN.variables,
    env.Variable(("MAILGUN_API_KEY",), "Mailgun: its API", True, ("MAILGUN_API_KEY",)),
    env.Variable(("MAILGUN_DOMAIN",), "Mailgun: the domain", settings=("MAILGUN_DOMAIN",)),
)


def read_mailgun(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return MAILGUN_… from an environment; raise ConfigurationError for an incomplete login."""
    smtp = MAILGUN.smtp(environ)
    return {
        "MAILGUN_API_KEY": env.read(environ, "MAILGUN_API_KEY", secret=True),
        "MAILGUN_DOMAIN": env.read(environ, "MAILGUN_DOMAIN"),
        "MAILGUN_SMTP_SERVER": smtp and smtp.host,
        "MAILGUN_SMTP_PORT": smtp and smtp.port,
        "MAILGUN_SMTP_LOGIN": smtp and smtp.username,
        "MAILGUN_SMTP_PASSWORD": smtp and smtp.password,
    }


_own = read_mailgun(os.environ)
_email, _exported = read_provider(MAILGUN, os.environ)
# Type checkers don't see this __all__, and go by the annotations above.
globals().update(_own | _email, __all__=[*_own, *sorted(_exported)])
