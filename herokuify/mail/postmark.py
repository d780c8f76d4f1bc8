"""Settings fragment for Postmark: ``from herokuify.mail.postmark import *``.

POSTMARK_API_TOKEN is None if it is not set.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from herokuify import env
from herokuify.mail.config import read_provider
from herokuify.mail.providers import POSTMARK, POSTMARK_SERVER, STARTTLS_PORT

# For type checkers. EMAIL_… are for Django before 6.1, MAILERS for later versions.
POSTMARK_API_TOKEN: str | None
POSTMARK_SMTP_SERVER: str
POSTMARK_SMTP_PORT: int
EMAIL_BACKEND: str
EMAIL_HOST: str | None
EMAIL_PORT: int | None
EMAIL_HOST_USER: str | None
EMAIL_HOST_PASSWORD: str | None
EMAIL_USE_TLS: bool | None
EMAIL_USE_SSL: bool | None
EMAIL_TIMEOUT: int | None
MAILERS: dict[str, dict[str, Any]]

VARIABLES = POSTMARK.variables


def read_postmark(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return POSTMARK_… from an environment."""
    return {
        "POSTMARK_API_TOKEN": env.read(environ, "POSTMARK_API_TOKEN", secret=True),
        "POSTMARK_SMTP_SERVER": POSTMARK_SERVER,
        "POSTMARK_SMTP_PORT": STARTTLS_PORT,
    }


_own = read_postmark(os.environ)
_email, _exported = read_provider(POSTMARK, os.environ)
# Type checkers don't see this __all__, and go by the annotations above.
globals().update(_own | _email, __all__=[*_own, *sorted(_exported)])
