"""The form with which a guest signs the book."""

from django import forms

from guestbook.models import Entry
from guestbook.validators import PHOTO_MAX_BYTES, PHOTO_MAX_MB


class EntryForm(forms.ModelForm):
    """Ask for a name, a message and a photo."""

    class Meta:
        model = Entry
        fields = ("name", "message", "photo")
        labels = {"name": "Your name", "message": "A line or two", "photo": "A photo"}
        help_texts = {
            "message": "Up to 500 characters.",
            "photo": f"JPEG, PNG or WebP, up to {PHOTO_MAX_MB} MB.",
        }
        error_messages = {
            "name": {"required": "Please tell us your name."},
            "message": {"required": "Please write a line."},
            "photo": {
                "required": "Please choose a photo.",
                "invalid_extension": "Please choose a JPEG, PNG or WebP photo.",
                "invalid_image": "This file cannot be read as a photo. Is it damaged?",
            },
        }
        widgets = {
            "name": forms.TextInput({"autocomplete": "name"}),
            "message": forms.Textarea({"rows": 4}),
            # With this list, phones convert HEIC photos to JPEG.
            "photo": forms.FileInput(
                {"accept": "image/jpeg,image/png,image/webp", "data-max-bytes": PHOTO_MAX_BYTES}
            ),
        }
