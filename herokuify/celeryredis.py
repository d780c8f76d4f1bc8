"""Celery's Redis transport and result backend, with few connections.

The settings of :func:`herokuify.celery.get_celery_config` name them.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from celery.backends import redis as results  # type: ignore[import-untyped]
from kombu.transport import redis as broker
from redis import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError

from herokuify.conf.processes import THREADS
from herokuify.conf.redis_errors import explain

POOL_WAIT = 5.0  # seconds to wait for a connection that another thread holds

_lock = threading.Lock()
_pools: dict[tuple[object, ...], BlockingConnectionPool] = {}


class LimitedConnection(Connection):
    """A connection whose error explains that the plan's limit is reached."""

    def connect(self) -> None:
        """Connect, unless already connected."""
        try:
            super().connect()  # type: ignore[no-untyped-call]
        except RedisConnectionError as error:
            raise _explained(error, str(self.host)) from error


class LimitedSSLConnection(LimitedConnection, SSLConnection):
    """The same with TLS."""


def _explained(error: RedisConnectionError, host: str) -> RedisConnectionError:
    found = explain(error, f"Redis at {host}", 1)
    return type(error)(" ".join(found)) if found else error


class Channel(broker.Channel):
    """kombu's channel with these connections."""

    connection_class = LimitedConnection
    connection_class_ssl = LimitedSSLConnection

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        # Close the connection of the first ping; only workers need another one here.
        self.async_pool.disconnect()


class Transport(broker.Transport):
    """kombu's transport with these channels."""

    Channel = Channel


class Client(Redis):
    """redis-py's client, with separate connections for subscriptions and commands."""

    most_waiting = THREADS

    def pubsub(self, **kwargs: Any) -> PubSub:
        """Return a subscription with a connection of its own."""
        pool = self.connection_pool
        arguments = {"connection_class": pool.connection_class, **pool.connection_kwargs}
        return PubSub(_pool("results", arguments, self.most_waiting), **kwargs)


class RedisBackend(results.RedisBackend):  # type: ignore[misc]
    """Celery's result backend, with one connection per process and one per waiting thread.

    Celery's own has a pool per thread, and subscribes to the result of every task that is sent,
    even if nobody waits for it.
    """

    connection_class_ssl = LimitedSSLConnection

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_tls = issubclass(self.connparams.get("connection_class", Connection), SSLConnection)
        self.connparams["connection_class"] = LimitedSSLConnection if is_tls else LimitedConnection

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Do nothing: waiting for a result subscribes to it."""

    def _create_client(self, **params: Any) -> Redis:
        most = params.pop("max_connections", THREADS)
        client = Client(connection_pool=_pool("commands", params, 1))
        client.most_waiting = most
        return client


def _pool(purpose: str, arguments: Mapping[str, Any], size: int) -> BlockingConnectionPool:
    """Return the process's pool for a purpose and a connection's arguments."""
    key = (purpose, size, *sorted((name, repr(value)) for name, value in arguments.items()))
    with _lock:
        if key not in _pools:
            make: Any = BlockingConnectionPool
            _pools[key] = make(max_connections=size, timeout=POOL_WAIT, **arguments)
        return _pools[key]
