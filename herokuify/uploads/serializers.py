"""File fields of Django REST framework, which take a direct upload's token in a file's place."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from herokuify.uploads.claims import claim
from herokuify.uploads.fields import checked_image
from herokuify.uploads.rules import get


class DirectFileField(serializers.FileField):
    """A file, or the token of one that was uploaded directly by the rule that ``upload`` names.

    The serializer needs the request in its context, as generic views give it.
    """

    def __init__(self, upload: str, **options: Any) -> None:
        self.direct_upload = upload
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> Any:
        """Return the file. Raise DRF's ValidationError."""
        if isinstance(data, str):
            # DRF turns Django's ValidationError into its own.
            data = claim(data, get(self.direct_upload), self.context.get("request"))
        return super().to_internal_value(data)


class DirectImageField(DirectFileField):
    """The same for an image, which Pillow must be able to read."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the image. Raise DRF's ValidationError."""
        return checked_image(super().to_internal_value(data))
