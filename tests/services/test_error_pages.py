"""The debug page and the mail to ADMINS show no secret of what the config functions return."""

import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.project import Project
from tests.services.daemons import Redis

SECRET = "hunter2/sEcrEt"
QUOTED = "hunter2%2FsEcrEt"
SETTINGS = """
import herokuify
from herokuify.aws import *
from herokuify.celery import get_celery_config
from herokuify.common import *
from herokuify.redis import CLIENTS, get_redis_config

ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "urls"
ADMINS = [("Ada", "ada@example.com")]
MIDDLEWARE = []
DATABASES = herokuify.get_db_config()
CACHES = herokuify.get_cache_config(variable="REDIS_URL", ignore_exceptions=False)
CACHES["memcached"] = herokuify.get_cache_config(variable="MEMCACHIER_SERVERS")["default"]
CACHES["wrong"] = {
    **CACHES["default"],
    "OPTIONS": {**CACHES["default"]["OPTIONS"], "nonsense": 1},
}
CACHES["django_redis"] = get_redis_config("django-redis")
CHANNEL_LAYERS = {"default": {"CONFIG": {"hosts": [get_redis_config("channels")]}}}
RQ_QUEUES = {"default": get_redis_config("django-rq")}
HUEY = {"connection": get_redis_config("huey")}
REDIS_ARGUMENTS = {name: get_redis_config(name) for name in CLIENTS}
globals().update(herokuify.get_email_config())
# As in Celery's own guide: app.config_from_object("django.conf:settings", namespace="CELERY")
for variable in ("REDIS_URL", "CLOUDAMQP_URL"):
    config = get_celery_config(variable=variable)
    globals().update({f"{variable}_{name.upper()}": value for name, value in config.items()})
    globals()[f"CELERY_{variable}"] = config
STORAGES = {
    "default": {
        "BACKEND": "herokuify.storage.S3MediaStorage",
        "OPTIONS": {"secret_key": AWS_SECRET_ACCESS_KEY, "client_config": None},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
"""
URLS = """
from django.core.cache import cache, caches
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import path


def view(function):
    def answer(request):
        function()
        raise RuntimeError("the site's own error")
    return answer


urlpatterns = [
    path("plain", view(lambda: None)),
    path("cache", view(lambda: cache.get("a"))),
    path("cache-options", view(lambda: caches["wrong"].get("a"))),
    path("s3-save", view(lambda: default_storage.save("a.txt", ContentFile(b"x")))),
    path("s3-large", view(lambda: default_storage.save("a.bin", ContentFile(bytes(9_000_000))))),
    path("s3-exists", view(lambda: default_storage.exists("a.txt"))),
    path("s3-url", view(lambda: default_storage.url("a.txt", expire=10**9))),
]
"""
ASK = """
import json, logging, warnings
from django.test import Client
from django.test.utils import override_settings, setup_test_environment
from django.utils.log import AdminEmailHandler
from urls import urlpatterns

mails = []

class Handler(AdminEmailHandler):
    def send_mail(self, subject, message, *args, html_message=None, **kwargs):
        mails.append(f"{subject}\\n{message}\\n{html_message}")

logger = logging.getLogger("django.request")
logger.handlers, logger.propagate = [Handler(include_html=True)], False
client = Client(raise_request_exception=False)
shown = {}
for pattern in urlpatterns:
    path = f"/{pattern.pattern}"
    with override_settings(DEBUG=True):
        page = client.get(path)
    mails.clear()
    with override_settings(DEBUG=False):
        client.get(path)
    assert page.status_code == 500, path
    shown[path] = [page.content.decode(), mails[0]]
print(json.dumps(shown))
"""
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_S3_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": f"token-{SECRET}",
    "AWS_STORAGE_BUCKET_NAME": "my-bucket",
    "CLOUDAMQP_URL": f"amqps://someone:{QUOTED}@127.0.0.1/vhost",
    "DATABASE_URL": f"postgres://someone:{QUOTED}@127.0.0.1:1/app",
    "EMAIL_HOST": "smtp.example.com",
    "EMAIL_HOST_PASSWORD": SECRET,
    "EMAIL_HOST_USER": "someone",
    "MEMCACHIER_PASSWORD": SECRET,
    "MEMCACHIER_SERVERS": "127.0.0.1:1",
    "MEMCACHIER_USERNAME": "someone",
    "SECRET_KEY": f"{SECRET}-{'x' * 60}",
}


@pytest.mark.once
def test_pages_and_mails_show_no_secret(make_project: Callable[..., Project], redis: Redis) -> None:
    """Neither in the settings nor in the local variables of the traceback."""
    site = make_project(SETTINGS, {"urls.py": URLS})
    # This Redis refuses the password, so the error occurs during the login.
    url = f"rediss://someone:{QUOTED}@{urlsplit(redis.tls_url).netloc.rpartition('@')[2]}/0"
    result = site.snippet(ASK, env={**VARIABLES, "REDIS_URL": url})
    assert result.returncode == 0, result.stderr
    shown = json.loads(result.stdout)
    for path, texts in shown.items():
        for kind, text in zip(("page", "mail"), texts, strict=True):
            assert "127.0.0.1" in text  # it shows the settings
            lines = [line.strip() for line in text.splitlines() if SECRET in line or QUOTED in line]
            assert not lines, (path, kind, lines)
