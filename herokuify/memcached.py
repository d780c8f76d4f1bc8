"""A Django cache over memcached's binary protocol with SASL, as Heroku's add-ons want it.

Django's own PyLibMCCache would need pylibmc: its last release (1.6.3) has no wheels for
Python 3.12 and later, and those for older ones find no SASL mechanism on Debian and Ubuntu.
"""

from __future__ import annotations

import pickle
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.memcached import BaseMemcachedCache

from herokuify.extras import require_package

# Statuses of memcached's binary protocol.
NOT_FOUND = 0x0001
TOO_LARGE = 0x0003
#: An expiry that means: don't create what is not there.
NEVER_CREATE = 0xFFFFFFFF
#: An expiry of more than 30 days, in seconds, is a date, and this one lies in 1970.
PAST = 60 * 60 * 24 * 30 + 1


class BinaryMemcachedCache(BaseMemcachedCache):
    """Cache on memcached servers, keys spread over them, by python-binary-memcached.

    OPTIONS are those of its client: ``username``, ``password``, ``socket_timeout`` (seconds).
    A server that is down counts as an empty cache; wrong credentials raise the client's
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
        self._options = {"pickle_protocol": pickle.HIGHEST_PROTOCOL, **self._options}

    def get_backend_timeout(self, timeout: float | None = DEFAULT_TIMEOUT) -> int:
        """Return an expiry as memcached counts it, in seconds or as a date."""
        seconds: Any = super().get_backend_timeout(timeout)
        # Django expires by a negative one, which the client would take for the end of time.
        return int(seconds) if seconds >= 0 else PAST

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        """Return the value, which may be None, or the default."""
        value, unique = self._cache.gets(self.make_and_validate_key(key, version=version))
        return default if unique is None else value

    def add(
        self,
        key: str,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> bool:
        """Store a value unless the key is there; tell whether that was done."""
        key = self.make_and_validate_key(key, version=version)
        return self._stores(self._cache.add, key, value, self.get_backend_timeout(timeout))

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

    def touch(
        self, key: str, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        """Give the key another expiry; tell whether it was there."""
        key = self.make_and_validate_key(key, version=version)
        value, unique = self._cache.gets(key)
        # The client has no such command: store again what nobody has changed since.
        return unique is not None and self._stores(
            self._cache.cas, key, value, unique, self.get_backend_timeout(timeout)
        )

    def delete(self, key: str, version: int | None = None) -> bool:
        """Delete the key; tell whether it was there."""
        # The client's delete() says yes to a key that was not.
        return bool(self._cache.delete_multi([self.make_and_validate_key(key, version=version)]))

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Add to a number, as one step; it never falls below 0. Raises ValueError without it."""
        safe_key = self.make_and_validate_key(key, version=version)
        command = self._cache.incr if delta >= 0 else self._cache.decr
        try:
            return int(command(safe_key, abs(delta), time=NEVER_CREATE))
        except self.LibraryValueNotFoundException as error:
            if error.code != NOT_FOUND:
                raise
        raise ValueError(f"Key '{safe_key}' not found")

    def close(self, **kwargs: Any) -> None:
        """Keep the connections: each would cost three round trips at the next request."""

    def _stores(self, command: Any, *arguments: Any) -> bool:
        try:
            return bool(command(*arguments))
        except self.LibraryValueNotFoundException as error:
            if error.code != TOO_LARGE:
                raise
            return False
