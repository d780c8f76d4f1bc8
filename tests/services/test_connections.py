"""How many connections a web dyno takes from PostgreSQL, under each kind of server."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.project import Project
from tests.services.daemons import ELSEWHERE, PASSWORD, Postgres
from tests.web_dyno import ENTRY_POINTS, SETTINGS, Dyno, gunicorn, serving

LIMIT = 20  # of a role on Heroku's smallest plan
REQUESTS = 150
CLIENTS = 8
URLS = """
from django.db import connection
from django.http import HttpResponse
from django.urls import path

def page(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.01)")
        return HttpResponse(cursor.fetchone()[0])

def fine(request):
    return HttpResponse("fine")

urlpatterns = [path("page", page), path("fine", fine)]
"""
SERVERS = {
    "gthread": gunicorn(),
    "asgi": gunicorn("-k", "asgi", application="asgi"),
    "uvicorn-worker": gunicorn("-k", "uvicorn_worker.UvicornWorker", application="asgi"),
    "uvicorn": ["uvicorn", "--port", "{port}", "asgi:application"],
    "runserver": ["manage", "runserver", "--noreload", "{port}"],
}
#: The module that a server needs, which is not in each environment of the matrix.


@pytest.fixture
def limited(postgres: Postgres) -> Iterator[str]:
    """The URL of a database whose role may have as many connections as on essential-0."""
    name = f"limited_{uuid.uuid4().hex[:12]}"
    postgres.sql(f"CREATE ROLE {name} LOGIN CONNECTION LIMIT {LIMIT} PASSWORD '{PASSWORD}'")
    postgres.sql(f"CREATE DATABASE {name} OWNER {name}")
    yield postgres.url(name, user=name, host=ELSEWHERE)
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")
    postgres.sql(f"DROP ROLE {name}")


@pytest.fixture
def make_site(make_project: Callable[..., Project]) -> Callable[[str], Project]:
    def make(arguments: str) -> Project:
        settings = (
            f"{SETTINGS}\nimport herokuify\nDATABASES = herokuify.get_db_config({arguments})\n"
        )
        return make_project(settings, ENTRY_POINTS | {"urls.py": URLS})

    return make


def load(dyno: Dyno) -> Counter[int]:
    """Count the statuses of many requests, each on a connection of its own as the router's are."""
    with ThreadPoolExecutor(CLIENTS) as clients:
        return Counter(clients.map(lambda _: dyno.get("/page")[0], range(REQUESTS)))


@pytest.mark.once
@pytest.mark.parametrize("arguments", ["", "pool=False"])
@pytest.mark.parametrize("server", SERVERS)
def test_are_within_the_roles_limit(
    postgres: Postgres,
    limited: str,
    make_site: Callable[[str], Project],
    server: str,
    arguments: str,
) -> None:
    command: Sequence[str] = SERVERS[server]
    site = make_site(arguments)
    with serving(site, command, "/fine", DATABASE_URL=limited) as dyno:
        found = load(dyno)
        name = limited.rpartition("/")[2]
        kept = int(postgres.sql(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{name}'"))
        assert found == {200: REQUESTS}, "\n".join(dyno.lines()[-30:])
        assert kept <= CLIENTS
