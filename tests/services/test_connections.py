"""The number of PostgreSQL connections that web servers and workers use."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import psycopg
import pytest
from redis import Redis as Client

from tests.processes import wait_until
from tests.project import Project
from tests.services.daemons import ELSEWHERE, PASSWORD, Postgres, Redis
from tests.services.workers import APP, working
from tests.web_dyno import ENTRY_POINTS, SETTINGS, Dyno, gunicorn, serving

LIMIT = 20  # connections of a role on Heroku's smallest plan
RELEASE = 2  # connections reserved for the release phase and a one-off dyno
REQUESTS = 150
CLIENTS = 24
UNBOUNDED = 8  # clients, where each may need a connection
URLS = """
from django.db import connection
from django.http import HttpResponse
from django.urls import path
from tasks import work

def page(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.01)")
        return HttpResponse(cursor.fetchone()[0])

def sending(request):
    work.delay()
    return page(request)

def fine(request):
    return HttpResponse("fine")

urlpatterns = [path("page", page), path("sending", sending), path("fine", fine)]
"""
TASKS = """
@app.task
def work():
    from django.core.cache import cache
    from django.db import connection
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.01)")
    cache.incr("done")
"""
SERVERS = {
    "gthread": gunicorn(),
    "asgi": gunicorn("-k", "asgi", application="asgi"),
    "uvicorn-worker": gunicorn("-k", "uvicorn_worker.UvicornWorker", application="asgi"),
    "uvicorn": ["uvicorn", "--port", "{port}", "asgi:application"],
    "runserver": ["manage", "runserver", "--noreload", "{port}"],
}


@pytest.fixture
def limited(postgres: Postgres) -> Iterator[str]:
    """The URL of a database with the connection limit of essential-0."""
    name = f"limited_{uuid.uuid4().hex[:12]}"
    postgres.sql(f"CREATE ROLE {name} LOGIN CONNECTION LIMIT {LIMIT} PASSWORD '{PASSWORD}'")
    postgres.sql(f"CREATE DATABASE {name} OWNER {name}")
    yield postgres.url(name, user=name, host=ELSEWHERE)
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")
    postgres.sql(f"DROP ROLE {name}")


@pytest.fixture
def make_limited(make_project: Callable[..., Project]) -> Callable[[str], Project]:
    def make(arguments: str) -> Project:
        settings = (
            f"{SETTINGS}\nimport herokuify\nDATABASES = herokuify.get_db_config({arguments})\n"
            "CACHES = herokuify.get_cache_config()\n"
        )
        return make_project(settings, ENTRY_POINTS | {"urls.py": URLS, "tasks.py": APP + TASKS})

    return make


def load(dyno: Dyno, path: str = "/page", clients: int = CLIENTS) -> Counter[int]:
    """Count the statuses of many requests, each on a new connection, like the router's."""
    with ThreadPoolExecutor(clients) as visitors:
        return Counter(visitors.map(lambda _: dyno.get(path)[0], range(REQUESTS)))


def count_connections(postgres: Postgres, url: str) -> int:
    name = url.rpartition("/")[2]
    found = postgres.sql(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{name}'")
    return int(found)


# Servers of the test below without a pool, and other servers.
@pytest.mark.once
@pytest.mark.parametrize(
    ("server", "arguments"),
    [("asgi", "pool=False"), ("uvicorn-worker", "pool=False"), ("uvicorn", ""), ("runserver", "")],
)
def test_site_stays_below_its_number_of_clients(
    postgres: Postgres,
    limited: str,
    make_limited: Callable[[str], Project],
    server: str,
    arguments: str,
) -> None:
    with serving(make_limited(arguments), SERVERS[server], "/fine", DATABASE_URL=limited) as dyno:
        found = load(dyno, clients=UNBOUNDED)
        kept = count_connections(postgres, limited)
        assert found == {200: REQUESTS}, "\n".join(dyno.lines()[-30:])
        assert kept <= UNBOUNDED


@pytest.mark.once
@pytest.mark.parametrize("server", ["gthread", "asgi", "uvicorn-worker"])
def test_site_and_worker_stay_within_the_limit(
    postgres: Postgres,
    redis: Redis,
    limited: str,
    make_limited: Callable[[str], Project],
    server: str,
) -> None:
    site = make_limited("")
    environ = {"DATABASE_URL": limited, "REDIS_URL": redis.tls_url, "WEB_CONCURRENCY": "2"}
    with Client.from_url(redis.url) as counter:
        counter.set(":1:done", 0)
        with working(site, **environ) as worker:
            with serving(site, SERVERS[server], "/fine", **environ) as dyno:
                assert load(dyno, "/sending") == {200: REQUESTS}, "\n".join(dyno.lines()[-30:])
                wait_until(lambda: int(counter.get(":1:done")) >= REQUESTS, log=worker.log)
                assert count_connections(postgres, limited) <= LIMIT - RELEASE
            worker.stop()
        counter.delete(":1:done")
    assert "too many connections" not in worker.text


@pytest.mark.once
@pytest.mark.parametrize("server", ["gthread", "asgi"])
def test_log_names_the_limit(
    limited: str, make_limited: Callable[[str], Project], server: str
) -> None:
    # psycopg's pool waits, and raises an error that doesn't mention the limit.
    site = make_limited('pool={"timeout": 2}' if server == "asgi" else "")
    with (
        serving(site, SERVERS[server], "/fine", DATABASE_URL=limited) as dyno,
        ExitStack() as stack,
    ):
        for _ in range(LIMIT):
            stack.enter_context(closing(psycopg.connect(limited)))
        assert dyno.get("/page")[0] == 500
        log = "\n".join(dyno.lines())
        assert "too many connections for role" in log, log
