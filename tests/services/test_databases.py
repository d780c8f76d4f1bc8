"""Databases by get_db_config(), on PostgreSQL with TLS, poolers and a follower."""

import socket
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from herokuify.db import get_db_config
from tests.project import Project
from tests.services.daemons import ELSEWHERE, HOST, Postgres

DYNO = {"DYNO": "web.1", "PORT": "5000"}
Open = Callable[..., BaseDatabaseWrapper]


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """An empty database of the user ``app``."""
    name = f"db_{uuid.uuid4().hex[:12]}"
    postgres.sql(f"CREATE DATABASE {name} OWNER app")
    yield name
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def open_connection(django_db_blocker: Any) -> Iterator[Open]:
    """Open a connection by config vars and arguments of get_db_config()."""
    opened = []

    def open_it(environ: dict[str, str], **arguments: Any) -> BaseDatabaseWrapper:
        connection = ConnectionHandler(get_db_config(environ, **arguments))["default"]
        opened.append(connection)
        connection.ensure_connection()
        return connection

    with django_db_blocker.unblock():
        yield open_it
        for connection in opened:
            connection.close()
            if hasattr(connection, "close_pool"):
                connection.close_pool()


def value(connection: BaseDatabaseWrapper, statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        (found,) = cursor.fetchone()
        return found


USES_TLS = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
PROCESS = "SELECT pg_backend_pid()"


class TestTls:
    def test_is_used_on_a_dyno(self, postgres: Postgres, open_connection: Open) -> None:
        url = postgres.url("postgres", user="tls", host=ELSEWHERE)
        connection = open_connection(DYNO | {"DATABASE_URL": url})
        assert connection.settings_dict["OPTIONS"]["sslmode"] == "require"
        assert value(connection, USES_TLS) is True

    def test_disabled_by_the_url_is_refused_by_the_server(
        self, postgres: Postgres, open_connection: Open
    ) -> None:
        url = postgres.url("postgres", user="tls") + "?sslmode=disable"
        with pytest.raises(OperationalError, match="pg_hba.conf rejects"):
            open_connection(DYNO | {"DATABASE_URL": url}, ssl_require=True)

    def test_server_without_it_gets_no_password(self, open_connection: Open) -> None:
        with server_without_tls() as (port, heard):
            url = f"postgres://me:hunter2@{ELSEWHERE}:{port}/name"
            with pytest.raises(OperationalError, match="does not support SSL"):
                open_connection(DYNO | {"DATABASE_URL": url})
        assert heard == [b""]

    def test_can_be_verified_by_the_url(self, postgres: Postgres, open_connection: Open) -> None:
        url = postgres.url("postgres", user="tls", host=HOST)
        url += f"?sslmode=verify-full&sslrootcert={postgres.certificate}"
        assert value(open_connection(DYNO | {"DATABASE_URL": url}), USES_TLS) is True

    @pytest.mark.parametrize("argument", [None, True])
    def test_can_be_verified_by_the_environment(
        self,
        postgres: Postgres,
        open_connection: Open,
        monkeypatch: pytest.MonkeyPatch,
        argument: bool | None,
    ) -> None:
        verified = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(postgres.certificate)}
        for name, setting in verified.items():
            monkeypatch.setenv(name, setting)
        url = postgres.url("postgres", user="tls", host=HOST)
        environ = DYNO | verified | {"DATABASE_URL": url}
        assert value(open_connection(environ, ssl_require=argument), USES_TLS) is True
        # The certificate is for HOST only.
        environ["DATABASE_URL"] = postgres.url("postgres", user="tls", host=ELSEWHERE)
        with pytest.raises(OperationalError, match="does not match host name"):
            open_connection(environ, ssl_require=argument)

    def test_can_be_verified_by_the_systems_authorities(
        self, postgres: Postgres, open_connection: Open
    ) -> None:
        url = postgres.url("postgres", user="tls", host=HOST) + "?sslrootcert=system"
        with pytest.raises(OperationalError, match="certificate verify failed"):
            open_connection(DYNO | {"DATABASE_URL": url})

    def test_can_be_left_out(self, postgres: Postgres, open_connection: Open) -> None:
        url = postgres.url("postgres") + "?sslmode=disable"
        assert value(open_connection({"DATABASE_URL": url}), USES_TLS) is False


