"""The guest book's settings: from config vars on Heroku, with defaults for local development."""

import os
from importlib.util import find_spec
from pathlib import Path

import herokuify
from herokuify.aws import *  # AWS_…: the bucket and its credentials
from herokuify.common import *  # SECRET_KEY, DEBUG, hosts, HTTPS, logging
from herokuify.compress import *  # COMPRESS_…: the same bundles in every build
from herokuify.env import Stage, get_stage

BASE_DIR = Path(__file__).resolve().parent.parent

# On a developer's computer without DEBUG=true, too.
DEBUG = DEBUG or get_stage(os.environ) is Stage.LOCAL

# HSTS for all subdomains, and in browsers' preload lists, is hard to undo, and only for a domain of
# your own. To enable it, set SECURE_HSTS_INCLUDE_SUBDOMAINS=true and SECURE_HSTS_PRELOAD=true, and
# delete these lines.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

INSTALLED_APPS = [
    "guestbook",
    "herokuify",  # above staticfiles, whose collectstatic it replaces
    "herokuify.uploads",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "compressor",
]

MIDDLEWARE = [
    "herokuify.middleware.RequestIdMiddleware",  # first, so that all log lines have the id
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "herokuify.uploads.middleware.DirectUploadMiddleware",
]

if find_spec("django.middleware.csp"):  # Django 6.0
    MIDDLEWARE.insert(2, "django.middleware.csp.ContentSecurityPolicyMiddleware")

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = herokuify.get_db_config(sqlite_path=BASE_DIR / "db.sqlite3")
CACHES = herokuify.get_cache_config()

STATIC_URL = get_static_url()
STATIC_ROOT = BASE_DIR / "staticfiles"
MEDIA_URL = get_media_url()
MEDIA_ROOT = BASE_DIR / "media"

SECURE_CSP = get_csp(STATIC_URL, MEDIA_URL)
SECURE_CSP["img-src"].append("blob:")  # the preview of a photo
# The hash of the <style> in 500.html, which loads no other files.
SECURE_CSP["style-src"].append("'sha256-OE3MGB2d7mTjoHWZaVCUlXmJ3ZWVh9UD5pgn2ZzVfuU='")

STORAGES = herokuify.get_storages()  # S3 if a bucket is set, else the local disk

# With a bucket, browsers upload photos directly to S3, so that slow uploads don't occupy a dyno.
HEROKUIFY_DIRECT_UPLOADS = {
    "guestbook.Entry.photo": {
        "max_size": 10 * 2**20,
        "types": ["image/jpeg", "image/png", "image/webp"],
        "who": "anyone",
    },
}

STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "compressor.finders.CompressorFinder",
]
if AWS_STORAGE_BUCKET_NAME:  # the bundles are next to the other static files
    COMPRESS_STORAGE = STORAGES["staticfiles"]["BACKEND"]
COMPRESS_OFFLINE = not DEBUG

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

# MAILERS, or before Django 6.1 EMAIL_…, for the attached mail add-on.
globals().update(herokuify.get_email_config())
