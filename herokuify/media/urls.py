"""Permanent URLs of uploads: ``path("media/", include("herokuify.media.urls"))``."""

from __future__ import annotations

from django.urls import path

from herokuify.media import views
from herokuify.storage.permanent import NAMESPACE, OTHERS

app_name = NAMESPACE

urlpatterns = [
    path(f"{OTHERS}<str:alias>/<path:name>", views.redirect_to_file, name="file"),
    path("<path:name>", views.redirect_to_file, name="default"),
]