class server_without_tls:  # noqa: N801 (used as a function)
    """A server that declines TLS and records what the client sends next."""

    def __enter__(self) -> tuple[int, list[bytes]]:
        self.heard: list[bytes] = []
        self.listener = socket.create_server((ELSEWHERE, 0))
        self.thread = threading.Thread(target=self.answer)
        self.thread.start()
        return self.listener.getsockname()[1], self.heard

    def answer(self) -> None:
        client, _ = self.listener.accept()
        with client:
            client.recv(8)  # PostgreSQL's SSLRequest
            client.sendall(b"N")
            self.heard.append(client.recv(100))

    def __exit__(self, *_: object) -> None:
        self.thread.join(timeout=30)
        self.listener.close()


class TestConnections:
    def test_are_kept_and_checked(self, postgres: Postgres, open_connection: Open) -> None:
        connection = open_connection({"DATABASE_URL": postgres.url("postgres")})
        process = value(connection, PROCESS)
        connection.close_if_unusable_or_obsolete()  # a request ends
        assert value(connection, PROCESS) == process
        connection.close_if_unusable_or_obsolete()
        postgres.sql(f"SELECT pg_terminate_backend({process})")
        assert value(connection, PROCESS) != process  # and the next request is served

    def test_wrong_password_is_not_repeated(
        self, postgres: Postgres, open_connection: Open
    ) -> None:
        url = f"postgres://app:hunter2@{HOST}:{postgres.port}/postgres"
        with pytest.raises(OperationalError, match="authentication failed") as caught:
            open_connection({"DATABASE_URL": url})
        assert "hunter2" not in str(caught.value)

    def test_use_the_first_host_that_responds(
        self, postgres: Postgres, open_connection: Open, closed_port: int
    ) -> None:
        url = postgres.url("postgres").replace(
            f"{HOST}:{postgres.port}", f"[::1]:{closed_port},{HOST}:{postgres.port}"
        )
        assert value(open_connection({"DATABASE_URL": url}), PROCESS) > 0

    @pytest.mark.django_versions(">=5.1")
    def test_pool_by_the_url(self, postgres: Postgres, open_connection: Open) -> None:
        connection = open_connection({"DATABASE_URL": postgres.url("postgres") + "?pool=true"})
        assert value(connection, "SELECT 1") == 1
        assert connection.settings_dict["OPTIONS"]["pool"]["timeout"] < 30

    @pytest.mark.django_versions(">=5.1")
    def test_pool_by_an_argument(self, postgres: Postgres, open_connection: Open) -> None:
        environ = {"DATABASE_URL": postgres.url("postgres")}
        connection = open_connection(environ, pool={"min_size": 1, "max_size": 1, "timeout": 20})
        process = value(connection, PROCESS)
        connection.close()
        assert value(connection, PROCESS) == process
        connection.close()
        postgres.sql(f"SELECT pg_terminate_backend({process})")
        assert value(connection, PROCESS) != process  # the pool also checks connections


@pytest.mark.django_versions(">=5.1")
def test_pool_by_the_settings(postgres: Postgres, make_book: Callable[..., Project]) -> None:
    source = (
        "from django.db import connection\n"
        "with connection.cursor() as cursor:\n"
        "    cursor.execute('SELECT 42')\n"
        "    print(cursor.fetchone()[0], type(connection.pool).__name__)\n"
        "connection.close_pool()\n"
    )
    environ = DYNO | {"DATABASE_URL": postgres.url("postgres", host=ELSEWHERE)}
    result = make_book("pool=True").snippet(source, env=environ)
    assert answered(result) == ["42 ConnectionPool"]


