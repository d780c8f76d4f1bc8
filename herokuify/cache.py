"""Settings fragment for the cache: ``CACHES = herokuify.get_cache_config()``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from herokuify import env
from herokuify.conf import redis
from herokuify.conf.packages import require_package

CALL = "get_cache_config"
#: Add-ons: the prefix of their variables → their title.
MEMCACHED = {"MEMCACHIER": "MemCachier", "MEMCACHEDCLOUD": "Memcached Cloud"}


def get_cache_config(
    environ: Mapping[str, str] | None = None,
    *,
    variable: str | None = None,
    ssl_ca_certs: str | os.PathLike[str] | None = None,
    max_connections: int = redis.CONNECTIONS,
    ignore_exceptions: bool = True,
) -> dict[str, dict[str, Any]]:
    """Return CACHES: ``default`` is the attached add-on or, like ``locmem``, local memory.

    ``variable`` chooses one of several add-ons (``REDIS_URL``, ``MEMCACHIER_SERVERS``), or names
    another variable with a Redis URL or with memcached servers. ``ssl_ca_certs`` is a file of CA
    certificates to verify Redis' certificate. ``max_connections`` is the connection limit of the
    Redis plan, of which the cache uses a quarter, divided between WEB_CONCURRENCY processes. With
    ``ignore_exceptions``, an unreachable server is treated as an empty cache; otherwise it is an
    error. Raises ConfigurationError, without passwords, for malformed values, incomplete variables,
    several add-ons without a choice, and a missing client library.
    """
    environ = os.environ if environ is None else environ
    chosen = variable or _attached(environ)
    default = None
    if chosen is not None:
        addon = re.fullmatch(r"([A-Z][A-Z0-9_]*)_SERVERS", chosen)
        if addon:
            default = _memcached(environ, addon[1])
        else:
            size = redis.pool_size(environ, max_connections)
            default = _redis(environ, chosen, ssl_ca_certs, size)
        if default is None:
            redis.refuse_missing_choice(environ, chosen, CALL)
        else:
            default["OPTIONS"]["ignore_exceptions"] = ignore_exceptions
    return {"default": default or _local_memory("default"), "locmem": _local_memory("locmem")}


def host_and_port(value: str) -> list[str]:
    """Convert servers that are separated by commas: a host and an optional port."""
    servers = env.comma_list(value)
    if not servers or not all(map(_is_server, servers)):
        raise ValueError(
            "servers separated by commas, such as a.example.com:11211,b.example.com:11211"
        )
    return servers


def _is_server(text: str) -> bool:
    host = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
    found = re.fullmatch(rf"{host}(?::([0-9]{{1,5}}))?", text)
    return found is not None and (found[1] is None or 0 < int(found[1]) < 65536)


def _attached(environ: Mapping[str, str]) -> str | None:
    names = redis.attached(environ)
    names += [f"{addon}_SERVERS" for addon in MEMCACHED if env.is_set(environ, *_names(addon))]
    if len(names) > 1:
        raise redis.ambiguous(names, "the cache", CALL)
    return names[0] if names else None


def _names(addon: str) -> tuple[str, str, str]:
    return f"{addon}_SERVERS", f"{addon}_USERNAME", f"{addon}_PASSWORD"


def _redis(
    environ: Mapping[str, str],
    variable: str,
    ssl_ca_certs: str | os.PathLike[str] | None,
    size: int,
) -> dict[str, Any] | None:
    server = redis.read_server(environ, variable)
    if server is None:
        return None
    needed_by = f"The cache at {server.variable}"
    require_package("redis", install="herokuify[redis]", needed_by=needed_by)
    return {
        "BACKEND": "herokuify.rediscache.RedisCache",
        # Without the login: error pages and mail to ADMINS show the settings, in which Django
        # masks values that are named "password", but not URLs.
        "LOCATION": server.url,
        "OPTIONS": {
            **server.login,
            **server.timeouts,
            "max_connections": server.options.get("max_connections", size),
            **server.tls_options(ssl_ca_certs),
        },
    }


def _memcached(environ: Mapping[str, str], addon: str) -> dict[str, Any] | None:
    names = _names(addon)
    title = MEMCACHED.get(addon, f"The cache at {names[0]}")
    found = env.require_all_or_none(environ, *names, needed_by=title)
    if found is None:
        return None
    needed_by = f"The cache at {names[0]}"
    require_package("bmemcached", install="herokuify[memcached]", needed_by=needed_by)
    return {
        "BACKEND": "herokuify.memcached.BinaryMemcachedCache",
        "LOCATION": env.read(environ, names[0], convert=host_and_port),
        "OPTIONS": {"username": found[names[1]], "password": found[names[2]]},
    }


def _local_memory(name: str) -> dict[str, Any]:
    # Caches with the same LOCATION share their contents.
    return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": name}


VARIABLES = tuple(
    env.Variable(
        (name,),
        f"the cache: the add-on {title}",
        secret=not name.endswith("_SERVERS"),
        settings=("CACHES",),
    )
    for addon, title in MEMCACHED.items()
    for name in _names(addon)
)
