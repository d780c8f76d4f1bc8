"""Direct uploads as a Django app."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from django.apps import AppConfig
from django.db.models import FileField
from django.db.models.signals import class_prepared


class UploadsConfig(AppConfig):
    """Lets model fields make form fields that upload directly, by HEROKUIFY_DIRECT_UPLOADS."""

    name = "herokuify.uploads"
    label = "herokuify_uploads"  # projects have apps of their own that are called "uploads"
    verbose_name = "Direct uploads"

    def __init__(self, app_name: str, app_module: ModuleType | None) -> None:
        super().__init__(app_name, app_module)
        # ready() is too late: the forms of an app above may have been made by then.
        class_prepared.connect(_prepare, dispatch_uid="herokuify.uploads")


def _prepare(sender: Any, **_: Any) -> None:
    """Receive ``class_prepared``, before any form asks the model for its form fields."""
    from herokuify.uploads.fields import formfield_of

    for field in sender._meta.local_fields:  # noqa: SLF001  (public)
        if isinstance(field, FileField):
            field.formfield = formfield_of(field)  # type: ignore[method-assign]
