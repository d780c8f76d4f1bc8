"""The project for these tests: a small shop, with or without Django's admin."""

import base64

# An image of 1 × 1 pixel, and a font in name only: nothing is drawn.
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
FONT = b"wOF2" + bytes(range(256)) * 8
# The bundles of its templates, with # for the hash.
BUNDLES = {"CACHE/css/output.#.css", "CACHE/css/about.#.css", "CACHE/js/output.#.js"}
ODD_NAME = "blå himmel+1 100%.png"

TEXTS = {
    "urls.py": """
from django.apps import apps
from django.contrib import admin
from django.urls import path
from shop import views
urlpatterns = [
    path("", views.page, {"name": "shop/front.html"}),
    path("about/", views.page, {"name": "shop/about.html"}),
    path("upload/", views.upload),
    *([path("admin/", admin.site.urls)] if apps.is_installed("django.contrib.admin") else []),
]
""",
    "shop/__init__.py": "",
    "shop/models.py": """
from django.core.files.storage import default_storage
from django.db import models
class Photo(models.Model):
    file = models.FileField(upload_to="photos/", storage=default_storage)
    taken = models.DateTimeField(null=True)
""",
    "shop/admin.py": """
from django.contrib import admin
from shop.models import Photo
admin.site.register(Photo, list_filter=["taken"], date_hierarchy="taken")
""",
    "shop/views.py": """
from django.http import JsonResponse
from django.shortcuts import render
from shop.models import Photo
def page(request, name):
    return render(request, name)
def upload(request):
    photo = Photo.objects.create(file=request.FILES["file"])
    return JsonResponse({"name": photo.file.name, "url": photo.file.url})
""",
    "shop/templates/shop/base.html": """{% load compress static %}<!doctype html>
<html lang="en"><head><title>{% block title %}{% endblock %}</title>
<link rel="icon" href="{% static 'shop/img/dot.png' %}">
{% compress css %}
<link rel="stylesheet" href="{% static 'shop/css/base.css' %}">
<link rel="stylesheet" href="{% static 'shop/css/pages/front.css' %}">
<style>.inline { color: #123 }</style>
{% endcompress %}
{% compress js %}
<script src="{% static 'shop/js/one.js' %}"></script>
<script src="{% static 'shop/js/two.js' %}"></script>
<script>window.inline = 3;</script>
{% endcompress %}
</head><body>{% block body %}{% endblock %}</body></html>
""",
    "shop/templates/shop/front.html": """{% extends "shop/base.html" %}{% load static %}
{% block title %}Front{% endblock %}
{% block body %}<img src="{% static 'shop/img/blå himmel+1 100%.png' %}" alt="">{% endblock %}
""",
    "shop/templates/shop/about.html": """{% extends "shop/base.html" %}{% load compress static %}
{% block title %}About{% endblock %}
{% block body %}
<link rel="stylesheet" href="{% static 'shop/css/reset.css' %}">
<script src="{% static 'shop/js/alone.js' %}"></script>
{% compress js inline %}<script>window.about = 1;</script>{% endcompress %}
{% compress css file about %}
<link rel="stylesheet" href="{% static 'shop/css/about.css' %}">
{% endcompress %}
{% endblock %}
""",
    "shop/static/shop/css/base.css": """@import url("reset.css");
@font-face { font-family: Shop; src: url("../fonts/shop.woff2") format("woff2") }
body { font-family: Shop, serif; background: url(../img/dot.png) }
""",
    "shop/static/shop/css/reset.css": """* { margin: 0 }
body { cursor: url('../img/dot.png'), auto }
""",
    "shop/static/shop/css/pages/front.css": """
.star { background: url("../../img/icons.svg#star") }
.data { background: url(data:image/gif;base64,R0lGODlhAQABAAAAACw=) }
""",
    "shop/static/shop/css/about.css": "h1 { background: url(../img/icons.svg) }\n",
    "shop/static/shop/js/one.js": "// first\nwindow.one = 1;\n",
    "shop/static/shop/js/two.js": "// second\nwindow.two = window.one + 1;\n",
    "shop/static/shop/js/alone.js": "window.alone = 1;\n//# sourceMappingURL=alone.js.map\n",
    "shop/static/shop/js/alone.js.map": '{"version": 3, "sources": [], "mappings": ""}\n',
    "shop/static/shop/img/icons.svg": "<svg xmlns='http://www.w3.org/2000/svg'></svg>",
}
BINARIES = {
    "shop/static/shop/img/dot.png": DOT,
    f"shop/static/shop/img/{ODD_NAME}": DOT,
    "shop/static/shop/fonts/shop.woff2": FONT,
}

# Parts of settings: DJANGO comes first, the others follow as needed.
DJANGO = """\
from pathlib import Path
BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = "not-a-secret"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "urls"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "compressor",
    "shop",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
# Without migrations, tables are created faster.
MIGRATION_MODULES = {"admin": None, "auth": None, "contenttypes": None, "sessions": None}
STATIC_ROOT = BASE_DIR / "staticfiles"
MEDIA_ROOT = BASE_DIR / "media"
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "compressor.finders.CompressorFinder",
]
"""
ADMIN = 'INSTALLED_APPS += ["django.contrib.admin"]\n'
HEROKUIFY = 'INSTALLED_APPS.insert(0, "herokuify")\n'
# The settings that the documentation recommends.
FRAGMENTS = """\
from herokuify.aws import *
from herokuify.compress import *
STATIC_URL = get_static_url()
MEDIA_URL = get_media_url()
COMPRESS_OFFLINE = True
"""
# Django 4.2 deprecates the classic settings, and warnings are errors in tests.
QUIET = """\
import warnings
warnings.filterwarnings("ignore", r"The (STATICFILES|DEFAULT_FILE)_STORAGE setting is deprecated")
"""
MEDIA = "herokuify.storage.S3MediaStorage"
PLAIN = "herokuify.storage.S3StaticStorage"
MANIFEST = "herokuify.storage.S3ManifestStaticStorage"
CACHED = "herokuify.storage.CachedS3StaticStorage"
CACHED_MANIFEST = "herokuify.storage.CachedS3ManifestStaticStorage"


def classic(static: str) -> str:
    """Return settings for storages that Django 5.1 removed."""
    return f"{QUIET}DEFAULT_FILE_STORAGE = {MEDIA!r}\nSTATICFILES_STORAGE = {static!r}\n"


def storages(static: str, **aliases: str) -> str:
    """Return a STORAGES setting."""
    classes = {"default": MEDIA, "staticfiles": static, **aliases}
    setting = {alias: {"BACKEND": name} for alias, name in classes.items()}
    return f"STORAGES = {setting!r}\n"


def compress_storage(name: str) -> str:
    """Return django-compressor's setting for the storage of its bundles."""
    return f"COMPRESS_STORAGE = {name!r}\n"


BASE = DJANGO + HEROKUIFY + FRAGMENTS
# Static files with and without hashed names; bundles in the same storage.
PLAIN_STORAGES = storages(CACHED) + compress_storage(CACHED)
HASHED_STORAGES = storages(CACHED_MANIFEST) + compress_storage(CACHED_MANIFEST)
