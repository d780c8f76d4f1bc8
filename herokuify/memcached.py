"""A Django cache with memcached's binary protocol and SASL, which Heroku's add-ons require.

Django's own PyLibMCCache would need pylibmc: its last release (1.6.3) has no wheels for
Python 3.12 and later, and those for older ones find no SASL mechanism on Debian and Ubuntu.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.memcached import BaseMemcachedCache

from herokuify.conf.caches import pop_boolean
from herokuify.conf.packages import require_package
from herokuify.platforms import adapted

# Statuses of memcached's binary protocol.
NOT_FOUND = 0x0001
TOO_LARGE = 0x0003
#: An expiry that means: don't create what is not there.
NEVER_CREATE = 0xFFFFFFFF
#: An expiry of more than 30 days, in seconds, is a date, and this one lies in 1970.
PAST = 60 * 60 * 24 * 30 + 1
TIMEOUT = 2.0  # seconds, to connect and to read
PAUSE = timedelta(seconds=5)


class BinaryMemcachedCache(BaseMemcachedCache):
    """Cache on memcached servers, keys spread over them, by python-binary-memcached.

    OPTIONS are the client's, ``username``, ``password``, ``socket_timeout`` (seconds), and
    ``ignore_exceptions``: if True, the default, a server that is down is treated as an empty cache;
    if False, ConnectionError is raised. Wrong credentials always raise the client's
    MemcachedException.
    """

    # The base class's, which the type stubs leave out.
    _cache: Any
    _options: dict[str, Any]
    LibraryValueNotFoundException: Any

    def __init__(self, server: str | list[str], params: dict[str, Any]) -> None:
        name = type(self).__name__
        require_package("bmemcached", install="herokuify[memcached]", needed_by=name)
        import bmemcached
        from bmemcached.exceptions import MemcachedException

        super().__init__(server, params, bmemcached, MemcachedException)
        self._class = bmemcached.DistributedClient  # the module's Client copies to all servers
        self._options = {
            "pickle_protocol": pickle.HIGHEST_PROTOCOL,
            "socket_timeout": TIMEOUT,
            **self._options,
        }
        self._ignores = pop_boolean(self._options, "ignore_exceptions", default=True)

    def get_backend_timeout(self, timeout: float | None = DEFAULT_TIMEOUT) -> int:
        """Return an expiry as memcached counts it, in seconds or as a date."""
        seconds: Any = super().get_backend_timeout(timeout)
        # Django expires by a negative one, which the client would take for the end of time.
        return int(seconds) if seconds >= 0 else PAST

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        """Return the value, which may be None, or the default."""
        safe_key = self.make_and_validate_key(key, version=version)
        value, unique = self._cache.gets(safe_key)
        if unique is None:
            self._require_servers(safe_key)
            return default
        return value

    def add(
        self,
        key: str,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> bool:
        """Store a value unless the key is there; tell whether that was done."""
        key = self.make_and_validate_key(key, version=version)
        is_added = self._stores(self._cache.add, key, value, self.get_backend_timeout(timeout))
        if not is_added:
            self._require_servers(key)
        return is_added

    def set(
        self,
        key: str,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> None:
        """Store a value; one that is too large removes the key."""
        key = self.make_and_validate_key(key, version=version)
        if not self._stores(self._cache.set, key, value, self.get_backend_timeout(timeout)):
            self._cache.delete(key)
            self._require_servers(key)

    def touch(
        self, key: str, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        """Give the key another expiry; tell whether it was there."""
        key = self.make_and_validate_key(key, version=version)
        value, unique = self._cache.gets(key)
        if unique is None:
            self._require_servers(key)
        # The client has no such command: store again what nobody has changed since.
        return unique is not None and self._stores(
            self._cache.cas, key, value, unique, self.get_backend_timeout(timeout)
        )

    def delete(self, key: str, version: int | None = None) -> bool:
        """Delete the key; tell whether it was there."""
        # The client's delete() says yes to a key that was not.
        key = self.make_and_validate_key(key, version=version)
        is_deleted = bool(self._cache.delete_multi([key]))
        if not is_deleted:
            self._require_servers(key)
        return is_deleted

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Add to a number, as one step; it never falls below 0. Raise ValueError without it."""
        safe_key = self.make_and_validate_key(key, version=version)
        command = self._cache.incr if delta >= 0 else self._cache.decr
        try:
            number = int(command(safe_key, abs(delta), time=NEVER_CREATE))
        except self.LibraryValueNotFoundException as error:
            if error.code != NOT_FOUND:
                raise
        else:
            if number or self._require_servers(safe_key):  # 0 is also the client's word for "down"
                return number
        raise ValueError(f"Key '{safe_key}' not found")

    def get_many(self, keys: Iterable[str], version: int | None = None) -> dict[str, Any]:
        """Return those of the keys that are there, with their values."""
        keys = list(keys)
        found: dict[str, Any] = super().get_many(keys, version=version)
        missing = [key for key in keys if key not in found]
        self._require_servers(*(self.make_key(key, version=version) for key in missing))
        return found

    def set_many(
        self,
        data: Mapping[str, Any],
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> list[Any]:
        """Store values; return the keys of those that were not."""
        failed: list[Any] = super().set_many(dict(data), timeout=timeout, version=version)
        self._require_servers(*(self.make_key(key, version=version) for key in failed))
        return failed

    def close(self, **kwargs: Any) -> None:
        """Keep the connections: each would cost three round trips at the next request."""

    def _require_servers(self, *keys: str) -> bool:
        """Return whether all keys' servers are up; one that is down is an error, or left alone."""
        are_up = True
        for key in keys:
            server = self._cache._get_server(key)  # noqa: SLF001 (nothing public tells it)
            if server.connection is not None:  # the client drops it on every error
                continue
            if not self._ignores:
                raise ConnectionError(
                    f"memcached at {server.server} does not answer. {adapted('heroku addons')}"
                )
            # A page may ask for many keys, and each would wait for the time-out. The client does
            # so for a server that it can't connect to, and not for one that is silent.
            server.reconnects_deferred_until = datetime.now() + PAUSE  # noqa: DTZ005 (its own)
            are_up = False
        return are_up

    def _stores(self, command: Any, *arguments: Any) -> bool:
        try:
            return bool(command(*arguments))
        except self.LibraryValueNotFoundException as error:
            if error.code != TOO_LARGE:
                raise
            return False
