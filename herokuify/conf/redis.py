"""The Redis server: which variable contains its URL, and the parts of the URL."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from herokuify import env
from herokuify.conf.processes import read_threads, read_workers
from herokuify.exceptions import ConfigurationError

HEROKU = "REDIS_URL"
HEROKU_TLS = "REDIS_TLS_URL"
REDIS_CLOUD = "REDISCLOUD_URL"
STACKHERO = "STACKHERO_REDIS_URL_TLS"
STACKHERO_PLAIN = "STACKHERO_REDIS_URL_CLEAR"
SHAPE = "rediss://:password@host:6379"
#: Each add-on's variables: the one that names it, and an alternative.
ADDONS = ((HEROKU, HEROKU_TLS), (REDIS_CLOUD,), (STACKHERO, STACKHERO_PLAIN))
PORT = 6379

CONNECT_TIMEOUT = 2.0  # seconds
READ_TIMEOUT = 2.0  # seconds
#: Connections of heroku-redis:mini, the smallest plan.
CONNECTIONS = 20

_VERIFICATION = {"none": None, "optional": "optional", "required": "required"}


@dataclass(frozen=True)
class RedisServer:
    """A Redis server: its variable, and the parts of its URL.

    ``tls`` and ``options`` are redis-py's arguments from the URL's query; ``tls`` is None for
    ``redis://``.
    """

    variable: str
    host: str
    port: int = PORT
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The URL without user, password and query: it may be shown."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "redis" if self.tls is None else "rediss"
        return f"{scheme}://{host}:{self.port}/{self.db}"

    @property
    def login(self) -> dict[str, str]:
        """redis-py's ``username`` and ``password``, if the URL contains them."""
        pairs = {"username": self.username, "password": self.password}
        return {name: value for name, value in pairs.items() if value is not None}

    @property
    def timeouts(self) -> dict[str, float]:
        """redis-py's timeouts in seconds; the URL overrides the defaults."""
        defaults = {"socket_connect_timeout": CONNECT_TIMEOUT, "socket_timeout": READ_TIMEOUT}
        return {name: self.options.get(name, value) for name, value in defaults.items()}

    def tls_options(self, ssl_ca_certs: str | os.PathLike[str] | None) -> dict[str, Any]:
        """Return redis-py's TLS options, which the URL may override; none for ``redis://``.

        The certificate is only verified with a CA, because that of Heroku Key-Value Store is
        self-signed (Heroku Dev Center, "Connecting to Heroku Key-Value Store").
        """
        if self.tls is None:
            return {}
        if "ssl_cert_reqs" in self.tls:
            return dict(self.tls)
        authority = self.tls.get("ssl_ca_certs") or ssl_ca_certs
        if authority is None:
            return {**self.tls, "ssl_cert_reqs": None}
        return {
            "ssl_check_hostname": True,
            **self.tls,
            "ssl_cert_reqs": "required",
            "ssl_ca_certs": os.fspath(authority),
        }


def attached(environ: Mapping[str, str]) -> list[str]:
    """Return the names of the attached Redis add-ons' variables."""
    return [names[0] for names in ADDONS if env.is_set(environ, *names)]


def read_server(environ: Mapping[str, str], variable: str) -> RedisServer | None:
    """Return the server whose URL the variable contains, or None if it is not set.

    Raises ConfigurationError, without the password, for a malformed URL.
    """
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*_URL(_TLS|_CLEAR)?", variable):
        # The value is not shown: it may be the URL itself.
        raise ConfigurationError(
            "The argument variable= must be the name of a config var that contains a URL.",
            f'For example: variable="{HEROKU}" or variable="HEROKU_REDIS_AMBER_URL"',
        )
    found = _read(environ, variable)
    # Until December 2024, some plans had both REDIS_URL, without TLS, and REDIS_TLS_URL.
    other = dict(pair for pair in ADDONS if len(pair) == 2).get(variable)
    if other and (found is None or found.tls is None):
        found = _read(environ, other) or found
    return found


def choose(environ: Mapping[str, str], purpose: str, call: str) -> str | None:
    """Return the attached add-on's variable, or None.

    Raises ConfigurationError if several are attached.
    """
    names = attached(environ)
    if len(names) > 1:
        raise ambiguous(names, purpose, call)
    return names[0] if names else None


