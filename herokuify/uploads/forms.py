"""File fields with direct uploads, for plain forms."""

from __future__ import annotations

from typing import Any

from django import forms

from herokuify.uploads.fields import make_direct


class _MultipleInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class _Several:
    """Mixin that cleans each of several files."""

    def clean(self, data: Any, initial: Any = None) -> Any:
        """Return the files as a list."""
        files = data if isinstance(data, (list, tuple)) else [data] if data else []
        clean = super().clean  # type: ignore[misc]
        return [clean(one, initial) for one in files] if files else clean(None, initial) or []


class DirectFileField(forms.FileField):
    """A file that is uploaded directly.

    ``upload`` is the name of a rule in HEROKUIFY_DIRECT_UPLOADS, such as ``"avatars"``. With
    ``multiple=True`` the cleaned value is a list.
    """

    def __init__(self, upload: str, *, multiple: bool = False, **options: Any) -> None:
        if multiple:
            options.setdefault("widget", _MultipleInput)
        super().__init__(**options)
        if multiple:
            self.__class__ = _several(type(self))
        make_direct(self, upload)


class DirectImageField(DirectFileField, forms.ImageField):
    """An image that is uploaded directly. Pillow must be able to read it."""


def _several(kind: type) -> Any:
    return type(f"Multiple{kind.__name__}", (_Several, kind), {"__module__": __name__})
