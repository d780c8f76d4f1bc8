"""django-cleanup's deletions, without those of files that something still refers to."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import models
from django.db.models.fields.files import FieldFile


def keep_files_in_use(*, file: FieldFile, **_: Any) -> None:
    """Receiver of django-cleanup's ``cleanup_pre_delete``: keep what another object shows.

    django-cleanup takes each file for one object's own, and would delete the file of a copy
    with the copy. A field's default stays, too, whichever field's it is.
    """
    if file.name and is_in_use(file.name, file.storage):
        # An empty FieldFile deletes nothing; the signal offers no other way to decline.
        file.name = None


def is_in_use(name: str, storage: Any) -> bool:
    """Whether any object, or any field's default, refers to the storage's file."""
    return any(
        field.default == name or model._base_manager.filter(**{field.attname: name}).exists()  # noqa: SLF001
        for model in apps.get_models()
        if not model._meta.proxy  # noqa: SLF001
        for field in model._meta.local_fields  # noqa: SLF001
        if isinstance(field, models.FileField) and field.storage == storage
    )
