"""Validators for photos."""

from django.core.exceptions import ValidationError
from django.core.files import File
from django.core.validators import FileExtensionValidator
from django.template.defaultfilters import filesizeformat

PHOTO_MAX_MB = 10
PHOTO_MAX_BYTES = PHOTO_MAX_MB * 1024 * 1024
PHOTO_EXTENSIONS = FileExtensionValidator(["jpg", "jpeg", "png", "webp"])


def validate_photo_size(photo: File) -> None:
    """Refuse a photo above PHOTO_MAX_BYTES."""
    if photo.size > PHOTO_MAX_BYTES:
        raise ValidationError(
            "This photo has %(size)s; the book takes up to %(limit)s MB.",
            code="photo_too_large",
            params={"size": filesizeformat(photo.size), "limit": PHOTO_MAX_MB},
        )
