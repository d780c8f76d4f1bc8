"""Redis settings for other packages: ``CHANNEL_LAYERS``, ``RQ_QUEUES``, ``HUEY``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from herokuify import env
from herokuify.conf import redis
from herokuify.conf.packages import require_package
from herokuify.exceptions import ConfigurationError

CALL = "get_redis_config"
LOCAL = redis.RedisServer("", "127.0.0.1")


def get_redis_config(
    client: str,
    environ: Mapping[str, str] | None = None,
    *,
    variable: str | None = None,
    ssl_ca_certs: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Return the address, login, TLS and timeouts of Redis, in the form that a client takes.

    ``client`` is "redis" (arguments of ``redis.Redis``), "channels" (one of ``hosts``),
    "django-rq" (one of RQ_QUEUES), "huey" (HUEY["connection"]) or "django-redis" (one of CACHES).
    The arguments are the same as for get_cache_config(). If no add-on is attached, it is a server
    at 127.0.0.1. Raises ConfigurationError like get_cache_config(), for an unknown client, and on
    a dyno without a server.
    """
    if client not in CLIENTS:
        raise ConfigurationError(
            f"{CALL}() doesn't support the client {client!r}.", f"Use {', '.join(CLIENTS)}."
        )
    environ = os.environ if environ is None else environ
    chosen = variable or redis.choose(environ, client, CALL)
    server = redis.read_server(environ, chosen) if chosen else None
    if server is None and env.get_stage(environ) in env.LIVE:
        name = chosen or redis.HEROKU
        raise ConfigurationError(
            f"{name} is not set, and {client} needs a Redis server.",
            f"heroku addons:create heroku-redis:mini, or {env.config_set([name])}",
        )
    require_package("redis", install="herokuify[redis]", needed_by=f"{CALL}({client!r})")
    server = server or LOCAL
    return CLIENTS[client](server, server.tls_options(ssl_ca_certs))


def _redis(server: redis.RedisServer, tls: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "host": server.host,
        "port": server.port,
        "db": server.db,
        **server.login,
        **_connect_timeout(server),
        **({"ssl": True} if tls else {}),
        **tls,
    }


def _channels(server: redis.RedisServer, tls: Mapping[str, Any]) -> dict[str, Any]:
    return {"address": server.url, **server.login, **_connect_timeout(server), **tls}


def _django_rq(server: redis.RedisServer, tls: Mapping[str, Any]) -> dict[str, Any]:
    options = {**_connect_timeout(server), **tls}
    config: dict[str, Any] = {"HOST": server.host, "PORT": server.port, "DB": server.db}
    config |= {name.upper(): value for name, value in server.login.items()}
    if tls:
        config |= {"SSL": True, "SSL_CERT_REQS": options.pop("ssl_cert_reqs")}
    return config | {"REDIS_CLIENT_KWARGS": options}


def _huey(server: redis.RedisServer, tls: Mapping[str, Any]) -> dict[str, Any]:
    config = _redis(server, tls)
    if config.pop("ssl", False):
        # huey passes these to a connection pool, which doesn't accept "ssl".
        from redis.connection import SSLConnection

        config["connection_class"] = SSLConnection
    return config


def _django_redis(server: redis.RedisServer, tls: Mapping[str, Any]) -> dict[str, Any]:
    # Its OPTIONS have different names from Django's, and it ignores unknown ones silently.
    login = {name: value for name, value in server.login.items() if name == "username"}
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": server.url,
        "OPTIONS": {
            **({"PASSWORD": server.password} if server.password else {}),
            **{name.upper(): value for name, value in server.timeouts.items()},
            "CONNECTION_POOL_KWARGS": {**login, **tls},
        },
    }


def _connect_timeout(server: redis.RedisServer) -> dict[str, float]:
    # No timeout for reading: these clients block until a message arrives.
    return {"socket_connect_timeout": server.timeouts["socket_connect_timeout"]}


CLIENTS: dict[str, Callable[[redis.RedisServer, Mapping[str, Any]], dict[str, Any]]] = {
    "redis": _redis,
    "channels": _channels,
    "django-rq": _django_rq,
    "huey": _huey,
    "django-redis": _django_redis,
}
