"""The guest book's settings: from config vars on Heroku, and as they stand in local development."""

import os
from importlib.util import find_spec
from pathlib import Path

import herokuify
from herokuify.aws import *  # AWS_…: plain config vars, or those of Bucketeer or Cloudcube
from herokuify.common import *  # SECRET_KEY, hosts, HTTPS and LOGGING; names below win
from herokuify.compress import *  # COMPRESS_…: bundles that come out alike in every build
from herokuify.env import Stage, get_stage

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = DEBUG or get_stage(os.environ) is Stage.LOCAL

# HSTS for all subdomains and for the browsers' preload lists is hard to take back, and wants a
# domain that is wholly yours: switch it on with SECURE_HSTS_INCLUDE_SUBDOMAINS=true and
# SECURE_HSTS_PRELOAD=true, and delete these lines.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

INSTALLED_APPS = [
    "guestbook",
    "herokuify",  # above staticfiles: its commands take precedence
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
    "herokuify.middleware.RequestIdMiddleware",  # first: every line of the log has the id
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
# The style within 500.html, which needs no other file; a test knows when this must change.
SECURE_CSP["style-src"].append("'sha256-OE3MGB2d7mTjoHWZaVCUlXmJ3ZWVh9UD5pgn2ZzVfuU='")

STORAGES = herokuify.get_storages()  # S3 where there is a bucket, else the local disk

# With a bucket, photos go there from the browser, and no dyno waits for a walker's thin line.
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
if AWS_STORAGE_BUCKET_NAME:  # a storage on the disk looks for bundles in its manifest
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

# MAILERS, or EMAIL_… before Django 6.1: of the mail add-on that is attached.
globals().update(herokuify.get_email_config())
