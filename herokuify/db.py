"""Settings fragment for the database: ``DATABASES = herokuify.get_db_config()``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from herokuify import env
from herokuify.database_urls import is_postgresql, parse
from herokuify.env import Stage, get_stage
from herokuify.exceptions import ConfigurationError
from herokuify.extras import require_package

SQLITE = "django.db.backends.sqlite3"
#: Engines that open a file: there is no connection to keep or to check.
FILE_ENGINES = (SQLITE, "django.contrib.gis.db.backends.spatialite")
CONN_MAX_AGE = 600  # seconds
PRIMARY = "DATABASE_URL"
SERVER_POOL = "DATABASE_CONNECTION_POOL_URL"
COLOR = "HEROKU_POSTGRESQL_<COLOR>_URL"
#: Set in Heroku CI alone (Heroku Dev Center, "Heroku CI"), unlike CI and DYNO.
CI_RUN = "HEROKU_TEST_RUN_ID"


@dataclass(frozen=True)
class _Connections:
    """How databases are connected to; the arguments of get_db_config()."""

    conn_max_age: int | None
    conn_health_checks: bool
    ssl_require: bool | None
    pool: bool | Mapping[str, Any]
    stage: Stage

    def apply(self, config: dict[str, Any], *, pooled_by_server: bool = False) -> dict[str, Any]:
        """Complete a parsed URL."""
        if config["ENGINE"] not in FILE_ENGINES:
            config["CONN_MAX_AGE"] = self.conn_max_age
            config["CONN_HEALTH_CHECKS"] = self.conn_health_checks
        if is_postgresql(config):
            if self._needs_tls(config):
                config["OPTIONS"]["sslmode"] = "require"
            if pooled_by_server:
                # In transaction mode the next statement may meet another connection of the
                # server's (Django, "Transaction pooling and server-side cursors").
                config |= {"CONN_MAX_AGE": 0, "DISABLE_SERVER_SIDE_CURSORS": True}
            elif self.pool:
                _require_pools()
                config["OPTIONS"]["pool"] = True if isinstance(self.pool, bool) else dict(self.pool)
                config["CONN_MAX_AGE"] = 0  # Django refuses both
        if not config["OPTIONS"]:
            del config["OPTIONS"]
        return config

    def _needs_tls(self, config: Mapping[str, Any]) -> bool:
        if "sslmode" in config["OPTIONS"] or "service" in config["OPTIONS"]:
            return False
        if self.ssl_require is not None:
            return self.ssl_require
        # A pooler on the dyno itself (heroku-buildpack-pgbouncer) has no TLS and needs none.
        return self.stage in {Stage.RELEASE, Stage.DYNO} and not _is_here(config["HOST"])


def get_db_config(  # noqa: PLR0913 (one keyword a setting, as Django has them)
    environ: Mapping[str, str] | None = None,
    *,
    sqlite_path: str | os.PathLike[str] = "db.sqlite3",
    conn_max_age: int | None = CONN_MAX_AGE,
    conn_health_checks: bool = True,
    ssl_require: bool | None = None,
    pool: bool | Mapping[str, Any] = False,
    connection_pool_url: bool = False,
    followers: bool | Sequence[str] = False,
) -> dict[str, dict[str, Any]]:
    """DATABASES: ``default`` is what DATABASE_URL names, or SQLite when it is not set.

    ``conn_max_age`` (seconds; None keeps connections open) and ``conn_health_checks`` are for
    database servers, the rest for PostgreSQL. ``ssl_require`` asks for TLS, always or never;
    None means on a dyno. ``pool`` is psycopg's (OPTIONS["pool"]), ``connection_pool_url``
    prefers Heroku's server-side one. ``followers`` adds aliases: True for all attached
    databases but the primary, or names of variables. A relative ``sqlite_path`` is below the
    current directory. Raises ConfigurationError, without the password, for a malformed URL,
    for a running dyno without DATABASE_URL, and for a pool that can't be had.
    """
    environ = os.environ if environ is None else environ
    if pool and connection_pool_url:
        raise ConfigurationError(
            "get_db_config() is called with pool and with connection_pool_url, which exclude "
            "each other: delete one of the arguments."
        )
    connections = _Connections(
        conn_max_age, conn_health_checks, ssl_require, pool, get_stage(environ)
    )
    pooled = connection_pool_url and env.is_set(environ, SERVER_POOL)
    name = SERVER_POOL if pooled else PRIMARY
    url = env.read(environ, name, secret=True)
    if url is None:
        _refuse_sqlite_on_dyno(connections.stage)
        return {"default": {"ENGINE": SQLITE, "NAME": str(Path(sqlite_path).absolute())}}
    default = connections.apply(parse(name, url), pooled_by_server=pooled)
    if env.is_set(environ, CI_RUN) and connections.stage is Stage.CI:
        # The database of a test run is one that its user can't create anew.
        default["TEST"] = {"NAME": default["NAME"]}
    databases = {"default": default}
    if followers and is_postgresql(default):
        for alias, config in _followers(environ, default, followers):
            databases[alias] = connections.apply(config) | {"TEST": {"MIRROR": "default"}}
    return databases


def _followers(
    environ: Mapping[str, str], default: Mapping[str, Any], followers: bool | Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield aliases and parsed URLs of databases, each once, that are not the primary."""
    wanted: Sequence[str] = (
        env.Variable((COLOR,), "").names_set(environ)
        if isinstance(followers, bool)
        else [followers]
        if isinstance(followers, str)
        else followers
    )
    seen = {_identity(default)}
    primary = env.read(environ, PRIMARY, secret=True)
    if primary is not None:  # it is not the default when the server's pool is
        seen.add(_identity(parse(PRIMARY, primary)))
    for name in wanted:
        word = re.fullmatch(r"(?:HEROKU_POSTGRESQL_)?([A-Z][A-Z0-9_]*)_URL", name)
        if word is None:
            raise ConfigurationError(
                "get_db_config() is called with followers that are no names of variables; "
                'it takes followers=["HEROKU_POSTGRESQL_AMBER_URL"], or True.'
            )
        url = env.read(environ, name, secret=True)
        if url is None:  # a follower may be detached at any time, and reads find the primary
            continue
        config = parse(name, url) | {"ENGINE": default["ENGINE"]}
        if _identity(config) not in seen:
            seen.add(_identity(config))
            yield f"replica_{word[1].lower()}", config


