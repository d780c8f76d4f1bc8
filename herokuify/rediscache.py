"""A Django cache on Redis with limits on time and connections, which clears only its own keys."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache as DjangoRedisCache
from django.core.cache.backends.redis import RedisCacheClient

from herokuify.conf import redis_errors
from herokuify.conf.caches import pop_boolean
from herokuify.conf.packages import require_package
from herokuify.conf.processes import THREADS
from herokuify.conf.redis import CONNECT_TIMEOUT, READ_TIMEOUT
from herokuify.exceptions import ConfigurationError
from herokuify.platforms import adapted

logger = logging.getLogger("herokuify.cache")
#: Seconds for which a server that didn't respond is not asked again with ``ignore_exceptions``: a
#: page may read many keys, and each would wait for the timeout.
PAUSE = 5.0
POOL_WAIT = 5.0  # seconds to wait for a connection that another thread holds
BATCH = 500  # keys that clear() deletes at once

_lock = threading.Lock()
_pools: dict[tuple[object, ...], Any] = {}
_down: dict[str, float] = {}  # a server → until when it is not asked, by time.monotonic()
_logins: dict[tuple[object, object], Any] = {}


class _Hidden(str):
    """Text that is not shown in tracebacks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'…'"


def _without_login(options: Mapping[str, Any], servers: list[str]) -> dict[str, Any]:
    """Return OPTIONS with a credential provider instead of user and password.

    redis-py passes arguments from function to function, and error pages show local variables.
    """
    if "password" not in options or any("@" in url for url in servers):
        return dict(options)
    from redis.credentials import UsernamePasswordCredentialProvider

    kept = dict(options)
    login = kept.pop("username", None), kept.pop("password")
    with _lock:  # one object per login, which is a part of the key of the threads' shared pool
        if login not in _logins:
            hidden = _Hidden(login[1] or "")
            _logins[login] = UsernamePasswordCredentialProvider(login[0], hidden)
        return {**kept, "credential_provider": _logins[login]}


class _Client(RedisCacheClient):
    """Django's client with one pool per process; Django's own has one per thread."""

    # Django's attributes, which the type stubs lack.
    _servers: list[str]
    _pool_class: Any
    _pool_options: dict[str, Any]
    _get_connection_pool_index: Callable[[bool], int]

    def __init__(self, servers: list[str], **options: Any) -> None:
        from redis import BlockingConnectionPool
        from redis.backoff import NoBackoff
        from redis.exceptions import ConnectionError as RedisConnectionError
        from redis.retry import Retry

        defaults = {
            "pool_class": BlockingConnectionPool,
            "socket_connect_timeout": CONNECT_TIMEOUT,
            "socket_timeout": READ_TIMEOUT,
            "max_connections": THREADS,
            # Try again at once, for connections that the server has closed; redis-py's default is
            # three retries, with seconds between them.
            "retry": Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        }
        super().__init__(servers, **{**defaults, **options})
        if issubclass(self._pool_class, BlockingConnectionPool):
            self._pool_options.setdefault("timeout", POOL_WAIT)
        shown = {name: value for name, value in options.items() if name != "retry"}
        self._key = tuple(sorted((name, repr(value)) for name, value in shown.items()))

    def _get_connection_pool(self, write: bool) -> Any:
        index = self._get_connection_pool_index(write)
        key = (self._servers[index], self._pool_class, self._key)
        with _lock:
            if key not in _pools:
                _pools[key] = self._pool_class.from_url(self._servers[index], **self._pool_options)
            return _pools[key]

    def delete_pattern(self, pattern: str) -> bool:
        """Delete the keys that match a pattern; the database may also contain a queue."""
        client = self.get_client(None, write=True)
        batch: list[bytes] = []
        for key in client.scan_iter(pattern, count=BATCH):
            batch.append(key)
            if len(batch) == BATCH:
                client.unlink(*batch)
                batch.clear()
        if batch:
            client.unlink(*batch)
        return True


