"""The guest book's settings: from config vars on Heroku, and as they stand on a laptop."""

import os
from pathlib import Path

from django.conf.global_settings import STORAGES as LOCAL_STORAGES

import herokuify
from herokuify.aws import *  # AWS_…: plain config vars, or those of Bucketeer or Cloudcube
from herokuify.compress import *  # COMPRESS_…: bundles that come out alike in every build
from herokuify.env import Stage, get_stage, require

BASE_DIR = Path(__file__).resolve().parent.parent
STAGE = get_stage(os.environ)

DEBUG = STAGE is Stage.LAPTOP
# Heroku's router passes on requests for the app's own domains only.
ALLOWED_HOSTS = [] if DEBUG else ["*"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

if STAGE in {Stage.RELEASE, Stage.DYNO}:
    SECRET_KEY = require(os.environ, "SECRET_KEY", needed_by="Django")["SECRET_KEY"]
else:
    # A build signs nothing, and may run before the key is set.
    SECRET_KEY = os.environ.get("SECRET_KEY", "not secret: for laptops and builds")

INSTALLED_APPS = [
    "guestbook",
    "herokuify",  # above staticfiles: its commands take precedence
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "compressor",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

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

STATIC_URL = get_static_url()
STATIC_ROOT = BASE_DIR / "staticfiles"
MEDIA_URL = get_media_url()
MEDIA_ROOT = BASE_DIR / "media"

S3_STORAGES = {
    "default": {"BACKEND": "herokuify.storage.S3MediaStorage"},
    "staticfiles": {"BACKEND": "herokuify.storage.CachedS3ManifestStaticStorage"},
}
STORAGES = LOCAL_STORAGES if AWS_STORAGE_BUCKET_NAME is None else S3_STORAGES

STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "compressor.finders.CompressorFinder",
]
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

# Django mails errors to ADMINS once DEBUG is off; `heroku logs` shows what goes to the console.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {
        "django": {"handlers": ["console"], "level": "INFO"},
        "herokuify": {"handlers": ["console"], "level": "INFO"},
    },
}
