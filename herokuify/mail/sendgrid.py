"""Settings fragment for SendGrid: ``from herokuify.mail.sendgrid import *``.

SENDGRID_API_KEY, SENDGRID_USERNAME and SENDGRID_PASSWORD are None if they are not set.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from herokuify import env
from herokuify.mail.config import read_provider
from herokuify.mail.providers import SENDGRID, SENDGRID_SERVER, STARTTLS_PORT

# For type checkers. EMAIL_… are for Django before 6.1, MAILERS for later versions.
SENDGRID_API_KEY: str | None
SENDGRID_USERNAME: str | None
SENDGRID_PASSWORD: str | None
SENDGRID_SMTP_SERVER: str
SENDGRID_SMTP_PORT: int
EMAIL_BACKEND: str
EMAIL_HOST: str | None
EMAIL_PORT: int | None
EMAIL_HOST_USER: str | None
EMAIL_HOST_PASSWORD: str | None
EMAIL_USE_TLS: bool | None
EMAIL_USE_SSL: bool | None
EMAIL_TIMEOUT: int | None
MAILERS: dict[str, dict[str, Any]]

VARIABLES = SENDGRID.variables


def read_sendgrid(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return SENDGRID_… from an environment; raise ConfigurationError for an incomplete login."""
    SENDGRID.smtp(environ)
    return {
        "SENDGRID_API_KEY": env.read(environ, "SENDGRID_API_KEY", secret=True),
        "SENDGRID_USERNAME": env.read(environ, "SENDGRID_USERNAME"),
        "SENDGRID_PASSWORD": env.read(environ, "SENDGRID_PASSWORD", secret=True),
        "SENDGRID_SMTP_SERVER": SENDGRID_SERVER,
        "SENDGRID_SMTP_PORT": STARTTLS_PORT,
    }


_own = read_sendgrid(os.environ)
_email, _exported = read_provider(SENDGRID, os.environ)
# Type checkers don't see this __all__, and go by the annotations above.
globals().update(_own | _email, __all__=[*_own, *sorted(_exported)])
