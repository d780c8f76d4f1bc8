"""The guest book in the admin."""

from django.contrib import admin
from django.utils.html import format_html

from guestbook.models import Entry


@admin.register(Entry)
class EntryAdmin(admin.ModelAdmin):
    """List entries with small photos, newest first."""

    list_display = ("name", "created", "thumbnail")
    list_filter = ("created",)
    search_fields = ("name", "message")
    readonly_fields = ("created",)
    date_hierarchy = "created"

    @admin.display(description="photo")
    def thumbnail(self, entry: Entry) -> str:
        """Show the photo at a size that fits a row."""
        return format_html('<img src="{}" alt="" height="60" loading="lazy">', entry.photo.url)
