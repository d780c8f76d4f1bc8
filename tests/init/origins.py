"""What projects bring along: the telling lines of their settings, in the forms that they have."""

from collections.abc import Mapping
from dataclasses import dataclass, field

KEY = "".join(map(chr, range(48, 123)))
APPS = """
SECRET_KEY = {key}
ROOT_URLCONF = "mysite.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",{whitenoise}
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
"""
WHITENOISE = '\n    "whitenoise.middleware.WhiteNoiseMiddleware",'
PATHS = """
import os
from pathlib import Path
BASE_DIR = Path(__file__).resolve().parent.parent
"""


def apps(key: str, *, whitenoise: bool = False) -> str:
    return APPS.format(key=key, whitenoise=WHITENOISE if whitenoise else "")


@dataclass(frozen=True)
class Origin:
    """A project: its files, the variables of its dyno, and what must be as it was.

    ``same`` are settings; of DATABASES the default's parts count, without what herokuify adds.
    ``block`` are lines that the block must have.
    """

    files: Mapping[str, str]
    env: Mapping[str, str]
    module: str = "mysite.settings"
    usual: str = "mysite.settings"
    same: tuple[str, ...] = ()
    block: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    reads_url: bool = True
    made: frozenset[str] = field(default=frozenset({"Procfile", ".python-version", "app.json"}))