SITE = """\
import herokuify
from django.core.management import call_command

SECRET_KEY = "x"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = {apps}
DATABASES = herokuify.get_db_config({arguments})
DATABASE_ROUTERS = {routers}
"""
ROUTER = '["herokuify.routers.ReplicaRouter"]'
BOOK = {
    "book/__init__.py": "",
    "book/models.py": (
        "from django.db import models\n"
        "class Page(models.Model):\n"
        "    text = models.TextField()\n"
        "    after = models.ForeignKey('self', models.CASCADE, null=True)\n"
    ),
    "book/migrations/__init__.py": "",
    "book/migrations/0001_initial.py": (
        "from django.db import migrations, models\n"
        "class Migration(migrations.Migration):\n"
        "    initial = True\n"
        "    operations = [migrations.CreateModel('Page', [\n"
        "        ('id', models.BigAutoField(primary_key=True)),\n"
        "        ('text', models.TextField()),\n"
        "        ('after', models.ForeignKey('book.Page', models.CASCADE, null=True)),\n"
        "    ])]\n"
    ),
}


@pytest.fixture
def make_book(make_project: Callable[..., Project]) -> Callable[..., Project]:
    """Write a project with one model: ``make_book("followers=True", ROUTER)``."""

    def make(
        arguments: str = "", routers: str = "[]", apps: tuple[str, ...] = (), **files: str
    ) -> Project:
        settings = SITE.format(arguments=arguments, routers=routers, apps=["book", *apps])
        return make_project(settings, BOOK | files)

    return make


def answered(result: subprocess.CompletedProcess[str]) -> list[str]:
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


# While one client reads in chunks, another gets its server connection from the pooler.
INTERLEAVED = """\
from django.core.management import call_command
from django.db import connections, transaction
from book.models import Page

call_command("migrate", verbosity=0)
Page.objects.bulk_create(Page(text=str(number)) for number in range(10))
connections["rival"] = connections["default"].copy("rival")

def read():
    pages = Page.objects.order_by("id").iterator(chunk_size=2)
    texts = [next(pages).text]
    with transaction.atomic("rival"):
        Page.objects.using("rival").count()
        texts += [page.text for page in pages]
    return "".join(texts)

print(read())
connections["default"].settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = False
try:
    print(read())
except Exception as error:
    print("does not exist" in str(error))
"""


class TestServerSidePool:
    def test_iterators_work_in_transaction_mode(
        self, postgres: Postgres, database: str, make_book: Callable[..., Project]
    ) -> None:
        environ = DYNO | {
            "DATABASE_URL": postgres.url(database, host=ELSEWHERE),
            "DATABASE_CONNECTION_POOL_URL": postgres.url(
                database, port=postgres.pooler_port, host=ELSEWHERE
            ),
        }
        site = make_book("connection_pool_url=True")
        assert answered(site.snippet(INTERLEAVED, env=environ)) == ["0123456789", "True"]

    def test_connection_is_closed_after_a_request(
        self, postgres: Postgres, database: str, open_connection: Open
    ) -> None:
        url = postgres.url(database, port=postgres.pooler_port)
        connection = open_connection(
            {"DATABASE_CONNECTION_POOL_URL": url, "DATABASE_URL": postgres.url(database)},
            connection_pool_url=True,
        )
        assert value(connection, "SELECT 1") == 1
        connection.close_if_unusable_or_obsolete()  # a request ends
        assert connection.connection is None


LAGGING = """\
import os, time
from contextvars import Context
from django.core.management import call_command
from django.contrib.auth.models import User
from django.db import connections, transaction
import psycopg
from book.models import Page
from herokuify import routers

def follower(statement):
    with psycopg.connect(os.environ["FOLLOWER_ADMIN"], autocommit=True) as admin:
        return admin.execute(statement).fetchone()[0]

def caught_up():
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_lsn()::text")
        (position,) = cursor.fetchone()
    while not follower(f"SELECT pg_last_wal_replay_lsn() >= '{position}'"):
        time.sleep(0.02)  # PostgreSQL has no notification for it

call_command("migrate", verbosity=0)
caught_up()
follower("SELECT pg_wal_replay_pause()::text")
try:
    page = Page.objects.create(text="new")
    User.objects.create(username="ada")
    print("right after the write", Page.objects.count())
    print("somebody else", Context().run(Page.objects.count))
    with transaction.atomic():
        print("in a transaction", Page.objects.count())
    page.refresh_from_db()
    print("again", page.text, page.page_set.count())
    print("who signed up", User.objects.count())
finally:
    follower("SELECT pg_wal_replay_resume()::text")
caught_up()
routers.ReplicaRouter.pin_seconds = 0
copy = Page.objects.get()
print(copy._state.db, Page.objects.db, copy.page_set.all().db)
copy.text = "changed"
copy.save()
print(copy._state.db, Page.objects.using("default").get().text)
copy = Page.objects.get()
print(Page.objects.create(text="next", after=copy).after_id == page.pk)
"""