class RedisCache(DjangoRedisCache):
    """Django's Redis cache with timeouts, one pool per process, and ``ignore_exceptions``.

    OPTIONS are those of redis-py, and ``ignore_exceptions``: if True, a server that is unreachable,
    full or out of connections is treated as an empty cache, with a warning in the log; if False,
    the default, redis-py's error is raised. A wrong password and an invalid certificate always
    raise. ``clear()`` only deletes keys with this cache's KEY_PREFIX.
    """

    # Django's attributes, which the type stubs lack.
    _servers: list[str]
    _cache: Any

    def __init__(self, server: str | list[str], params: dict[str, Any]) -> None:
        require_package("redis", install="herokuify[redis]", needed_by=type(self).__name__)
        super().__init__(server, params)
        self._options = _without_login(params.get("OPTIONS", {}), self._servers)
        self.ignore_exceptions = pop_boolean(self._options, "ignore_exceptions", default=False)
        self._class = _Client
        self._server = ", ".join(urlsplit(url).hostname or "localhost" for url in self._servers)

    def add(
        self,
        key: str,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> bool:
        """Store a value if the key doesn't exist; return whether it was stored."""
        return bool(self._attempt(False, super().add, key, value, timeout, version))

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        """Return the value, or the default."""
        return self._attempt(default, super().get, key, default, version)

    def set(
        self,
        key: str,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> None:
        """Store a value."""
        self._attempt(None, super().set, key, value, timeout, version)

    def touch(
        self, key: str, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        """Change the timeout of a key; return whether it exists."""
        return bool(self._attempt(False, super().touch, key, timeout, version))

    def delete(self, key: str, version: int | None = None) -> bool:
        """Delete a key; return whether it existed."""
        return bool(self._attempt(False, super().delete, key, version))

    def get_many(self, keys: Iterable[str], version: int | None = None) -> dict[str, Any]:
        """Return the keys that exist, with their values."""
        keys = list(keys)
        return dict(self._attempt({}, super().get_many, keys, version)) if keys else {}

    def has_key(self, key: str, version: int | None = None) -> bool:
        """Return whether a key exists."""
        return bool(self._attempt(False, super().has_key, key, version))

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Add to a number; raise ValueError if the key doesn't exist."""
        number = self._attempt(None, super().incr, key, delta, version)
        if number is None:
            raise ValueError(f"Key '{key}' not found")
        return int(number)

    def set_many(
        self,
        data: Mapping[str, Any],
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> list[Any]:
        """Store values; return the keys of those that could not be stored."""
        if not data:
            return []
        return list(self._attempt(list(data), super().set_many, data, timeout, version))

    def delete_many(self, keys: Iterable[str], version: int | None = None) -> None:
        """Delete the keys."""
        keys = list(keys)
        if keys:
            self._attempt(None, super().delete_many, keys, version)

    def clear(self) -> bool:  # type: ignore[override]  # the stubs say None
        """Delete all keys of this cache, of all versions."""
        escaped = "".join(f"\\{sign}" if sign in "*?[]\\" else sign for sign in self.key_prefix)
        return bool(
            self._attempt(False, self._cache.delete_pattern, self.key_func("*", escaped, "*"))
        )

    def _attempt(self, missing: Any, command: Callable[..., Any], *arguments: Any) -> Any:
        """Run a command; return ``missing`` if it fails and exceptions are ignored."""
        from redis import exceptions

        if self.ignore_exceptions and _down.get(self._server, 0) > time.monotonic():
            return missing
        try:
            return command(*arguments)
        except (
            exceptions.ConnectionError,
            exceptions.TimeoutError,
            exceptions.OutOfMemoryError,
        ) as error:
            if _is_configuration(error):
                raise
            problem, hint = self._explain(error)
            if not self.ignore_exceptions:
                raise type(error)(f"{problem} {hint}") from error
            if not isinstance(error, exceptions.OutOfMemoryError):
                _down[self._server] = time.monotonic() + PAUSE
            # Not an error, for which AdminEmailHandler would send a mail every few seconds.
            logger.warning("%s The cache is treated as empty. %s", problem, hint)
            return missing

    def _explain(self, error: Exception) -> tuple[str, str]:
        server = f"Redis at {self._server}"
        size = self._options.get("max_connections", THREADS)
        return redis_errors.explain(error, server, size) or (
            f"{server} does not respond ({type(error).__name__}: {error}).",
            adapted("heroku redis:info"),
        )


def _is_configuration(error: BaseException) -> bool:
    """Return whether an error is because of the settings, not the server's state."""
    from redis import exceptions

    seen: BaseException | None = error
    while seen is not None:
        if isinstance(
            seen,
            exceptions.AuthenticationError
            | exceptions.AuthorizationError
            | ssl.SSLCertVerificationError
            | ConfigurationError,
        ):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
