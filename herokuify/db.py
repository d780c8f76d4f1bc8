"""Settings fragment for the database: ``DATABASES = herokuify.get_db_config()``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from herokuify import env
from herokuify.conf.addresses import is_local
from herokuify.conf.database_urls import SSL_MODES, UNENCRYPTED, is_mysql, is_postgresql, parse
from herokuify.conf.packages import has_psycopg_pool, require_package
from herokuify.conf.processes import pool_options, runs_development_server, serves_asgi
from herokuify.env import LIVE, Stage, get_stage
from herokuify.exceptions import ConfigurationError

SQLITE = "django.db.backends.sqlite3"
SPATIALITE = "django.contrib.gis.db.backends.spatialite"
#: Engines that open a file, without connections to keep or to check.
FILE_ENGINES = (SQLITE, SPATIALITE)
CONN_MAX_AGE = 600  # seconds
PRIMARY = "DATABASE_URL"
#: The variables of Heroku Postgres, and of JawsDB and ClearDB, which are add-ons for MySQL.
PRIMARIES = (PRIMARY, "JAWSDB_URL", "JAWSDB_MARIA_URL", "CLEARDB_DATABASE_URL")
SERVER_POOL = "DATABASE_CONNECTION_POOL_URL"
COLOR = "HEROKU_POSTGRESQL_<COLOR>_URL"
#: Unlike CI and DYNO, only set in Heroku CI (Heroku Dev Center, "Heroku CI").
CI_RUN = "HEROKU_TEST_RUN_ID"
#: libpq's variable for what a URL calls sslmode.
SSL_MODE = "PGSSLMODE"
SSL_ROOTS = "PGSSLROOTCERT"
HOSTS = ("PGHOSTADDR", "PGHOST")
#: Django's settings that are accepted as keyword arguments.
DEFAULTS = frozenset(
    {
        "ATOMIC_REQUESTS",
        "AUTOCOMMIT",
        "DISABLE_SERVER_SIDE_CURSORS",
        "OPTIONS",
        "TEST",
        "TIME_ZONE",
    }
)


@dataclass(frozen=True)
class _Connections:
    """How to connect to databases; the fields are arguments of get_db_config()."""

    environ: Mapping[str, str]
    engine: str | None
    conn_max_age: int | None
    conn_health_checks: bool
    ssl_require: bool | None
    pool: bool | Mapping[str, Any] | None
    defaults: Mapping[str, Any]

    @property
    def stage(self) -> Stage:
        """The stage in which the settings are read."""
        return get_stage(self.environ)

    def read(self, name: str, url: str, *, pooled_by_server: bool = False) -> dict[str, Any]:
        """Return an entry from the URL in the variable ``name``."""
        config = parse(name, url)
        if config["ENGINE"] not in FILE_ENGINES:
            options = {**self.defaults.get("OPTIONS", {}), **config["OPTIONS"]}
            config = {**config, **self.defaults, "OPTIONS": options}
            # A thread that ends with its request would leave an open connection behind.
            is_per_request = serves_asgi() or runs_development_server()
            config["CONN_MAX_AGE"] = 0 if is_per_request else self.conn_max_age
            config["CONN_HEALTH_CHECKS"] = self.conn_health_checks
        else:
            config |= self.for_file()
        if is_postgresql(config):
            self._connect_postgresql(config, pooled_by_server=pooled_by_server)
        elif self.ssl_require and is_mysql(config):
            config["OPTIONS"].setdefault("ssl_mode", "REQUIRED")
        if self.engine and config["ENGINE"] not in FILE_ENGINES:
            config["ENGINE"] = self.engine
        if not config["OPTIONS"]:
            del config["OPTIONS"]
        return config

    def for_file(self) -> dict[str, Any]:
        """Return the defaults without OPTIONS, which are for a server."""
        return {name: value for name, value in self.defaults.items() if name != "OPTIONS"}

    def file(self, path: Path) -> dict[str, Any]:
        """Return the entry that is used if no variable contains a URL."""
        is_geographic = (self.engine or "").startswith("django.contrib.gis.")
        engine = SPATIALITE if is_geographic else SQLITE
        return {"ENGINE": engine, "NAME": str(path)} | self.for_file()

    def _connect_postgresql(self, config: dict[str, Any], *, pooled_by_server: bool) -> None:
        options = config["OPTIONS"]
        if mode := self._ssl_mode(config):
            options["sslmode"] = mode
        pool = options.pop("pool", self.pool)
        if pooled_by_server:
            # In transaction mode, the next statement may use another connection to the server
            # (Django, "Transaction pooling and server-side cursors").
            config |= {"CONN_MAX_AGE": 0, "DISABLE_SERVER_SIDE_CURSORS": True}
        elif pool or (pool is None and serves_asgi() and has_psycopg_pool()):
            if pool:
                _require_pools()
            options["pool"] = pool_options(self.environ, pool or True)
            config["CONN_MAX_AGE"] = 0  # Django refuses persistent connections with a pool

    def _ssl_mode(self, config: Mapping[str, Any]) -> str | None:
        """Return the new value of OPTIONS["sslmode"], or None to leave it unchanged."""
        options = config["OPTIONS"]
        if "sslmode" in options or "service" in options:
            return None
        # An sslmode in OPTIONS overrides PGSSLMODE, and must not be weaker.
        mode = env.read(self.environ, SSL_MODE, convert=env.one_of(*SSL_MODES))
        needed = self.ssl_require
        if needed is None:
            # A pooler on the dyno itself (heroku-buildpack-pgbouncer) doesn't use TLS.
            needed = (
                mode is None
                and self.stage in LIVE
                and not is_local(config["HOST"] or self._libpq_host(options))
            )
        if needed and mode in {None, *UNENCRYPTED}:
            roots = options.get("sslrootcert") or env.read(self.environ, SSL_ROOTS)
            # libpq refuses the system's certificate authorities with any weaker mode.
            return "verify-full" if roots == "system" else "require"
        return mode

    def _libpq_host(self, options: Mapping[str, Any]) -> str:
        """Return the server that libpq uses if the URL has no host."""
        given = options.get("host") or options.get("hostaddr")
        return str(given or env.read(self.environ, *HOSTS, default=""))


def get_db_config(  # noqa: PLR0913 (one keyword a setting, as Django has them)
    environ: Mapping[str, str] | None = None,
    *,
    variable: str | None = None,
    databases: Mapping[str, str] | None = None,
    engine: str | None = None,
    sqlite_path: str | os.PathLike[str] = "db.sqlite3",
    conn_max_age: int | None = CONN_MAX_AGE,
    conn_health_checks: bool = True,
    ssl_require: bool | None = None,
    pool: bool | Mapping[str, Any] | None = None,
    connection_pool_url: bool = False,
    followers: bool | Sequence[str] = False,
    **defaults: Any,
) -> dict[str, dict[str, Any]]:
    """Return DATABASES: ``default`` is the database of DATABASE_URL, or SQLite if it is not set.

    ``variable`` is read instead of DATABASE_URL and the variables of JawsDB and ClearDB.
    ``databases`` adds aliases, each with the variable that contains its URL. ``engine`` replaces
    the ENGINE of database servers. ``conn_max_age`` (seconds; None keeps connections open) is 0
    under ASGI and runserver, where threads end with each request. ``ssl_require`` is whether TLS
    is required; None means yes on a dyno for PostgreSQL, and as in the URL for MySQL. The next
    three arguments are for PostgreSQL only. ``pool`` enables psycopg's pool (OPTIONS["pool"]),
    with options if it is a mapping; None means under ASGI, if it is installed.
    ``connection_pool_url`` prefers Heroku's server-side pool. ``followers`` adds aliases: True for
    all attached databases except the primary, or names of variables. A relative ``sqlite_path`` is
    below the current directory. ``defaults`` are Django's database settings, such as
    ``ATOMIC_REQUESTS=True``. Raises ConfigurationError, without the password, for a malformed URL,
    for a missing DATABASE_URL on a dyno, for unknown or contradictory arguments, and for an
    unavailable pool.
    """
    environ = os.environ if environ is None else environ
    _check_arguments(pool, connection_pool_url, defaults)
    connections = _Connections(
        environ, engine, conn_max_age, conn_health_checks, ssl_require, pool, defaults
    )
    path = Path(sqlite_path).absolute()
    pooled = connection_pool_url and env.is_set(environ, SERVER_POOL)
    names = (SERVER_POOL,) if pooled else PRIMARIES if variable is None else (variable,)
    configs = {"default": _read_one(connections, names, path, pooled_by_server=pooled)}
    for alias, name in (databases or {}).items():
        configs[alias] = _read_one(connections, (name,), path.with_name(f"{alias}.sqlite3"))
    default = configs["default"]
    is_file = default["ENGINE"] in FILE_ENGINES
    if env.is_set(environ, CI_RUN) and connections.stage is Stage.CI and not is_file:
        # The user of Heroku CI's database can't create another one for the tests.
        default["TEST"] = {"NAME": default["NAME"], **default.get("TEST", {})}
    if followers:
        primary = variable or PRIMARY
        for alias, config in _followers(connections, primary, default, followers):
            configs.setdefault(alias, config)
    return configs


def _read_one(
    connections: _Connections, names: Sequence[str], path: Path, *, pooled_by_server: bool = False
) -> dict[str, Any]:
    """Return an entry from the first variable that is set, or for a file if allowed."""
    for name in names:
        url = env.read(connections.environ, name, secret=True)
        if url is not None:
            return connections.read(name, url, pooled_by_server=pooled_by_server)
    _refuse_sqlite_on_dyno(connections.stage, names[0])
    return connections.file(path)


def _check_arguments(
    pool: bool | Mapping[str, Any] | None,
    connection_pool_url: bool,
    defaults: Mapping[str, Any],
) -> None:
    if pool and connection_pool_url:
        raise ConfigurationError(
            "get_db_config() is called with pool and connection_pool_url, which are mutually "
            "exclusive.",
            "Delete one of the arguments.",
        )
    unknown = sorted(defaults.keys() - DEFAULTS)
    if unknown:
        raise ConfigurationError(
            f"get_db_config() is called with {env.listed(unknown)}, which it does not accept.",
            f"Of Django's settings it accepts {env.listed(sorted(DEFAULTS))}. Assign others "
            f'afterwards: DATABASES["default"]["{unknown[0]}"] = …',
        )


def _followers(
    connections: _Connections,
    primary: str,
    default: Mapping[str, Any],
    followers: bool | Sequence[str],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield an alias and an entry for each database that is not the primary.

    ``primary`` is the variable of the primary itself, because ``default`` may be its pool.
    """
    environ = connections.environ
    url = env.read(environ, primary, secret=True)
    if url is None or not is_postgresql(parse(primary, url)):
        return
    own = [parse(primary, url), default]
    seen = {_identity(config) for config in own}
    places = {_place(config) for config in own if not is_local(config["HOST"])}
    names = [followers] if isinstance(followers, str) else followers
    if isinstance(names, bool):
        names = env.Variable((COLOR,), "").names_set(environ)
    for name in names:
        word = re.fullmatch(r"(?:HEROKU_POSTGRESQL_)?([A-Z][A-Z0-9_]*)_URL", name)
        if word is None:
            raise ConfigurationError(
                "get_db_config() is called with followers that are not names of variables.",
                'Pass followers=["HEROKU_POSTGRESQL_AMBER_URL"], or True.',
            )
        url = env.read(environ, name, secret=True)
        if url is None:  # it has been detached, so reads go to the primary
            continue
        parsed = parse(name, url)
        # The primary's server-side pool is recognized by its place, others by Heroku's suffix.
        pooled = _place(parsed) in places or name.endswith("_CONNECTION_POOL_URL")
        if _identity(parsed) in seen or (pooled and isinstance(followers, bool)):
            continue
        seen.add(_identity(parsed))
        config = connections.read(name, url, pooled_by_server=pooled)
        # With ATOMIC_REQUESTS, each request would open a transaction on the follower as well.
        config |= {"ENGINE": default["ENGINE"], "ATOMIC_REQUESTS": False}
        yield f"replica_{word[1].lower()}", config | {"TEST": {"MIRROR": "default"}}


