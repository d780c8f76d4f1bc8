"""Direct uploads as a Django app."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from django.apps import AppConfig
from django.db.models import FileField
from django.db.models.signals import class_prepared


class UploadsConfig(AppConfig):
    """Makes the form fields of model fields in HEROKUIFY_DIRECT_UPLOADS upload directly."""

    name = "herokuify.uploads"
    label = "herokuify_uploads"  # projects may have an app called "uploads"
    verbose_name = "Direct uploads"

    def __init__(self, app_name: str, app_module: ModuleType | None) -> None:
        super().__init__(app_name, app_module)
        # ready() would be too late: other apps may have created forms by then.
        class_prepared.connect(_prepare, dispatch_uid="herokuify.uploads")


def _prepare(sender: Any, **_: Any) -> None:
    """Receive ``class_prepared``, before any form uses the model's form fields."""
    from herokuify.uploads.fields import formfield_of

    for field in sender._meta.local_fields:  # noqa: SLF001  (public)
        if isinstance(field, FileField):
            field.formfield = formfield_of(field)  # type: ignore[method-assign]
