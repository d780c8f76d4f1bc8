"""The guest book's model."""

from django.db import models

from guestbook.validators import PHOTO_EXTENSIONS, validate_photo_size


class Entry(models.Model):
    """One page of the book: a photo, who took it, and what they wrote."""

    name = models.CharField(max_length=60)
    message = models.TextField(max_length=500)
    photo = models.ImageField(
        upload_to="photos/%Y/%m/",
        width_field="photo_width",
        height_field="photo_height",
        validators=[PHOTO_EXTENSIONS, validate_photo_size],
    )
    # Stored, so that rendering a page does not read each photo.
    photo_width = models.PositiveIntegerField(editable=False)
    photo_height = models.PositiveIntegerField(editable=False)
    created = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ("-created", "-pk")
        verbose_name_plural = "entries"

    def __str__(self) -> str:
        return f"{self.name}, {self.created:%d %B %Y}"
