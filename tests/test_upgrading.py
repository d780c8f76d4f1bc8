"""docs/upgrading.md: its new lines of settings read the old config vars."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from herokuify.env import LIVE, get_stage
from tests.project import Project, clean_environment

pytestmark = pytest.mark.source_tree

PAGE = Path(__file__).resolve().parent.parent / "docs" / "upgrading.md"
KEY = "".join(map(chr, range(33, 127)))
#: For each variable in the table: its value, and the expected value of its setting.
VARIABLES: dict[str, tuple[str, object]] = {
    "DJANGO_SECRET_KEY": (KEY, KEY),
    "DJANGO_DEBUG": ("false", False),
    "DJANGO_ALLOWED_HOSTS": ("a.example.com,b.example.com", ["a.example.com", "b.example.com"]),
    "DJANGO_SECURE_SSL_REDIRECT": ("false", False),
    "DJANGO_SECURE_HSTS_INCLUDE_SUBDOMAINS": ("true", True),
    "DJANGO_SECURE_HSTS_PRELOAD": ("true", True),
    "DATABASE_URL": ("postgres://me:hunter2@db.example.com/site", "db.example.com"),
    "REDIS_URL": ("rediss://:hunter2@redis.example.com:6380", "rediss://redis.example.com:6380/0"),
    "DJANGO_AWS_ACCESS_KEY_ID": ("key", "key"),
    "DJANGO_AWS_SECRET_ACCESS_KEY": ("secret", "secret"),
    "DJANGO_AWS_STORAGE_BUCKET_NAME": ("my-bucket", "my-bucket"),
    "DJANGO_AWS_S3_REGION_NAME": ("eu-west-1", "eu-west-1"),
    "DJANGO_AWS_S3_CUSTOM_DOMAIN": ("cdn.example.com", "cdn.example.com"),
    "DJANGO_DEFAULT_FROM_EMAIL": ("Site <site@example.com>", "Site <site@example.com>"),
    "DJANGO_SERVER_EMAIL": ("root@example.com", "root@example.com"),
}
#: Settings above the new lines, as in cookiecutter-django; the new lines override them.
ABOVE = """
from pathlib import Path

BASE_DIR = Path(".").absolute()
USE_TZ = True
INSTALLED_APPS = ["django.contrib.staticfiles"]
ALLOWED_HOSTS = ["old.example.com"]
SECRET_KEY = "old"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "ATOMIC_REQUESTS": True}}
CACHES = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://old"}}
CELERY_BROKER_URL = "redis://old:6379/0"
CELERY_RESULT_BACKEND = CELERY_BROKER_URL
CELERY_TASK_TIME_LIMIT = 300
STORAGES = {}
SECURE_HSTS_SECONDS = 60
"""
TELL = """
import json
from django.conf import settings

found = {name: getattr(settings, name, None) for name in NAMES}
found["DATABASES"] = settings.DATABASES["default"]["HOST"]
found["CACHES"] = settings.CACHES["default"]["LOCATION"]
print(json.dumps([found, settings.DATABASES["default"]["ATOMIC_REQUESTS"], settings.STATIC_URL]))
"""
CELERY = """
import os
from celery import Celery
from herokuify.celery import get_celery_config

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
app = Celery("site")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(get_celery_config())
if __name__ == "__main__":
    print(app.conf.broker_url, app.conf.result_backend, app.conf.task_time_limit)