VISITED = """\
from book.models import Page
from django.db import connection
from django.http import HttpResponse
from django.urls import path

def pages(request):
    if request.GET.get("text"):
        Page.objects.create(text=request.GET["text"])
    return HttpResponse(Page.objects.count())

urlpatterns = [path("pages", pages)]
"""
# Each request has a separate context, as in a new thread or task.
VISITS = """\
import asyncio, os
from contextvars import Context
import psycopg
from django.core.management import call_command
from django.test import AsyncClient, Client

ENTRY = "ENTRY_POINT"

def get(client, path, method="get"):
    def send():
        return getattr(client, method)(path)
    answer = Context().run(lambda: asyncio.run(send()) if ENTRY == "asgi" else send())
    return answer.content.decode()

def make():
    return AsyncClient() if ENTRY == "asgi" else Client()

call_command("migrate", verbosity=0)
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as admin:
    position = admin.execute("SELECT pg_current_wal_lsn()::text").fetchone()[0]
with psycopg.connect(os.environ["FOLLOWER_ADMIN"], autocommit=True) as admin:
    while not admin.execute(f"SELECT pg_last_wal_replay_lsn() >= '{position}'").fetchone()[0]:
        pass
    admin.execute("SELECT pg_wal_replay_pause()")
    try:
        ada, bob = make(), make()
        print("nothing", get(ada, "/pages"))
        print("wrote", get(ada, "/pages?text=new"))
        print("the same", get(ada, "/pages"))
        print("another", get(bob, "/pages"))
        get(bob, "/pages", "post")
        print("raw", get(bob, "/pages"))
    finally:
        admin.execute("SELECT pg_wal_replay_resume()")
"""


MIRRORED = """\
from django.test import TestCase, TransactionTestCase
from book.models import Page

class InTransaction(TestCase):
    def test_reads_what_it_writes(self):
        Page.objects.create(text="new")
        self.assertEqual(Page.objects.get().text, "new")

class Outside(TransactionTestCase):
    databases = {"default", "replica_amber"}

    def test_reads_the_mirror(self):
        Page.objects.create(text="new")
        page = Page.objects.using("replica_amber").get()
        self.assertEqual((page.text, page._state.db), ("new", "replica_amber"))
"""


