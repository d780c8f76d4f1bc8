"""psycopg's pools, and connections under servers whose threads end with each request."""

import sys
import types

import pytest

from herokuify.db import get_db_config
from herokuify.exceptions import ConfigurationError
from tests.test_db import POSTGRES, default_of


class TestPsycopgPool:
    @pytest.mark.django_versions(">=5.1")
    @pytest.mark.parametrize("url", [POSTGRES, f"{POSTGRES}?pool=true"])
    def test_is_on_in_the_url_or_by_argument(self, url: str) -> None:
        default = default_of(url, "dyno", pool=None if "?" in url else True)
        assert default["OPTIONS"].pop("pool").keys() == {"min_size", "max_size", "timeout"}
        assert default["OPTIONS"] == {"sslmode": "require"}
        assert default["CONN_MAX_AGE"] == 0
        assert default["CONN_HEALTH_CHECKS"] is True
        for argument in (None, False):
            assert "pool" not in default_of(POSTGRES, "dyno", pool=argument)["OPTIONS"]

    @pytest.mark.parametrize("argument", [None, True])
    def test_can_be_off_in_the_url(self, argument: bool | None) -> None:
        assert "OPTIONS" not in default_of(f"{POSTGRES}?pool=false", pool=argument)

    # Heroku's smallest plans allow 20 connections, for all processes and a few others.
    @pytest.mark.django_versions(">=5.1")
    @pytest.mark.parametrize(
        ("workers", "threads", "size"),
        [
            *(("2", None, 4), ("2", "8", 8), ("2", "20", 8), ("4", None, 4), ("5", None, 3)),
            *(("17", None, 1), ("100", "100", 1)),
        ],
    )
    def test_of_all_processes_is_within_the_plans_limit(
        self, workers: str, threads: str | None, size: int
    ) -> None:
        environ = {"DATABASE_URL": POSTGRES, "WEB_CONCURRENCY": workers}
        if threads:
            environ["WEB_THREADS"] = threads
        options = get_db_config(environ, pool=True)["default"]["OPTIONS"]["pool"]
        assert options == {"min_size": 1, "max_size": size, "timeout": 10}

    @pytest.mark.django_versions(">=5.1")
    def test_options_are_an_argument(self) -> None:
        environ = {"DATABASE_URL": POSTGRES, "WEB_CONCURRENCY": "2"}
        for given, expected in (
            ({"min_size": 2, "max_size": 40}, (2, 40, 10)),
            ({"min_size": 6}, (6, 6, 10)),
            ({"timeout": 3}, (1, 4, 3)),
        ):
            options = get_db_config(environ, pool=given)["default"]["OPTIONS"]["pool"]
            assert (options["min_size"], options["max_size"], options["timeout"]) == expected

    @pytest.mark.django_versions("<5.1")
    def test_is_an_error_before_django_5_1(self) -> None:
        with pytest.raises(ConfigurationError, match="needs Django 5.1 or later"):
            default_of(POSTGRES, pool=True)

    @pytest.mark.parametrize("url", ["sqlite://", "mysql://me@db.example.com/name"])
    def test_is_for_postgresql_alone(self, url: str) -> None:
        assert "OPTIONS" not in default_of(url, pool=True)

    def test_missing_package_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "psycopg_pool", None)  # as if it were not installed
        with pytest.raises(ConfigurationError, match="psycopg_pool, which is not installed") as e:
            default_of(POSTGRES, pool=True)
        assert 'pip install "psycopg[binary,pool]"' in str(e.value)


class TestThreadsThatEnd:
    """Under ASGI, and under runserver, a thread lives as long as its request."""

    @pytest.fixture(params=["asgi", "runserver", "runserver_plus"])
    def ends(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
        if request.param == "asgi":
            monkeypatch.setitem(sys.modules, "django.core.asgi", types.ModuleType("asgi"))
        else:
            monkeypatch.setattr(sys, "argv", ["manage.py", request.param])
        return str(request.param)

    @pytest.mark.parametrize("url", [POSTGRES, "mysql://me@db.example.com/name"])
    @pytest.mark.parametrize("seconds", [None, 600])
    def test_keep_no_connection(self, ends: str, url: str, seconds: int | None) -> None:
        assert default_of(url, conn_max_age=seconds)["CONN_MAX_AGE"] == 0

    @pytest.mark.django_versions(">=5.1")
    def test_share_a_pool_under_asgi(self, ends: str) -> None:
        assert ("pool" in default_of(POSTGRES).get("OPTIONS", {})) is (ends == "asgi")
        assert "OPTIONS" not in default_of(POSTGRES, pool=False)

    def test_have_no_pool_that_is_not_installed(
        self, ends: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "psycopg_pool", None)
        assert "OPTIONS" not in default_of(POSTGRES)
