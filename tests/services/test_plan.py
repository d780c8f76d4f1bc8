"""A web dyno and a worker, as in the cache guide, on the smallest Redis plan."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
from redis import Redis as Client

from tests.processes import wait_until
from tests.project import Project
from tests.services.conftest import redis_with
from tests.services.daemons import Redis
from tests.services.workers import APP, working
from tests.web_dyno import ENTRY_POINTS, gunicorn, serving

PLAN = 20  # heroku-redis:mini
REQUESTS = 150
CLIENTS = 24
SETTINGS = """
import herokuify
from herokuify.common import *

SECRET_KEY = "x" * 60
USE_TZ = True
ALLOWED_HOSTS = ["*"]
SECURE_SSL_REDIRECT = False
INSTALLED_APPS = ["herokuify"]
ROOT_URLCONF = "urls"
CACHES = herokuify.get_cache_config(ignore_exceptions=False)
"""
TASKS = """
@app.task
def first(number):
    from django.core.cache import cache
    cache.set(f"first-{number}", number)
    second.delay(number)
    return number

@app.task
def second(number):
    from django.core.cache import cache
    cache.set(f"second-{number}", cache.get(f"first-{number}"))
"""
URLS = """
from django.core.cache import cache
from django.http import HttpResponse
from django.urls import path
from tasks import app, first

def page(request, number):
    cache.set(f"page-{number}", first.delay(number).id)
    is_ready = app.AsyncResult(cache.get(f"page-{number}")).ready()
    return HttpResponse(f"{is_ready}")

def result(request):
    return HttpResponse(first.delay(40).get(timeout=30))

def fine(request):
    return HttpResponse("fine")

urlpatterns = [path("page/<int:number>", page), path("result", result), path("fine", fine)]
"""
FILES = ENTRY_POINTS | {"urls.py": URLS, "tasks.py": APP + TASKS}
SEND = """
from django.core.cache import cache
from tasks import app
for attempt in (
    lambda: app.send_task("tasks.first"),
    lambda: app.AsyncResult("an-id").backend.client.get("an-id"),
    lambda: cache.get("key"),  # logs a warning
):
    try:
        attempt()
    except Exception as error:
        print(type(error).__module__, error, flush=True)
"""


@pytest.mark.once
def test_site_and_worker_stay_within_the_limit(project: Project) -> None:
    # Plus one connection for the test itself.
    with redis_with("--maxclients", f"{PLAN + 1}") as redis:
        # Heroku's buildpack sets this WEB_CONCURRENCY on a dyno with 512 MB.
        environ = {"REDIS_URL": redis.tls_url, "WEB_CONCURRENCY": "2"}
        with working(project, **environ) as worker:
            with serving(project, gunicorn(), "/fine", **environ) as dyno:
                with ThreadPoolExecutor(CLIENTS) as clients:
                    pages = clients.map(lambda n: dyno.get(f"/page/{n}")[0], range(REQUESTS))
                    assert Counter(pages) == {200: REQUESTS}, "\n".join(dyno.lines()[-30:])
                assert dyno.get("/result") == (200, b"40")
                with Client.from_url(redis.url) as server:
                    wait_until(lambda: len(server.keys(":1:second-*")) == REQUESTS, log=worker.log)
                    assert server.info("stats")["rejected_connections"] == 0
            worker.stop()
        assert "Traceback" not in worker.text


@contextmanager
def redis_at_its_limit() -> Iterator[Redis]:
    with redis_with("--maxclients", "2") as redis, ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(Client.from_url(redis.url)).ping()
        yield redis


@pytest.mark.once
def test_errors_name_the_limit(
    make_project: Callable[..., Project],
) -> None:
    lenient = make_project(SETTINGS.replace("ignore_exceptions=False", ""), {"tasks.py": APP})
    with redis_at_its_limit() as redis:
        # On its TLS port, Redis closes the connection without a message.
        for url, words in (
            (redis.url, "accepts no more connections: the plan's limit is reached"),
            (redis.tls_url, "closes connections before TLS starts, as it does at the plan's limit"),
        ):
            result = lenient.snippet(SEND, env={"REDIS_URL": url})
            assert result.stdout.count(words) == 3, result.stdout + result.stderr
            assert result.stdout.count("get_celery_config(max_connections=…)") == 3
            found = {line.split()[0] for line in result.stdout.splitlines()}
            assert found == {"kombu.exceptions", "redis.exceptions", "WARNING"}
