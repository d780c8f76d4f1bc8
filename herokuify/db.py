"""Settings fragment for the database: ``DATABASES = herokuify.get_db_config()``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dj_database_url

from herokuify import env
from herokuify.exceptions import ConfigurationError

SQLITE = "django.db.backends.sqlite3"
#: Engines that open a file: there is no connection to keep or to check.
FILE_ENGINES = (SQLITE, "django.contrib.gis.db.backends.spatialite")
CONN_MAX_AGE = 600  # seconds


def get_db_config(
    environ: Mapping[str, str] | None = None,
    *,
    sqlite_path: str | os.PathLike[str] = "db.sqlite3",
    conn_max_age: int | None = CONN_MAX_AGE,
    conn_health_checks: bool = True,
) -> dict[str, dict[str, Any]]:
    """DATABASES: ``default`` is what DATABASE_URL names, or SQLite when it is not set.

    ``conn_max_age`` (seconds; None keeps connections open) and ``conn_health_checks`` are for
    database servers. A relative ``sqlite_path`` is below the current directory. Raises
    ConfigurationError, without the password, when DATABASE_URL is malformed.
    """
    url = env.read(os.environ if environ is None else environ, "DATABASE_URL", secret=True)
    if url is None:
        return {"default": {"ENGINE": SQLITE, "NAME": str(Path(sqlite_path).absolute())}}
    config = _parse(url)
    if config["ENGINE"] not in FILE_ENGINES:
        config |= {"CONN_MAX_AGE": conn_max_age, "CONN_HEALTH_CHECKS": conn_health_checks}
    return {"default": config}


def _parse(url: str) -> dict[str, Any]:
    try:
        config: dict[str, Any] = {**dj_database_url.parse(url)}
    except ValueError:
        # Neither its message nor the URL may be repeated: both can hold the password.
        raise _malformed(_fault(url)) from None
    options = config.get("OPTIONS") or {}
    if not config["NAME"] and "service" not in options:
        raise _malformed("it names no database")
    return config


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


def _malformed(fault: str) -> ConfigurationError:
    return ConfigurationError(
        f"DATABASE_URL is malformed: {fault}. It must be like "
        "postgres://user:password@host:5432/name. heroku config:set DATABASE_URL=…, "
        "or attach a database: heroku addons:create heroku-postgresql"
    )
