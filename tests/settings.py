"""Settings for the tests that run Django in pytest's own process; no variable changes them."""

SECRET_KEY = "not-a-secret"
USE_TZ = True
INSTALLED_APPS = [
    "herokuify",
    "herokuify.uploads",
    "compressor",
    "tests.testapp",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
# django-compressor requires one at start-up; tests that write files set their own.
STATIC_ROOT = "/nowhere/static"
# django-compressor requires its finder.
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "compressor.finders.CompressorFinder",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
