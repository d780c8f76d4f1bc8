"""Database URLs: what dj-database-url makes of one, and what is wrong with one it refuses."""

from __future__ import annotations

import re
from typing import Any

import dj_database_url

from herokuify.exceptions import ConfigurationError

#: libpq's (PostgreSQL's manual, "SSL Support").
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def parse(name: str, url: str) -> dict[str, Any]:
    """Make one entry of DATABASES of the URL that the variable ``name`` holds.

    OPTIONS is always there. Raises ConfigurationError, which repeats no part of the URL but
    its scheme, when Django or libpq could make nothing of it.
    """
    try:
        config: dict[str, Any] = {"OPTIONS": {}, **dj_database_url.parse(url)}
    except ValueError:
        # Neither its message nor the URL may be repeated: both can hold the password.
        raise _malformed(name, _fault(url)) from None
    options = config["OPTIONS"]
    if not config["NAME"] and "service" not in options:
        raise _malformed(name, "it names no database")
    if options.get("sslmode", "prefer") not in SSL_MODES:
        raise _malformed(name, f"its sslmode is none of {', '.join(SSL_MODES)}")
    return config


def is_postgresql(config: dict[str, Any]) -> bool:
    """Tell whether the entry is for PostgreSQL, PostGIS included."""
    return str(config["ENGINE"]).endswith((".postgresql", ".postgis"))


def _fault(url: str) -> str:
    """Say what is wrong with a URL that dj-database-url refuses, without repeating it."""
    scheme = re.match(r"[a-z][a-z0-9+.-]{0,30}(?=://)", url, re.IGNORECASE)
    if scheme is None:
        return "it does not begin with a scheme and ://"
    try:
        dj_database_url.parse(f"{scheme[0]}://host/name")
    except ValueError:
        return f"dj-database-url knows no scheme {scheme[0]!r}"
    return "its port is no number, or user or password hold characters not percent-encoded"


def _malformed(name: str, fault: str) -> ConfigurationError:
    attach = ", or attach a database: heroku addons:create heroku-postgresql"
    return ConfigurationError(
        f"{name} is malformed: {fault}. It must be like "
        f"postgres://user:password@host:5432/name. heroku config:set {name}=…"
        f"{attach if name == 'DATABASE_URL' else ''}"
    )