"""


def section(title: str) -> str:
    return PAGE.read_text(encoding="utf-8").partition(f"## {title}\n")[2].partition("\n## ")[0]


def snippet(title: str) -> str:
    return section(title).partition("```python\n")[2].partition("```")[0]


def test_cookiecutters_variables_are_read(make_project: Callable[..., Project]) -> None:
    page = section("From cookiecutter-django")
    rows = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", page, re.MULTILINE))
    assert list(rows) == list(VARIABLES)
    site = make_project(ABOVE + snippet("From cookiecutter-django"), {"celery_app.py": CELERY})
    environ = {name: value for name, (value, _) in VARIABLES.items()} | {
        "DYNO": "web.1",
        "PORT": "5000",
        "SECURE_HSTS_SECONDS": "31536000",
    }
    result = site.snippet(f"NAMES = {list(rows.values())!r}" + TELL, env=environ)
    assert result.returncode == 0, result.stderr
    found, is_atomic, static_url = json.loads(result.stdout)
    assert found == {rows[name]: expected for name, (_, expected) in VARIABLES.items()}
    assert is_atomic
    assert static_url == "https://cdn.example.com/static/"
    # herokuify's own names give the same settings.
    new = {name.removeprefix("DJANGO_"): value for name, value in environ.items()}
    assert site.snippet(f"NAMES = {list(rows.values())!r}" + TELL, env=new).stdout == result.stdout
    celery = subprocess.run(
        [sys.executable, "celery_app.py"],
        cwd=site.folder,
        env=clean_environment(site.folder) | environ,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    broker, backend, limit = celery.stdout.split()
    assert broker == "rediss://redis.example.com:6380/0"
    assert backend.endswith(f"+{broker}")
    assert limit == "300"  # other settings are kept


def test_getting_starteds_settings_are_overridden(make_project: Callable[..., Project]) -> None:
    """The lines from README stand below its settings."""
    readme = (PAGE.parent.parent / "README.md").read_text(encoding="utf-8")
    site = make_project(
        ABOVE.replace("SECURE_HSTS_SECONDS", "IS_HEROKU_APP = SECURE_HSTS_SECONDS")
        + 'DEBUG, ALLOWED_HOSTS, STATIC_URL = True, ["*"], "static/"\n'
        + readme.partition("```python\n")[2].partition("```")[0]
    )
    environ = {
        "DYNO": "web.1",
        "PORT": "5000",
        "SECRET_KEY": KEY,
        "DATABASE_URL": VARIABLES["DATABASE_URL"][0],
        "REDIS_URL": VARIABLES["REDIS_URL"][0],
        "ALLOWED_HOSTS": "a.example.com",
    }
    names = ["SECRET_KEY", "DEBUG", "ALLOWED_HOSTS", "SECURE_SSL_REDIRECT"]
    result = site.snippet(
        f"NAMES = {names!r}" + TELL.replace('["ATOMIC_REQUESTS"]', '["ENGINE"]'), env=environ
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == [
        {
            "SECRET_KEY": KEY,
            "DEBUG": False,
            "ALLOWED_HOSTS": ["a.example.com"],
            "SECURE_SSL_REDIRECT": True,
            "DATABASES": "db.example.com",
            "CACHES": "rediss://redis.example.com:6380/0",
        },
        "django.db.backends.postgresql",
        "/static/",
    ]
    assert get_stage(environ) in LIVE


def test_databases_with_other_colors_are_added(make_project: Callable[..., Project]) -> None:
    line = section("From django-herokuify").partition("### Other databases")[2]
    site = make_project(line.partition("```python\n")[2].partition("```")[0] + "USE_TZ = True\n")
    url = "postgres://me:hunter2@amber.example.com/site"
    result = site.snippet(
        "from django.conf import settings\nprint(settings.DATABASES['amber']['HOST'])",
        env={"HEROKU_POSTGRESQL_AMBER_URL": url},
    )
    assert result.stdout == "amber.example.com\n", result.stderr


def test_successors_of_boto_settings_are_documented() -> None:
    rows = re.findall(r"^\| (`AWS_.+) \| (.+) \|$", section("From django-storages"), re.MULTILINE)
    new = {name for _, now in rows for name in re.findall(r"`(AWS_\w+)`", now)}
    documented = (PAGE.parent / "settings.md").read_text(encoding="utf-8")
    assert new
    assert all(f"### {name}\n" in documented for name in new)
