"""README's lines below the settings of two known projects: checks only report real mistakes.

The settings follow the originals, without the projects' own apps, as neither is on PyPI:
healthchecks' (hc/settings.py) and Wagtail's bakerydemo's (bakerydemo/settings), of August 2026.
"""

import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.checks.conftest import LIVE, SECRET, STAGES
from tests.project import Project, clean_environment

#: As in README.
LINES = """
import herokuify
from herokuify.aws import *
from herokuify.common import *

INSTALLED_APPS = ["herokuify", *INSTALLED_APPS]
DATABASES = herokuify.get_db_config()
CACHES = herokuify.get_cache_config()
STORAGES = herokuify.get_storages()
STATIC_URL, STATIC_ROOT = get_static_url(), BASE_DIR / "staticfiles"
MEDIA_URL, MEDIA_ROOT = get_media_url(), BASE_DIR / "media"
globals().update(herokuify.get_email_config())
"""
COMMON = """
import os
from pathlib import Path
BASE_DIR = Path(__file__).resolve().parent
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
ROOT_URLCONF = "urls"
USE_TZ = True
DEBUG = False
INSTALLED_APPS = [
    "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
    "django.contrib.sessions", "django.contrib.messages", "django.contrib.staticfiles",
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
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "DIRS": [BASE_DIR / "templates"],
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.debug",
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "sqlite"}}
STATICFILES_DIRS = [BASE_DIR / "static"]
"""
HEALTHCHECKS = f"""{COMMON}
SECRET_KEY = os.getenv("SECRET_KEY", "---")
INSTALLED_APPS = (*INSTALLED_APPS, "django.contrib.humanize", "compressor")
MIDDLEWARE.insert(1, "whitenoise.middleware.WhiteNoiseMiddleware")
USE_I18N = False
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static-collected"
STATICFILES_FINDERS = (
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "compressor.finders.CompressorFinder",
)
COMPRESS_OFFLINE = True
COMPRESS_CSS_HASHING_METHOD = "content"
COMPRESS_STORAGE = "compressor.storage.GzipCompressorFileStorage"
COMPRESS_FILTERS = {{
    "css": [
        "compressor.filters.css_default.CssRelativeFilter",
        "compressor.filters.cssmin.rCSSMinFilter",
    ],
    "js": [],
}}
WHITENOISE_IMMUTABLE_FILE_TEST = lambda path, url: "/static/CACHE/" in url
"""
BAKERYDEMO = f"""{COMMON}
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "x" * 50)
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [
    "wagtail.embeds", "wagtail.sites", "wagtail.users", "wagtail.snippets", "wagtail.documents",
    "wagtail.images", "wagtail.search", "wagtail.admin", "wagtail.api.v2", "wagtail.contrib.forms",
    "wagtail.contrib.redirects", "wagtail", "rest_framework", "modelcluster", "taggit",
    *INSTALLED_APPS, "django.contrib.sitemaps",
]
MIDDLEWARE += [
    "wagtail.contrib.redirects.middleware.RedirectMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
STATIC_ROOT = os.path.join(BASE_DIR, "collect_static")
STATIC_URL = "/static/"
MEDIA_ROOT = os.path.join(BASE_DIR, "media")
MEDIA_URL = "/media/"
STORAGES = {{
    "default": {{"BACKEND": "django.core.files.storage.FileSystemStorage"}},
    "staticfiles": {{"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}},
}}
WAGTAIL_SITE_NAME = "The Wagtail Bakery"
WAGTAILADMIN_BASE_URL = "https://www.example.com"
WAGTAILSEARCH_BACKENDS = {{"default": {{"BACKEND": "wagtail.search.backends.database"}}}}
if "AWS_STORAGE_BUCKET_NAME" in os.environ:
    AWS_STORAGE_BUCKET_NAME = os.getenv("AWS_STORAGE_BUCKET_NAME")
    AWS_QUERYSTRING_AUTH = False
    INSTALLED_APPS.append("storages")
    STORAGES["default"]["BACKEND"] = "storages.backends.s3boto3.S3Boto3Storage"
    AWS_S3_FILE_OVERWRITE = False
    AWS_DEFAULT_ACL = "private"
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 30 * 24 * 60 * 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = False
"""
SITE = {
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_STORAGE_BUCKET_NAME": "my-bucket",
    "DATABASE_URL": f"postgres://me:{SECRET}@db.example.com/db",
    "HEROKU_APP_DEFAULT_DOMAIN_NAME": "kestrel-12ab.herokuapp.com",
    "SECRET_KEY": "".join(map(chr, range(33, 127))),
}
#: The checks that must report something, and the lines that fix it.
EXPECTED = {
    # Bundles are on the local disk, but pages load them from S3.
    HEALTHCHECKS: (
        {"E007"},
        'COMPRESS_STORAGE = "herokuify.storage.CachedS3ManifestStaticStorage"\n',
    ),
    # URLs of private uploads aren't signed; new buckets refuse the ACL.
    BAKERYDEMO: ({"W005", "W006"}, "del AWS_QUERYSTRING_AUTH, AWS_DEFAULT_ACL\n"),
}
BUILT = {
    "staticfiles/staticfiles.json": '{"version": "1.1", "hash": "x", "paths": {}}',
    "staticfiles/CACHE/manifest.json": "{}",
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("settings", EXPECTED, ids=["healthchecks", "bakerydemo"])
def test_readmes_lines(make_project: Callable[..., Project], settings: str, stage: str) -> None:
    urls = "from django.contrib import admin\nfrom django.urls import path\n"
    urls += 'urlpatterns = [path("admin/", admin.site.urls)]\n'
    env = STAGES[stage] | SITE

    def messages(lines: str, folder: str) -> set[str]:
        site = make_project(settings + lines, {"urls.py": urls, **BUILT}, env, folder)
        (site.folder / "static").mkdir()
        output = subprocess.run(
            [sys.executable, "manage.py", "check", "--deploy"],
            cwd=site.folder,
            # Warnings of the packages are not errors.
            env=clean_environment(site.folder) | env,
            capture_output=True,
            text=True,
            check=False,
        ).stderr
        assert "Traceback" not in output, output
        return set(re.findall(r"\(([\w.]+\.[EW]\d+)\)", output))

    before = messages("", "before")
    expected, fix = EXPECTED[settings]
    with_lines = messages(LINES, "lines")
    assert {
        name.partition(".")[2] for name in with_lines if name.startswith("herokuify.")
    } == expected
    fixed = messages(LINES + fix, "fixed")
    assert not {name for name in fixed if name.startswith("herokuify.")}
    # On a live site, Django's checks report nothing new either.
    if stage in LIVE:
        assert fixed - before <= {"security.W005", "security.W021"}
