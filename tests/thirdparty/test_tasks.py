"""Django's tasks in the site's database, as in docs/guides/database.md."""

import subprocess
import sys
from collections.abc import Callable

from tests import project
from tests.services.daemons import ELSEWHERE, Postgres

SETTINGS = """
import herokuify
SECRET_KEY = "x" * 60
USE_TZ = True
INSTALLED_APPS = ["herokuify", "django_tasks_db"]
DATABASES = herokuify.get_db_config()
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
"""
JOBS = """
try:
    from django.tasks import task
except ImportError:  # before Django 6.0
    from django_tasks import task
from django.db import connection

@task()
def encrypted():
    with connection.cursor() as cursor:
        cursor.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        return cursor.fetchone()[0]
"""
SEND = """
from jobs import encrypted
print(encrypted.enqueue().id)
"""
ASK = """
from jobs import encrypted
print(encrypted.get_result({!r}).return_value)
"""


def printed(site: project.Project, dyno: str, *arguments: str) -> str:
    """Run Python on a dyno, and return its output; packages' warnings are not errors."""
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=site.folder,
        env=project.clean_environment(site.folder)
        | dict(site.environment)
        | {"DYNO": dyno, "PORT": "5000"},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_worker_dyno_runs_the_web_dynos_task(
    postgres: Postgres, make_project: Callable[..., project.Project]
) -> None:
    postgres.sql("CREATE DATABASE tasks OWNER tls")
    url = postgres.url("tasks", user="tls", host=ELSEWHERE)
    site = make_project(SETTINGS, {"jobs.py": JOBS}, env={"DATABASE_URL": url})
    try:
        printed(site, "release.1", "manage.py", "migrate", "--verbosity=0")
        number = printed(site, "web.1", "-c", project.SNIPPET + SEND).strip()
        printed(site, "worker.1", "manage.py", "db_worker", "--batch", "--no-startup-delay")
        answer = printed(site, "web.1", "-c", project.SNIPPET + ASK.format(number))
        assert answer == "True\n"
    finally:
        postgres.sql("DROP DATABASE tasks WITH (FORCE)")
