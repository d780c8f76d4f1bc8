"""Keep django-cleanup from deleting files that are still in use."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

from django.apps import apps
from django.db import DatabaseError, connections, models, router, transaction
from django.db.models.fields.files import FieldFile

logger = logging.getLogger("herokuify.storage")


def keep_files_in_use(*, file: FieldFile, **_: Any) -> None:
    """Receive django-cleanup's ``cleanup_pre_delete``, and keep files that are still in use.

    django-cleanup assumes that each file belongs to one object: if an object is copied, it would
    delete the file with the first of both. Default files of fields are kept, too. Never raises,
    because the database has already been changed.
    """
    if file.name and is_in_use(file.name, file.storage):
        # An empty FieldFile deletes nothing; the signal offers no other way to prevent it.
        file.name = None


def is_in_use(name: str, storage: Any) -> bool:
    """Return whether an object or a field's default refers to the file; True if unknown."""
    return any(
        _refers(model, field, name, storage)
        for model in apps.get_models()
        if not model._meta.proxy  # noqa: SLF001
        for field in model._meta.local_fields  # noqa: SLF001
        if isinstance(field, models.FileField)
    )


def _refers(model: type[models.Model], field: models.FileField, name: str, storage: Any) -> bool:
    try:
        if field.storage != storage:
            return False
        # "db_default" is new in Django 5.
        if name in (field.default, getattr(field, "db_default", None)):
            return True
        return any(_holds(model, field, name, using) for using in _databases(model))
    except Exception as error:  # noqa: BLE001  (routers, managers and databases may raise anything)
        logger.warning(
            "%s was kept: could not look up whether %s.%s refers to it (%s: %s).",
            name,
            model._meta.label,  # noqa: SLF001
            field.name,
            type(error).__name__,
            error,
        )
        return True


def _databases(model: type[models.Model]) -> Iterator[str]:
    """Yield the databases that may have objects of the model, without replicas."""
    usual = router.db_for_write(model)
    yield usual
    for alias in connections:
        is_mirror = connections[alias].settings_dict.get("TEST", {}).get("MIRROR")
        if alias != usual and not is_mirror and router.allow_migrate_model(alias, model):
            yield alias


def _holds(model: type[models.Model], field: models.FileField, name: str, using: str) -> bool:
    # An error must not break the caller's transaction.
    guard = transaction.atomic(using) if connections[using].in_atomic_block else nullcontext()
    try:
        with guard:
            objects = model._base_manager.using(using)  # noqa: SLF001
            return bool(objects.filter(**{field.attname: name}).exists())
    except DatabaseError:
        if _is_missing(model._meta.db_table, str(field.column), using):  # noqa: SLF001
            return False
        raise


def _is_missing(table: str, column: str, using: str) -> bool:
    """Return whether a database doesn't have the table or the column.

    This is the case for unmanaged models, and before migrations have run.
    """
    connection = connections[using]
    if '"' in table or "." in table:
        return False  # with a schema's name, which introspection doesn't support
    introspection = connection.introspection
    with connection.cursor() as cursor:
        tables = introspection.table_names(cursor, include_views=True)
        if introspection.identifier_converter(table) not in tables:
            return True
        described = introspection.get_table_description(cursor, table)
    return introspection.identifier_converter(column) not in {one.name for one in described}