def ambiguous(names: list[str], purpose: str, call: str) -> ConfigurationError:
    """Return the error for several attached servers, with how to choose one."""
    return ConfigurationError(
        f"{env.listed(names)} are set, and herokuify can't tell which one is for {purpose}.",
        "Detach the others (heroku addons:detach …), or choose one in the settings: "
        f'{call}(variable="{names[0]}")',
    )


def refuse_missing_choice(environ: Mapping[str, str], variable: str, call: str) -> None:
    """Raise ConfigurationError on a dyno, where the chosen variable must be set."""
    if env.get_stage(environ) in env.LIVE:
        raise ConfigurationError(
            f'{variable} is not set, and the settings call {call}(variable="{variable}").',
            env.config_set([variable]),
        )


def pool_size(environ: Mapping[str, str], connections: int) -> int:
    """Return how many connections one process may use for the cache.

    The cache gets a quarter of the plan's connections, divided between the web processes, and at
    most one per thread. The others are for Celery, in web and worker processes, and for one-off
    dynos.
    """
    return max(1, min(read_threads(environ), connections // 4 // read_workers(environ)))


def _read(environ: Mapping[str, str], name: str) -> RedisServer | None:
    return env.read(environ, name, convert=lambda url: redis_url(url, name), secret=True)


def redis_url(value: str, variable: str = HEROKU) -> RedisServer:
    """Convert a ``redis://`` or ``rediss://`` URL, whose path may be the number of a database."""
    try:
        parts = urlsplit(env.url(value))
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        parts, query = urlsplit(""), []
    db = re.fullmatch(r"/?([0-9]{0,5})", parts.path)
    if (
        not value.startswith(("redis://", "rediss://"))  # redis-py refuses upper case
        or parts.hostname is None
        or db is None
        or parts.fragment
    ):
        raise ValueError(f"a URL like {SHAPE}, with user and password percent-encoded")
    tls: dict[str, Any] | None = {} if parts.scheme == "rediss" else None
    options: dict[str, Any] = {}
    for name, text in query:
        if name in _TLS_PARAMETERS:
            if tls is None:
                raise ValueError(f"a URL like {SHAPE}: only rediss:// takes ssl_ parameters")
            tls[name] = _TLS_PARAMETERS[name](text)
        elif name in _PARAMETERS:
            options[name] = _PARAMETERS[name](text)
        else:  # the name is not shown: it may be a part of the password
            known = ", ".join((*_TLS_PARAMETERS, *_PARAMETERS))
            raise ValueError(f"a URL like {SHAPE}, with no parameters but {known}")
    return RedisServer(
        variable,
        parts.hostname,
        parts.port or PORT,
        options.pop("db", int(db[1] or 0)),
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
        tls,
        options,
    )


def _verification(text: str) -> str | None:
    word = text.lower().removeprefix("cert_")
    if word not in _VERIFICATION:
        raise ValueError("a URL whose ssl_cert_reqs is none, optional or required")
    return _VERIFICATION[word]


def _check_hostname(text: str) -> bool:
    if text.lower() not in (*env.TRUE, *env.FALSE):
        raise ValueError("a URL whose ssl_check_hostname is true or false")
    return env.boolean(text)


def _path(text: str) -> str:
    if not text:
        raise ValueError("a URL whose ssl_ parameters name files")
    return text


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) or not float(text):
        raise ValueError("a URL whose timeouts are numbers of seconds, such as 3")
    return float(text)


def _number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text):
        raise ValueError("a URL whose db and max_connections are numbers")
    return int(text)


#: redis-py's names of a URL's parameters → the converters of their values.
_TLS_PARAMETERS: dict[str, Any] = {
    "ssl_cert_reqs": _verification,
    "ssl_ca_certs": _path,
    "ssl_certfile": _path,
    "ssl_keyfile": _path,
    "ssl_check_hostname": _check_hostname,
}
_PARAMETERS: dict[str, Any] = {
    "db": _number,
    "socket_timeout": _seconds,
    "socket_connect_timeout": _seconds,
    "max_connections": _number,
}

VARIABLES = tuple(
    env.Variable(names, purpose, secret=True, settings=("CACHES",))
    for names, purpose in (
        ((HEROKU, HEROKU_TLS), "the cache, and Celery: Heroku Key-Value Store"),
        ((REDIS_CLOUD,), "the cache, and Celery: the add-on Redis Cloud"),
        ((STACKHERO, STACKHERO_PLAIN), "the cache, and Celery: the add-on Stackhero for Redis"),
        (("HEROKU_REDIS_<COLOR>_URL",), "further instances of Key-Value Store, with variable="),
    )
)
