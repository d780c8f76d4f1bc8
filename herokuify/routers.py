"""A database router that reads from followers: ``"herokuify.routers.ReplicaRouter"``."""

from __future__ import annotations

import random
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import Model


class ReplicaRouter:
    """Send reads to the default database's replicas, and all else to the database itself.

    A replica is an alias whose TEST holds ``{"MIRROR": "default"}``, as get_db_config() writes
    it. A follower lags. Therefore the default database serves what is read inside one of its
    transactions, through an object that comes from it, of the user model, and of the
    ``primary_apps``.
    """

    #: Labels of apps whose next request reads what this one writes.
    primary_apps: frozenset[str] = frozenset({"auth", "sessions"})

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        """Choose a replica at random; None leaves the choice to the next router."""
        replicas = self._replicas()
        if not replicas:
            return None
        origin = hints["instance"]._state.db if "instance" in hints else None  # noqa: SLF001
        if origin is not None and origin not in replicas:
            return None  # Django stays where the object comes from
        meta = model._meta  # noqa: SLF001
        if (
            meta.app_label in self.primary_apps
            or meta.label == settings.AUTH_USER_MODEL
            or transaction.get_connection(DEFAULT_DB_ALIAS).in_atomic_block
        ):
            return DEFAULT_DB_ALIAS
        return origin or random.choice(replicas)  # noqa: S311 (a load, no secret)

    def db_for_write(self, model: type[Model], **hints: Any) -> str | None:
        """Write to the default database what comes from a replica."""
        origin = hints["instance"]._state.db if "instance" in hints else None  # noqa: SLF001
        return DEFAULT_DB_ALIAS if origin in self._replicas() else None

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool | None:
        """Relate objects of a replica and of the default database."""
        same = {DEFAULT_DB_ALIAS, *self._replicas()}
        both = {obj1._state.db, obj2._state.db}  # noqa: SLF001
        return True if both <= same else None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        """Migrate no replica: it gets what the default database gets."""
        return False if db in self._replicas() else None

    def _replicas(self) -> list[str]:
        return [
            alias
            for alias, config in connections.settings.items()
            if (config.get("TEST") or {}).get("MIRROR") == DEFAULT_DB_ALIAS
        ]
