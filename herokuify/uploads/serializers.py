"""File fields for Django REST framework that accept a direct upload's token."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from herokuify.uploads.claims import claim
from herokuify.uploads.fields import checked_image
from herokuify.uploads.rules import get


class DirectFileField(serializers.FileField):
    """A file, or the token of a direct upload.

    ``upload`` is the name of a rule in HEROKUIFY_DIRECT_UPLOADS. The serializer's context must
    contain the request, as in generic views.
    """

    def __init__(self, upload: str, **options: Any) -> None:
        self.direct_upload = upload
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> Any:
        """Return the file; raise REST framework's ValidationError if it is invalid."""
        if isinstance(data, str):
            # REST framework converts Django's ValidationError to its own.
            data = claim(data, get(self.direct_upload), self.context.get("request"))
        return super().to_internal_value(data)


class DirectImageField(DirectFileField):
    """An image, or the token of one. Pillow must be able to read it."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the image; raise REST framework's ValidationError if it is invalid."""
        return checked_image(super().to_internal_value(data))