def _identity(config: Mapping[str, Any]) -> tuple[str, str, str]:
    """What tells databases apart: one may be attached under several names and users."""
    return str(config["HOST"]), str(config["PORT"] or 5432), str(config["NAME"])


def _is_here(host: str) -> bool:
    return host in {"", "localhost", "127.0.0.1", "::1"} or host.startswith("/")


def _refuse_sqlite_on_dyno(stage: Stage) -> None:
    if stage in {Stage.RELEASE, Stage.DYNO}:
        raise ConfigurationError(
            f"{PRIMARY} is not set, and a dyno's disk, where SQLite would write, is lost with "
            "every restart. Attach a database (heroku addons:create heroku-postgresql), or "
            f"name one: {env.config_set([PRIMARY])}"
        )


def _require_pools() -> None:
    """Raise ConfigurationError where Django or psycopg has no pool."""
    needed_by = "get_db_config(pool=…)"
    require_package("psycopg_pool", install="psycopg[binary,pool]", needed_by=needed_by)
    # Asked of Django itself, and only here: the import loads psycopg.
    from django.db.backends.postgresql.base import DatabaseWrapper

    if not hasattr(DatabaseWrapper, "pool"):
        raise ConfigurationError(
            f"{needed_by} needs Django 5.1 or later; delete the argument, or upgrade: "
            'pip install "Django>=5.2"'
        )


VARIABLES = (
    env.Variable((PRIMARY,), "the database", secret=True, settings=("DATABASES",)),
    env.Variable(
        (SERVER_POOL,),
        "the database, through Heroku's connection pool, where get_db_config() is asked for it",
        secret=True,
        settings=("DATABASES",),
    ),
    env.Variable(
        (COLOR,),
        "followers of the database, where get_db_config() is asked for them",
        secret=True,
        settings=("DATABASES",),
    ),
    env.Variable((CI_RUN,), "Heroku CI: tests run in the database itself"),
)
