"""Settings of the tests that run Django in pytest's own process; they read no environment."""

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
# django-compressor wants one at start-up; a test that writes there sets its own.
STATIC_ROOT = "/nowhere/static"
# compressor refuses to work without its finder.
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "compressor.finders.CompressorFinder",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
