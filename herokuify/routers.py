"""A database router that reads from followers: ``"herokuify.routers.ReplicaRouter"``.

With ``"herokuify.routers.ReplicaMiddleware"``, visitors see what they have just written.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, router, transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponseBase

from herokuify.conf.middleware import Finish, Middleware


@dataclass(frozen=True)
class _Write:
    """When this thread or task wrote last, and whether in a transaction, which may still run."""

    at: float  # seconds of time.monotonic()
    in_transaction: bool = False


_written: ContextVar[_Write | None] = ContextVar("herokuify_written", default=None)


#: Requests that promise not to write (RFC 9110, "Safe Methods").
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
COOKIE = "herokuify_wrote"


class ReplicaRouter:
    """Sends reads to the default database's replicas, and writes to the database itself.

    A replica is an alias whose TEST is ``{"MIRROR": "default"}``, as set by get_db_config().
    Because followers lag, these reads use the default database: in its transactions; within
    ``pin_seconds`` after a write in the same request, task or command (with ReplicaMiddleware, by
    the same visitor); through an object that was read from it; of the user model; and of models of
    ``primary_apps``.
    """

    #: Labels of apps whose models are always read from the default database.
    primary_apps: frozenset[str] = frozenset({"auth", "sessions"})
    #: Seconds after a write for which reads use the default database; must exceed the lag.
    pin_seconds: float = 5

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        """Return a random replica, the default database, or None for the next router's choice."""
        replicas = self._replicas()
        if not replicas:
            return None
        origin = hints["instance"]._state.db if "instance" in hints else None  # noqa: SLF001
        if origin is not None and origin not in replicas:
            return None  # Django uses the object's database
        if (
            self._reads_primary(model)
            or transaction.get_connection(DEFAULT_DB_ALIAS).in_atomic_block
            or self._has_just_written()
        ):
            return DEFAULT_DB_ALIAS
        return origin or random.choice(replicas)  # noqa: S311 (not for a secret)

    def db_for_write(self, model: type[Model], **hints: Any) -> str | None:
        """Record the write, and send objects from a replica to the default database."""
        replicas = self._replicas()
        origin = hints["instance"]._state.db if "instance" in hints else None  # noqa: SLF001
        is_to_default = origin in {None, DEFAULT_DB_ALIAS, *replicas}
        # Users and sessions are always read from there, and some sites save them in each request.
        if replicas and is_to_default and not self._reads_primary(model):
            in_transaction = transaction.get_connection(DEFAULT_DB_ALIAS).in_atomic_block
            _written.set(_Write(time.monotonic(), in_transaction))
        return DEFAULT_DB_ALIAS if origin in replicas else None

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool | None:
        """Allow relations between objects of the default database and its replicas."""
        same = {DEFAULT_DB_ALIAS, *self._replicas()}
        both = {obj1._state.db, obj2._state.db}  # noqa: SLF001
        return True if both <= same else None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        """Don't migrate replicas, which follow the default database."""
        return False if db in self._replicas() else None

    def _reads_primary(self, model: type[Model]) -> bool:
        meta = model._meta  # noqa: SLF001
        return meta.app_label in self.primary_apps or meta.label == settings.AUTH_USER_MODEL

    def _has_just_written(self) -> bool:
        """Return whether this thread or task has just written; call outside of transactions."""
        last = _written.get()
        if last is None:
            return False
        if last.in_transaction:
            last = _Write(time.monotonic())
            _written.set(last)
        return time.monotonic() - last.at < self.pin_seconds

    def _replicas(self) -> list[str]:
        return [
            alias
            for alias, config in connections.settings.items()
            if (config.get("TEST") or {}).get("MIRROR") == DEFAULT_DB_ALIAS
        ]


class ReplicaMiddleware(Middleware):
    """Lets visitors who have written read from the default database for a few seconds.

    It sets a cookie, because another process may handle the next request. Requests with unsafe
    methods count as writes, because raw SQL and ``using("default")`` bypass the router.
    """

    @contextmanager
    def around(self, request: HttpRequest) -> Iterator[Finish]:
        """Pin the request if the visitor has just written; set the cookie if the request writes."""
        is_pinned = request.method not in SAFE_METHODS or COOKIE in request.COOKIES
        before = _Write(time.monotonic()) if is_pinned else None
        # Forget what the thread's last request wrote.
        _written.set(before)
        yield partial(_finish, request, before)


def _finish(
    request: HttpRequest, before: _Write | None, answer: HttpResponseBase
) -> HttpResponseBase:
    if request.method not in SAFE_METHODS or _written.get() is not before:
        seconds = max((getattr(one, "pin_seconds", 0) for one in router.routers), default=0)
        answer.set_cookie(
            COOKIE,
            "1",
            max_age=seconds,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return answer
