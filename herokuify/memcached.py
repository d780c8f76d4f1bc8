"""A Django cache with memcached's binary protocol and SASL, which Heroku's add-ons require.

Django's own PyLibMCCache requires pylibmc, whose last release (1.6.3) has no wheels for Python 3.12
and later; its wheels for older versions find no SASL mechanism on Debian and Ubuntu.
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
#: An expiry that prevents incr and decr from creating a missing key.
NEVER_CREATE = 0xFFFFFFFF
#: An expiry in the past: memcached reads more than 30 days in seconds as a date, here in 1970.
PAST = 60 * 60 * 24 * 30 + 1
TIMEOUT = 2.0  # seconds, to connect and to read
PAUSE = timedelta(seconds=5)


class BinaryMemcachedCache(BaseMemcachedCache):
    """A cache that spreads keys over memcached servers, with python-binary-memcached.

    OPTIONS are those of the client, such as ``username``, ``password`` and ``socket_timeout``
    (seconds), and ``ignore_exceptions``: if True, the default, a server that is down is treated as
    an empty cache; if False, ConnectionError is raised. Wrong credentials always raise the client's
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
        """Return a timeout as memcached's expiry, in seconds or as a date."""
        seconds: Any = super().get_backend_timeout(timeout)
        # Django expires a key with a negative timeout, which the client would take for "never".
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
        """Store a value if the key doesn't exist; return whether it was stored."""
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
        """Store a value; if it is too large, delete the key."""
        key = self.make_and_validate_key(key, version=version)
        if not self._stores(self._cache.set, key, value, self.get_backend_timeout(timeout)):
            self._cache.delete(key)
            self._require_servers(key)

    def touch(
        self, key: str, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        """Change the timeout of a key; return whether it exists."""
        key = self.make_and_validate_key(key, version=version)
        value, unique = self._cache.gets(key)
        if unique is None:
            self._require_servers(key)
        # The client has no touch command: store the value again, unless it has changed since.
        return unique is not None and self._stores(
            self._cache.cas, key, value, unique, self.get_backend_timeout(timeout)
        )

    def delete(self, key: str, version: int | None = None) -> bool:
        """Delete a key; return whether it existed."""
        # The client's delete() returns True for a missing key, too.
        key = self.make_and_validate_key(key, version=version)
        is_deleted = bool(self._cache.delete_multi([key]))
        if not is_deleted:
            self._require_servers(key)
        return is_deleted

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Add to a number atomically, down to 0; raise ValueError if the key doesn't exist."""
        safe_key = self.make_and_validate_key(key, version=version)
        command = self._cache.incr if delta >= 0 else self._cache.decr
        try:
            number = int(command(safe_key, abs(delta), time=NEVER_CREATE))
        except self.LibraryValueNotFoundException as error:
            if error.code != NOT_FOUND:
                raise
        else:
            if number or self._require_servers(safe_key):  # the client also returns 0 if it is down
                return number
        raise ValueError(f"Key '{safe_key}' not found")

    def get_many(self, keys: Iterable[str], version: int | None = None) -> dict[str, Any]:
        """Return the keys that exist, with their values."""
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
        """Store values; return the keys of those that could not be stored."""
        failed: list[Any] = super().set_many(dict(data), timeout=timeout, version=version)
        self._require_servers(*(self.make_key(key, version=version) for key in failed))
        return failed

    def close(self, **kwargs: Any) -> None:
        """Keep the connections: to open one takes three round trips."""

    def _require_servers(self, *keys: str) -> bool:
        """Return whether the servers of all keys are up.

        One that is down raises ConnectionError, or is not asked again for a while, depending on
        ``ignore_exceptions``.
        """
        are_up = True
        for key in keys:
            server = self._cache._get_server(key)  # noqa: SLF001 (there is no public way)
            if server.connection is not None:  # the client closes it on every error
                continue
            if not self._ignores:
                raise ConnectionError(
                    f"memcached at {server.server} does not respond. {adapted('heroku addons')}"
                )
            # A page may read many keys, and each would wait for the timeout. The client itself
            # pauses only if it can't connect, not if a server doesn't respond.
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
