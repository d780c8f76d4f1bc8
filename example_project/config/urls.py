"""The addresses of the site."""

from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("guestbook.urls")),
    path("admin/", admin.site.urls),
    path("uploads/", include("herokuify.uploads.urls")),
    # In local development runserver hands out the photos; on Heroku this is empty and S3 does.
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),
]
