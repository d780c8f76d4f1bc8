"""Databases: whether each accepts its login, with TLS as configured."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from herokuify.doctor.findings import Subject
from herokuify.doctor.runner import Findings, ProbeGroup
from herokuify.doctor.services import CONNECT_TIMEOUT, SECONDS, Trouble, failure, reachable

PROBE = "database"
_LOCAL = {
    "django.db.backends.dummy": "DATABASES names no database",
    "django.db.backends.sqlite3": "SQLite is a file on this machine",
}
_ENABLE_TLS = "In settings.py: DATABASES = herokuify.get_db_config(ssl_require=True)"
_HINTS = {
    Trouble.LOGIN: "heroku pg:credentials:url (shows the current login), then heroku pg:promote …, "
    "or for another server: heroku config:set DATABASE_URL=…",
    Trouble.TLS: f"{_ENABLE_TLS}, or False for a server without TLS; for your own CA, set "
    "sslrootcert in OPTIONS",
    Trouble.HOST: "heroku config:set DATABASE_URL=postgres://… with the right host",
    Trouble.REFUSED: "heroku pg:info (shows whether it is available); or heroku "
    "config:set DATABASE_URL=… with the right host and port",
    Trouble.LIMIT: "The plan's connection limit is reached (heroku pg:info shows it; essential-0's "
    'is 20). Share them, pip install "psycopg[binary,pool]" and in settings.py: DATABASES = '
    "herokuify.get_db_config(pool=True); or use fewer processes and threads: heroku config:set "
    "WEB_CONCURRENCY=… WEB_THREADS=…; or a larger plan: heroku addons:upgrade …",
    Trouble.OTHER: "heroku pg:info, heroku pg:diagnose; or heroku config:set DATABASE_URL=…",
}
_NO_DRIVER = (
    'Add the database\'s driver to the requirements; for PostgreSQL: pip install "psycopg[binary]"'
)


def probe_groups() -> Iterator[ProbeGroup]:
    """Yield a group of probes for each database."""
    for alias in connections:
        subject = Subject(f"DATABASES[{alias!r}]")
        probes = partial(_probe, alias, subject)
        yield ProbeGroup(subject, PROBE, SECONDS, _HINTS[Trouble.REFUSED], probes)


def _probe(alias: str, subject: Subject) -> Findings:
    engine = connections.settings[alias]["ENGINE"]
    if engine in _LOCAL:
        yield subject.skipped(PROBE, _LOCAL[engine])
        return
    try:
        connection = _open(alias)
    except (ImproperlyConfigured, ImportError) as error:  # Django's, or the driver's own
        yield subject.refused(PROBE, error, _NO_DRIVER)
        return
    try:
        with connection.cursor() as cursor:  # a pooler may accept connections without its server
            cursor.execute(f"SELECT 1{connection.features.bare_select_suffix}")
        tls = _tls(connection)
    except Exception as error:  # noqa: BLE001 (each driver has its own)
        yield failure(subject, PROBE, error, _HINTS)
        return
    finally:
        connection.close()
    host = str(connection.settings_dict.get("HOST") or "")
    yield reachable(
        subject, PROBE, f"The {connection.display_name} database", host, tls, _ENABLE_TLS
    )


def _open(alias: str) -> Any:
    """Open a separate connection with a short timeout, outside any pool."""
    connection: Any = connections.create_connection(alias)
    connection.settings_dict = deepcopy(connection.settings_dict)
    options = connection.settings_dict["OPTIONS"]
    options.pop("pool", None)
    if connection.vendor in {"postgresql", "mysql"}:
        options["connect_timeout"] = CONNECT_TIMEOUT
    return connection


def _tls(connection: Any) -> str | None:
    """Return "TLS", with the sslmode; "" without TLS, and None if the driver doesn't say."""
    driver = connection.connection
    info = getattr(driver, "pgconn", None) or getattr(driver, "info", None)
    is_used = getattr(info, "ssl_in_use", None)
    if is_used is None:
        return None
    mode = connection.settings_dict["OPTIONS"].get("sslmode")
    return ("TLS" + (f" (sslmode={mode})" if mode else "")) if is_used else ""