class TestFollowers:
    @pytest.fixture
    def follower_environ(self, postgres: Postgres, database: str) -> dict[str, str]:
        primary = postgres.url(database, host=ELSEWHERE)
        return DYNO | {
            "DATABASE_URL": primary,
            "HEROKU_POSTGRESQL_ONYX_URL": primary,
            "HEROKU_POSTGRESQL_AMBER_URL": postgres.url(database, port=postgres.follower_port),
        }

    def test_reads_go_to_a_follower_except_after_writes(
        self,
        postgres: Postgres,
        follower_environ: dict[str, str],
        make_book: Callable[..., Project],
    ) -> None:
        admin = f"host={HOST} port={postgres.follower_port} user=postgres"
        apps = ("django.contrib.auth", "django.contrib.contenttypes")
        site = make_book("followers=True", ROUTER, apps)
        result = site.snippet(LAGGING, env=follower_environ | {"FOLLOWER_ADMIN": admin})
        assert answered(result) == [
            "right after the write 1",
            "somebody else 0",
            "in a transaction 1",
            "again new 0",
            "who signed up 1",
            "replica_amber replica_amber replica_amber",
            "default changed",
            "True",
        ]

    @pytest.mark.parametrize("entry_point", ["wsgi", "asgi"])
    def test_visitors_see_their_own_writes(
        self,
        postgres: Postgres,
        follower_environ: dict[str, str],
        make_book: Callable[..., Project],
        entry_point: str,
    ) -> None:
        admin = f"host={HOST} port={postgres.follower_port} user=postgres"
        site = make_book("followers=True", ROUTER, **{"urls.py": VISITED})
        with (site.folder / "settings.py").open("a") as settings:
            settings.write(
                'ROOT_URLCONF = "urls"\nALLOWED_HOSTS = ["*"]\n'
                'MIDDLEWARE = ["herokuify.routers.ReplicaMiddleware"]\n'
            )
        source = VISITS.replace("ENTRY_POINT", entry_point)
        result = site.snippet(source, env=follower_environ | {"FOLLOWER_ADMIN": admin})
        assert answered(result) == ["nothing 0", "wrote 1", "the same 1", "another 0", "raw 1"]

    def test_pool_of_the_primary_is_not_a_follower(
        self,
        postgres: Postgres,
        follower_environ: dict[str, str],
        database: str,
        open_connection: Open,
    ) -> None:
        pooled = postgres.url(database, port=postgres.pooler_port, host=ELSEWHERE)
        follower_environ["HEROKU_POSTGRESQL_PINK_URL"] = pooled
        follower_environ["HEROKU_POSTGRESQL_ONYX_CONNECTION_POOL_URL"] = pooled
        assert list(get_db_config(follower_environ, followers=True)) == ["default", "replica_amber"]
        named = get_db_config(follower_environ, followers=["HEROKU_POSTGRESQL_PINK_URL"])
        assert named["replica_pink"]["DISABLE_SERVER_SIDE_CURSORS"] is True

    def test_are_mirrors_in_tests(
        self,
        postgres: Postgres,
        database: str,
        follower_environ: dict[str, str],
        make_book: Callable[..., Project],
    ) -> None:
        # For a mirror, Django uses the name of the test database on the server of the URL.
        follower_environ["HEROKU_POSTGRESQL_AMBER_URL"] = follower_environ["DATABASE_URL"].replace(
            ELSEWHERE, HOST
        )
        site = make_book("followers=True", ROUTER, (), **{"book/tests.py": MIRRORED})
        result = site.manage("test", env=follower_environ)
        printed = result.stdout + result.stderr
        assert result.returncode == 0, printed
        assert "Ran 2 tests" in printed
        assert "Creating test database for alias 'default'" in printed
        assert "replica" not in printed
        assert f"test_{database}" not in postgres.sql("SELECT datname FROM pg_database")


class TestHerokuCi:
    TESTS = (
        "from django.db import connection\n"
        "from django.test import TestCase\n"
        "from book.models import Page\n"
        "class Tests(TestCase):\n"
        "    def test_database(self):\n"
        "        Page.objects.create(text='new')\n"
        "        with connection.cursor() as cursor:\n"
        "            cursor.execute('SELECT current_database()')\n"
        "            print('in', *cursor.fetchone())\n"
    )

    def test_tests_run_in_the_existing_database(
        self, postgres: Postgres, database: str, make_book: Callable[..., Project]
    ) -> None:
        postgres.sql("GRANT ALL ON SCHEMA public TO ci", database)
        site = make_book(**{"book/tests.py": self.TESTS})
        environ = {
            "CI": "true",
            "DYNO": "run.1",
            "DATABASE_URL": postgres.url(database, user="ci", host=ELSEWHERE),
        }
        command = ("test", "--noinput", "--keepdb", "--verbosity=0")
        result = site.manage(*command, env=environ | {"HEROKU_TEST_RUN_ID": "8f14e45f"})
        assert answered(result)[-1] == f"in {database}"
        assert postgres.sql("SELECT count(*) FROM book_page", database) == "0"
        result = site.manage(*command, env=environ)
        assert "permission denied to create database" in result.stderr