GETTING_STARTED = Origin(
    {
        "mysite/settings.py": PATHS
        + "import secrets\nimport dj_database_url\n"
        + apps(
            'os.environ.get("DJANGO_SECRET_KEY", default=secrets.token_urlsafe(nbytes=64))',
            whitenoise=True,
        )
        + """
DEBUG = os.environ.get("ENVIRONMENT") == "development"
IS_HEROKU_APP = "DYNO" in os.environ and "CI" not in os.environ
if IS_HEROKU_APP:
    ALLOWED_HOSTS = ["*"]
    SECURE_SSL_REDIRECT = True
    DATABASES = {
        "default": dj_database_url.config(
            env="DATABASE_URL", conn_max_age=500, conn_health_checks=True, ssl_require=True
        ),
    }
else:
    ALLOWED_HOSTS = [".localhost", "127.0.0.1", "[::1]", "0.0.0.0", "[::]"]
    DATABASES = {
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}
    }
STATIC_ROOT = BASE_DIR / "staticfiles"
STATIC_URL = "static/"
STORAGES = {
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
LOGGING = {"version": 1, "disable_existing_loggers": False}
""",
        "requirements.txt": "django\ngunicorn\ndj-database-url\nwhitenoise\n#psycopg[binary]\n",
        "Procfile": "web: gunicorn mysite.wsgi\n",
        "app.json": "{}\n",
        ".python-version": "3.14\n",
    },
    {"DJANGO_SECRET_KEY": KEY},
    same=("SECRET_KEY", "ALLOWED_HOSTS", "STORAGES", "STATIC_URL", "LOGGING", "DEBUG"),
    block=(
        "    DATABASES = herokuify.get_db_config(conn_max_age=500, ssl_require=True)",
        '    STORAGES = herokuify.get_storages(static={"OPTIONS": {"gzip": True}})',
    ),
    said=(
        'accepts any host, "*"',
        'heroku config:set DJANGO_SECRET_KEY="$(openssl',
        "heroku run python manage.py migrate",
    ),
    made=frozenset(),
)
BAKERYDEMO = Origin(
    {
        "mysite/settings/__init__.py": "",
        "mysite/settings/dev.py": "from .base import *\nDEBUG = True\n",
        "mysite/settings/base.py": """
import os
import dj_database_url
BASE_DIR = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEBUG = True
ALLOWED_HOSTS = []
"""
        + apps('"c6u0-9c!7nilj_ysatsda0(f@e_2mws2f!6m0n^o*4#*q#kzp)"')
        + """
if "DATABASE_URL" in os.environ:
    DATABASES = {"default": dj_database_url.config(conn_max_age=500)}
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.path.join(BASE_DIR, os.environ.get("DATABASE_NAME", "bakerydemodb")),
        }
    }
STATIC_ROOT = os.path.join(BASE_DIR, "collect_static")
STATIC_URL = "/static/"
MEDIA_ROOT = os.path.join(BASE_DIR, "media")
MEDIA_URL = "/media/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}
LOGGING = {"version": 1, "disable_existing_loggers": False}
""",
        "mysite/settings/production.py": """
import os
import random
from .base import *

DEBUG = False
if "DJANGO_SECRET_KEY" in os.environ:
    SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
else:
    SECRET_KEY = "".join([random.SystemRandom().choice("abcdefg") for i in range(50)])
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
ALLOWED_HOSTS = os.getenv("DJANGO_ALLOWED_HOSTS", "*").split(",")
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
REDIS_URL = os.environ.get("REDIS_TLS_URL", os.environ.get("REDIS_URL"))
if REDIS_URL:
    CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": REDIS_URL + "/0",
            "TIMEOUT": 900,
        },
        "renditions": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL + "/1",
        },
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
MIDDLEWARE.append("whitenoise.middleware.WhiteNoiseMiddleware")
STORAGES["staticfiles"]["BACKEND"] = "whitenoise.storage.CompressedManifestStaticFilesStorage"
if "AWS_STORAGE_BUCKET_NAME" in os.environ:
    AWS_STORAGE_BUCKET_NAME = os.getenv("AWS_STORAGE_BUCKET_NAME")
    AWS_QUERYSTRING_AUTH = False
    INSTALLED_APPS.append("storages")
    STORAGES["default"]["BACKEND"] = "storages.backends.s3boto3.S3Boto3Storage"
    AWS_S3_FILE_OVERWRITE = False
    if "AWS_S3_CUSTOM_DOMAIN" in os.environ:
        AWS_S3_CUSTOM_DOMAIN = os.environ["AWS_S3_CUSTOM_DOMAIN"]
SECURE_SSL_REDIRECT = os.environ.get("SECURE_SSL_REDIRECT", "True").lower() == "true"
SECURE_HSTS_SECONDS = int(os.environ.get("SECURE_HSTS_SECONDS", 30 * 24 * 60 * 60))
SECURE_HSTS_INCLUDE_SUBDOMAINS = False
""",
        "requirements.txt": "-r requirements/production.txt\n",
        "requirements/production.txt": "django\nuwsgi\npsycopg[binary]\ndjango-redis\n",
        "runtime.txt": "python-3.14.0\n",
        "Procfile": "web: uwsgi ./etc/uwsgi.ini\n",
    },
    {
        "DJANGO_SECRET_KEY": KEY,
        "DJANGO_ALLOWED_HOSTS": "www.example.com",
        "REDIS_URL": "redis://:hunter2@redis.example.com:6379",
        "AWS_STORAGE_BUCKET_NAME": "my-bucket",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_S3_CUSTOM_DOMAIN": "cdn.example.com",
    },
    module="mysite.settings.production",
    usual="mysite.settings.dev",
    same=("SECRET_KEY", "ALLOWED_HOSTS", "EMAIL_BACKEND", "SECURE_HSTS_SECONDS", "MEDIA_FILE"),
    block=(
        'CACHES = {**globals().get("CACHES", {}), **herokuify.get_cache_config()}',
        'CACHES["default"] |= {"TIMEOUT": 900}',
        '        static="whitenoise.storage.CompressedManifestStaticFilesStorage",',
    ),
    said=(
        "manage.py names mysite.settings.dev",
        "heroku config:set DJANGO_SETTINGS_MODULE=mysite.settings.production",
        "django-redis's OPTIONS and methods",
    ),
    made=frozenset({"app.json"}),
)
REQUIRED = (
    "heroku config:set DJANGO_AWS_ACCESS_KEY_ID=… DJANGO_AWS_SECRET_ACCESS_KEY=… "
    "DJANGO_AWS_STORAGE_BUCKET_NAME=… MAILGUN_API_KEY=…  #"
)
COOKIECUTTER = Origin(
    {
        "config/__init__.py": "",
        "config/settings/__init__.py": "",
        "config/settings/local.py": "from .base import *\nDEBUG = True\n",
        "config/settings/base.py": """
import os
from pathlib import Path
import environ
BASE_DIR = Path(__file__).resolve(strict=True).parent.parent.parent
env = environ.Env()
DEBUG = env.bool("DJANGO_DEBUG", False)
if os.getenv("DATABASE_URL", default=None):
    DATABASES = {"default": env.db("DATABASE_URL")}
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": env.str("POSTGRES_DB"),
            "HOST": env.str("POSTGRES_HOST", default="localhost"),
        },
    }
DATABASES["default"]["ATOMIC_REQUESTS"] = True
"""
        + apps('"local"')
        + """
STATIC_ROOT = str(BASE_DIR / "staticfiles")
STATIC_URL = "/static/"
MEDIA_URL = "/media/"
EMAIL_BACKEND = env("DJANGO_EMAIL_BACKEND", default="django.core.mail.backends.smtp.EmailBackend")
REDIS_URL = env("REDIS_URL", default="redis://localhost:6379/0")
CELERY_BROKER_URL = REDIS_URL
""",
        "config/settings/production.py": """
from .base import *
from .base import DATABASES
from .base import REDIS_URL
from .base import env

SECRET_KEY = env("DJANGO_SECRET_KEY")
ALLOWED_HOSTS = env.list("DJANGO_ALLOWED_HOSTS", default=["example.com"])
DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=60)
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"CLIENT_CLASS": "django_redis.client.DefaultClient"},
    },
}
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = env.bool("DJANGO_SECURE_SSL_REDIRECT", default=True)
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SECURE_HSTS_SECONDS = 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("DJANGO_SECURE_HSTS_INCLUDE_SUBDOMAINS", default=True)
SECURE_HSTS_PRELOAD = env.bool("DJANGO_SECURE_HSTS_PRELOAD", default=True)
AWS_ACCESS_KEY_ID = env("DJANGO_AWS_ACCESS_KEY_ID")
AWS_SECRET_ACCESS_KEY = env("DJANGO_AWS_SECRET_ACCESS_KEY")
AWS_STORAGE_BUCKET_NAME = env("DJANGO_AWS_STORAGE_BUCKET_NAME")
AWS_QUERYSTRING_AUTH = False
AWS_S3_OBJECT_PARAMETERS = {"CacheControl": "max-age=604800, must-revalidate"}
AWS_S3_REGION_NAME = env("DJANGO_AWS_S3_REGION_NAME", default=None)
AWS_S3_CUSTOM_DOMAIN = env("DJANGO_AWS_S3_CUSTOM_DOMAIN", default=None)
aws_s3_domain = AWS_S3_CUSTOM_DOMAIN or f"{AWS_STORAGE_BUCKET_NAME}.s3.amazonaws.com"
STORAGES = {
    "default": {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {"location": "media", "file_overwrite": False},
    },
    "staticfiles": {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {"location": "static"},
    },
}
MEDIA_URL = f"https://{aws_s3_domain}/media/"
COLLECTFASTA_STRATEGY = "collectfasta.strategies.boto3.Boto3Strategy"
STATIC_URL = f"https://{aws_s3_domain}/static/"
DEFAULT_FROM_EMAIL = env("DJANGO_DEFAULT_FROM_EMAIL", default="Site <noreply@example.com>")
SERVER_EMAIL = env("DJANGO_SERVER_EMAIL", default=DEFAULT_FROM_EMAIL)
EMAIL_BACKEND = "anymail.backends.mailgun.EmailBackend"
ANYMAIL = {"MAILGUN_API_KEY": env("MAILGUN_API_KEY")}
""",
        "pyproject.toml": '[project]\nname = "site"\ndependencies = [\n  "django",\n]\n',
        "uv.lock": "",
        "Procfile": "web: gunicorn config.wsgi:application\n",
        ".python-version": "3.14\n",
    },
    {
        "DJANGO_SECRET_KEY": KEY,
        "DJANGO_AWS_ACCESS_KEY_ID": "key",
        "DJANGO_AWS_SECRET_ACCESS_KEY": "secret",
        "DJANGO_AWS_STORAGE_BUCKET_NAME": "my-bucket",
        "DJANGO_AWS_S3_CUSTOM_DOMAIN": "cdn.example.com",
        "REDIS_URL": "redis://:hunter2@redis.example.com:6379",
        "MAILGUN_API_KEY": "hunter2",
        "MAILGUN_DOMAIN": "mg.example.com",
    },
    module="config.settings.production",
    usual="config.settings.local",
    same=(
        *("SECRET_KEY", "ALLOWED_HOSTS", "EMAIL_BACKEND", "ANYMAIL", "DEFAULT_FROM_EMAIL"),
        *("STATIC_URL", "MEDIA_FILE", "SECURE_HSTS_SECONDS", "SECURE_HSTS_PRELOAD"),
        *("AWS_STORAGE_BUCKET_NAME", "SERVER_EMAIL"),
    ),
    block=(
        "        ATOMIC_REQUESTS=True,",
        "        conn_max_age=env.int('CONN_MAX_AGE', default=60),",
        "CACHES = herokuify.get_cache_config()",
    ),
    said=("COLLECTFASTA_STRATEGY has no effect", "CacheControl also applies", "uv lock", REQUIRED),
    made=frozenset({"app.json"}),
)
HEALTHCHECKS = Origin(
    {
        "mysite/settings.py": PATHS
        + """
def envbool(s, default):
    return os.getenv(s, default=default) == "True"
def envsecret(s, default=None):
    return os.getenv(s, default)
DEBUG = envbool("DEBUG", "True")
DEFAULT_FROM_EMAIL = os.getenv("DEFAULT_FROM_EMAIL", "healthchecks@example.org")
"""
        + apps('envsecret("SECRET_KEY", "---")', whitenoise=True)
        + """
INSTALLED_APPS = (*INSTALLED_APPS, "compressor")
LOGGING = {"version": 1, "disable_existing_loggers": False}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.getenv("DB_NAME", BASE_DIR / "hc.sqlite"),
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    }
}
if os.getenv("DB") == "postgres":
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.getenv("DB_HOST", ""),
            "NAME": os.getenv("DB_NAME", "hc"),
            "PASSWORD": envsecret("DB_PASSWORD", ""),
            "CONN_MAX_AGE": int(os.getenv("DB_CONN_MAX_AGE", "0")),
            "OPTIONS": {"application_name": "hc"},
        }
    }
ALLOWED_HOSTS = [os.getenv("SITE_ROOT", "http://localhost:8000").split("/")[2]]
STATIC_URL = f"{os.getenv('SITE_PATH', '')}/static/"
STATIC_ROOT = BASE_DIR / "static-collected"
STATICFILES_FINDERS = (
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "compressor.finders.CompressorFinder",
)
COMPRESS_OFFLINE = True
COMPRESS_STORAGE = "compressor.storage.GzipCompressorFileStorage"
EMAIL_HOST = os.getenv("EMAIL_HOST", "")
EMAIL_HOST_PASSWORD = envsecret("EMAIL_HOST_PASSWORD", "")
if (BASE_DIR / "mysite/local_settings.py").exists():
    from .local_settings import *
""",
        "requirements.txt": "Django\ndjango-compressor\npsycopg\nwhitenoise\n",
    },
    {
        "SECRET_KEY": KEY,
        "DB": "postgres",
        "DB_HOST": "db.example.com",
        "SITE_ROOT": "https://www.example.com",
        "EMAIL_HOST": "smtp.example.com",
    },
    same=("SECRET_KEY", "ALLOWED_HOSTS", "EMAIL_HOST", "LOGGING", "STORAGES", "STATIC_URL"),
    block=("    DATABASES = herokuify.get_db_config(",),
    said=("move this import below it", "django-compressor"),
    reads_url=False,
    made=frozenset({"Procfile", ".python-version", "app.json", "bin/post_compile"}),
)
OSCAR = Origin(
    {
        "mysite/settings.py": """
import os
import environ
env = environ.Env()
location = lambda x: os.path.join(os.path.dirname(os.path.realpath(__file__)), x)
DEBUG = env.bool('DEBUG', default=True)
ALLOWED_HOSTS = env.list('ALLOWED_HOSTS', default=['localhost', '127.0.0.1'])
EMAIL_BACKEND = 'django.core.mail.backends.console.EmailBackend'
DATABASES = {
    'default': {
        'ENGINE': os.environ.get('DATABASE_ENGINE', 'django.db.backends.sqlite3'),
        'NAME': os.environ.get('DATABASE_NAME', location('db.sqlite')),
        'HOST': os.environ.get('DATABASE_HOST', None),
        'ATOMIC_REQUESTS': True
    }
}
CACHES = {'default': env.cache(default='locmemcache://')}
"""
        + apps("env.str('SECRET_KEY', default='UajFCuyjDKmWHe29neauXzHi9eZoRXr')", whitenoise=True)
        + """
STATIC_ROOT = location('public/static')
STATIC_URL = '/static/'
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": 'whitenoise.storage.CompressedManifestStaticFilesStorage'},
}
SECURE_SSL_REDIRECT = env.bool('SECURE_SSL_REDIRECT', default=False)
try:
    from settings_local import *
except ImportError:
    pass
""",
    },
    {
        "SECRET_KEY": KEY,
        "ALLOWED_HOSTS": "www.example.com",
        "DATABASE_ENGINE": "django.db.backends.postgresql",
        "DATABASE_NAME": "oscar",
        "DATABASE_HOST": "db.example.com",
    },
    same=("SECRET_KEY", "ALLOWED_HOSTS", "EMAIL_BACKEND", "STORAGES", "CACHES"),
    block=("    DATABASES = herokuify.get_db_config(ATOMIC_REQUESTS=True)",),
    said=("CACHES is kept", "Mail is sent as before"),
    reads_url=False,
    made=frozenset({"Procfile", ".python-version", "app.json", "requirements.txt"}),
)
DJANGO_HEROKU = Origin(
    {
        "mysite/settings.py": "import django_heroku\n"
        + PATHS
        + apps('"django-insecure-x"')
        + """
DEBUG = True
ALLOWED_HOSTS = []
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}
}
STATIC_URL = "static/"
if DEBUG:
    INTERNAL_IPS = ["127.0.0.1"]
django_heroku.settings(locals())
""",
        "requirements.txt": "django-heroku\ngunicorn\n",
    },
    {"SECRET_KEY": KEY},
    same=("SECRET_KEY", "ALLOWED_HOSTS"),
    block=("        globals().pop(name, None)",),
    said=("Delete this call and its import", "This line reads DEBUG before"),
)
ORIGINS = {
    name.lower(): origin for name, origin in list(globals().items()) if isinstance(origin, Origin)
}
