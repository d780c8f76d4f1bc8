"""The URL patterns of the site."""

from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("guestbook.urls")),
    path("admin/", admin.site.urls),
    path("uploads/", include("herokuify.uploads.urls")),
    # Serves photos in local development. On Heroku, S3 serves them, and this is empty.
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),
]
