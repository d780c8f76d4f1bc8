"""The guest book as a Django application."""

from django.apps import AppConfig


class GuestbookConfig(AppConfig):
    """Name the application and the type of its primary keys."""

    name = "guestbook"
    verbose_name = "Guest book"
    default_auto_field = "django.db.models.BigAutoField"
