"""Packages that use Redis, on a server with TLS and a self-signed certificate."""

import subprocess
from collections.abc import Callable

import pytest

from tests import project
from tests.services.daemons import Redis

BASE = """
import herokuify
from herokuify.redis import get_redis_config
SECRET_KEY = "x" * 60
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
INSTALLED_APPS = ["django.contrib.contenttypes"]
"""
CHANNELS = (
    BASE
    + """
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": [get_redis_config("channels")]},
    }
}
"""
)
RQ = (
    BASE
    + """
INSTALLED_APPS += ["django_rq", "django_tasks", "django_tasks_rq"]
RQ_QUEUES = {"default": get_redis_config("django-rq")}
RQ = {"JOB_CLASS": "django_tasks_rq.Job"}
TASKS = {"default": {"BACKEND": "django_tasks_rq.RQBackend", "QUEUES": ["default"]}}
"""
)
HUEY = (
    BASE
    + """
INSTALLED_APPS += ["huey.contrib.djhuey"]
HUEY = {"name": "site", "immediate": False, "connection": get_redis_config("huey")}
"""
)
DJANGO_REDIS = BASE + 'CACHES = {"default": get_redis_config("django-redis")}\n'
CASES = {
    "redis": (
        BASE,
        """
import redis
from herokuify.redis import get_redis_config
with redis.Redis(**get_redis_config("redis")) as client:
    print(client.ping())
""",
        "True",
    ),
    "channels": (
        CHANNELS,
        """
import asyncio
from channels.layers import get_channel_layer
async def trip():
    layer = get_channel_layer()
    await layer.send("test", {"type": "hello"})
    print((await layer.receive("test"))["type"])
    await layer.close_pools()
asyncio.run(trip())
""",
        "hello",
    ),
    "django-rq": (
        RQ,
        """
import django_rq
from rq.job import Job
queue = django_rq.get_queue("default")
job = queue.enqueue(sum, [40, 2])
print(Job.fetch(job.id, connection=queue.connection).func_name)
""",
        "builtins.sum",
    ),
    "django-tasks": (
        RQ,
        """
from django.core.management import call_command
from jobs import add
result = add.enqueue(40, 2)
call_command("rqworker", "--burst", "--verbosity=0")
print(add.get_result(result.id).return_value)
""",
        "42",
    ),
    "huey": (
        HUEY,
        """
from huey.contrib.djhuey import HUEY
HUEY.storage.enqueue(b"a task")
print(HUEY.storage.dequeue().decode())
""",
        "a task",
    ),
    "django-redis": (
        DJANGO_REDIS,
        """
from django.core.cache import cache
cache.set("key", 42)
print(cache.get("key"))
""",
        "42",
    ),
}
JOBS = """
from django_tasks import task
@task()
def add(a, b):
    return a + b
"""


@pytest.fixture(params=["tls", "ca", "plain"])
def redis_environ(request: pytest.FixtureRequest, redis: Redis) -> dict[str, str]:
    url = {
        "tls": redis.tls_url,
        "ca": f"{redis.tls_url}?ssl_ca_certs={redis.certificate}",
        "plain": redis.url,
    }[request.param]
    return {"REDIS_URL": url, "DYNO": "web.1", "PORT": "5000"}


@pytest.mark.parametrize("client", CASES)
def test_writes_and_reads(
    client: str,
    redis_environ: dict[str, str],
    make_project: Callable[..., project.Project],
) -> None:
    settings, source, expected = CASES[client]
    site = make_project(settings, {"jobs.py": JOBS})
    variables = project.clean_environment(site.folder) | redis_environ
    # Without -W error, because these packages warn.
    result = subprocess.run(
        [project.sys.executable, "-c", project.SNIPPET + source],
        cwd=site.folder,
        env=variables,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1].endswith(expected)