def _identity(config: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return what identifies a database, which several variables and users may refer to."""
    return str(config["HOST"]), str(config["PORT"] or 5432), str(config["NAME"])


def _place(config: Mapping[str, Any]) -> tuple[str, str]:
    """Return the host and the database; Heroku's pool is on another port of the same host."""
    return str(config["HOST"]), str(config["NAME"])


def _refuse_sqlite_on_dyno(stage: Stage, name: str) -> None:
    if stage in LIVE:
        has_own_name = name != PRIMARY and name.endswith("_URL")
        attached = f" --as {name.removesuffix('_URL')}" if has_own_name else ""
        raise ConfigurationError(
            f"{name} is not set, and a SQLite database would be on the dyno's disk, which is lost "
            "at every restart.",
            f"Attach a database (heroku addons:create heroku-postgresql{attached}), or set its "
            f"URL: {env.config_set([name])}",
        )


def _require_pools() -> None:
    """Raise ConfigurationError if the pool is not installed, or not supported by Django."""
    needed_by = "get_db_config(pool=…)"
    require_package("psycopg_pool", install="psycopg[binary,pool]", needed_by=needed_by)
    if not has_psycopg_pool():
        raise ConfigurationError(
            f"{needed_by} needs Django 5.1 or later.",
            'Delete the argument, or upgrade: pip install "Django>=5.2"',
        )


VARIABLES = (
    env.Variable(PRIMARIES, "the database", secret=True, settings=("DATABASES",)),
    env.Variable(
        (SERVER_POOL,),
        "the database through Heroku's connection pool, with connection_pool_url=True",
        secret=True,
        settings=("DATABASES",),
    ),
    env.Variable(
        (COLOR,),
        "followers of the database, with followers=…",
        secret=True,
        settings=("DATABASES",),
    ),
    env.Variable(
        (SSL_MODE,),
        "TLS to PostgreSQL, if the URL has no sslmode",
        settings=("DATABASES",),
    ),
    env.Variable((SSL_ROOTS,), "libpq: the certificate authorities for PostgreSQL's certificate"),
    env.Variable(HOSTS, "libpq: PostgreSQL's server, if the URL has no host"),
    env.Variable((CI_RUN,), "Heroku CI: tests run in the database itself"),
)
