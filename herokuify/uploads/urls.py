"""URLs of direct uploads: ``path("uploads/", include("herokuify.uploads.urls"))``."""

from __future__ import annotations

from django.urls import path

from herokuify.uploads import views

app_name = "herokuify_uploads"

urlpatterns = [
    path("begin", views.begin, name="begin"),
    path("parts", views.parts, name="parts"),
    path("finish", views.finish, name="finish"),
    path("abort", views.abort, name="abort"),
]
