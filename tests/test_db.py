import inspect
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import herokuify
from herokuify import db
from herokuify.db import get_db_config
from herokuify.exceptions import ConfigurationError
from tests.project import Project

POSTGRES = "postgres://me:pass%23word@db.example.com:5433/name"
POOLED = "postgres://me:pass%23word@db.example.com:5434/pooled"
DYNO = {"DYNO": "web.1", "PORT": "5000"}
HEROKU_CI = {"CI": "true", "DYNO": "run.1", "HEROKU_TEST_RUN_ID": "8f14e45f"}
STAGES = {
    "build": {"DYNO": "run.1", "SOURCE_VERSION": "abc"},
    "ci": HEROKU_CI,
    "release": {"DYNO": "release.1"},
    "dyno": DYNO,
    "local": {},
}


def default_of(url: str, stage: str = "local", **arguments: Any) -> dict[str, Any]:
    return get_db_config(STAGES[stage] | {"DATABASE_URL": url}, **arguments)["default"]


def test_is_exported_by_the_package() -> None:
    assert herokuify.get_db_config is get_db_config


@pytest.mark.parametrize("environ", [{}, {"DATABASE_URL": " "}])
def test_without_a_url_the_database_is_sqlite(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert get_db_config(environ) == {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(Path.cwd() / "db.sqlite3"),
        }
    }
    default = get_db_config(environ, sqlite_path=tmp_path / "data" / "site.db")["default"]
    assert default["NAME"] == str(tmp_path / "data" / "site.db")


def test_reads_the_environment_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", POSTGRES)
    assert get_db_config() == get_db_config({"DATABASE_URL": POSTGRES})
    monkeypatch.delenv("DATABASE_URL")
    assert get_db_config() == get_db_config({})


def test_server_keeps_and_checks_its_connections() -> None:
    default = get_db_config({"DATABASE_URL": f" {POSTGRES}\n"})["default"]
    assert default["ENGINE"] == "django.db.backends.postgresql"
    assert default["HOST"] == "db.example.com"
    assert default["PORT"] == 5433
    assert default["USER"] == "me"
    assert default["PASSWORD"] == "pass#word"
    assert default["NAME"] == "name"
    assert default["CONN_MAX_AGE"] == 600
    assert default["CONN_HEALTH_CHECKS"] is True


def test_persistence_is_an_argument() -> None:
    default = get_db_config(
        {"DATABASE_URL": POSTGRES}, conn_max_age=None, conn_health_checks=False
    )["default"]
    assert default["CONN_MAX_AGE"] is None
    assert default["CONN_HEALTH_CHECKS"] is False


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:///relative.db", "relative.db"),
        ("sqlite:////absolute/path.db", "/absolute/path.db"),
        ("sqlite://:memory:", ":memory:"),
        ("sqlite://", ":memory:"),
    ],
)
def test_sqlite_connections_are_not_persistent(url: str, name: str) -> None:
    default = get_db_config({"DATABASE_URL": url})["default"]
    assert default["ENGINE"] == "django.db.backends.sqlite3"
    assert default["NAME"] == name
    assert not default.get("CONN_MAX_AGE")
    assert not default.get("CONN_HEALTH_CHECKS")


def test_name_may_come_from_a_service() -> None:
    default = get_db_config({"DATABASE_URL": "postgres://?service=main"})["default"]
    assert default["OPTIONS"]["service"] == "main"


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("hunter2", "does not begin with a scheme"),
        ("me:hunter2@db.example.com/name", "does not begin with a scheme"),
        ("postgras://me:hunter2@db.example.com/name", "doesn't know the scheme 'postgras'"),
        ("postgres://me:hunter2/x@db.example.com/name", "not percent-encoded"),
        ("postgres://me:hunter2#x@db.example.com/name", "not percent-encoded"),
        ("postgres://me:hunter2@db.example.com:port/name", "its port is not a number"),
        ("postgres://me:hunter2@[db.example.com/name", "not percent-encoded"),
        ("postgres://me:hunter2@db.example.com/", "names no database"),
        ("postgres://me:hunter2@db.example.com", "names no database"),
    ],
)
def test_malformed_url_is_one_error_without_password(url: str, fault: str) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL is malformed") as caught:
        get_db_config({"DATABASE_URL": url})
    assert fault in str(caught.value)
    assert "heroku config:set DATABASE_URL=…" in str(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    # The library's error may repeat the URL.
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize("stage", ["release", "dyno"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_no_url_on_a_dyno_is_an_error(stage: str, value: str | None) -> None:
    environ = STAGES[stage] | ({} if value is None else {"DATABASE_URL": value})
    with pytest.raises(ConfigurationError, match="DATABASE_URL is not set") as caught:
        get_db_config(environ)
    assert "heroku addons:create heroku-postgresql" in str(caught.value)
    assert "heroku config:set DATABASE_URL=…" in str(caught.value)


@pytest.mark.parametrize("stage", ["build", "ci", "local"])
def test_no_url_elsewhere_is_sqlite(stage: str) -> None:
    assert get_db_config(STAGES[stage])["default"]["ENGINE"] == "django.db.backends.sqlite3"


def test_sqlite_url_is_accepted_on_a_dyno() -> None:
    assert default_of("sqlite:////data/site.db", "dyno")["NAME"] == "/data/site.db"


class TestTls:
    @pytest.mark.parametrize(
        ("stage", "sslmode"),
        [("build", None), ("ci", None), ("local", None), ("release", "require")],
    )
    def test_is_required_on_a_dyno(self, stage: str, sslmode: str | None) -> None:
        assert default_of(POSTGRES, stage).get("OPTIONS", {}).get("sslmode") == sslmode
        assert default_of(POSTGRES, "dyno")["OPTIONS"] == {"sslmode": "require"}

    def test_requirement_is_an_argument(self) -> None:
        assert default_of(POSTGRES, ssl_require=True)["OPTIONS"] == {"sslmode": "require"}
        assert "OPTIONS" not in default_of(POSTGRES, "dyno", ssl_require=False)

    @pytest.mark.parametrize("mode", ["disable", "prefer", "verify-full"])
    @pytest.mark.parametrize("argument", [None, True])
    def test_mode_in_the_url_wins(self, mode: str, argument: bool | None) -> None:
        default = default_of(f"{POSTGRES}?sslmode={mode}", "dyno", ssl_require=argument)
        assert default["OPTIONS"] == {"sslmode": mode}

    def test_other_options_in_the_url_are_kept(self) -> None:
        default = default_of(f"{POSTGRES}?connect_timeout=5&sslmode=", "dyno")
        assert default["OPTIONS"] == {"connect_timeout": 5, "sslmode": "require"}

    @pytest.mark.parametrize(
        "url",
        [
            "postgres://me@127.0.0.1:6000/name",
            "postgres://me@[::1]/name",
            "postgres://me@localhost/name",
            "postgres://%2Fvar%2Frun/name",
            "postgres:///name",
            "postgres://?service=main",
            "postgres://me@db.example.com/?service=main",
        ],
    )
    def test_is_not_required_for_local_servers_and_services(self, url: str) -> None:
        assert "sslmode" not in default_of(url, "dyno").get("OPTIONS", {})

    def test_is_never_set_for_services(self) -> None:
        assert default_of("postgres://?service=main", ssl_require=True)["OPTIONS"] == {
            "service": "main"
        }

    def test_can_be_required_for_local_servers(self) -> None:
        default = default_of("postgres://me@127.0.0.1:6000/name", ssl_require=True)
        assert default["OPTIONS"] == {"sslmode": "require"}

    @pytest.mark.parametrize(
        ("query", "variables", "is_required"),
        [
            ("", {}, False),
            ("?host=/var/run/postgresql", {}, False),
            ("?host=db.example.com", {}, True),
            ("?hostaddr=192.0.2.1", {}, True),
            ("", {"PGHOST": "db.example.com"}, True),
            ("", {"PGHOST": "localhost"}, False),
            ("?host=localhost", {"PGHOST": "db.example.com"}, False),
        ],
    )
    def test_is_required_for_hosts_in_the_query_and_in_pghost(
        self, query: str, variables: dict[str, str], is_required: bool
    ) -> None:
        environ = DYNO | variables | {"DATABASE_URL": f"postgres:///name{query}"}
        options = get_db_config(environ)["default"].get("OPTIONS", {})
        assert ("sslmode" in options) is is_required

    @pytest.mark.parametrize("url", ["sqlite:///a.db", "sqlite://"])
    def test_does_not_apply_to_sqlite(self, url: str) -> None:
        assert "OPTIONS" not in default_of(url, "dyno", ssl_require=True)

    def test_applies_to_postgis(self) -> None:
        default = default_of(POSTGRES.replace("postgres:", "postgis:"), "dyno")
        assert default["OPTIONS"] == {"sslmode": "require"}

    @pytest.mark.parametrize("mode", ["verify-full", "verify-ca", "require"])
    @pytest.mark.parametrize("argument", [None, True, False])
    def test_mode_in_the_environment_is_not_weakened(
        self, mode: str, argument: bool | None
    ) -> None:
        environ = DYNO | {"DATABASE_URL": POSTGRES, "PGSSLMODE": mode}
        default = get_db_config(environ, ssl_require=argument)["default"]
        assert default["OPTIONS"] == {"sslmode": mode}
        environ["DATABASE_URL"] += "?sslmode=disable"
        default = get_db_config(environ, ssl_require=argument)["default"]
        assert default["OPTIONS"] == {"sslmode": "disable"}

    def test_argument_strengthens_the_mode_in_the_environment(self) -> None:
        environ = DYNO | {"DATABASE_URL": POSTGRES, "PGSSLMODE": "prefer"}
        assert get_db_config(environ)["default"]["OPTIONS"] == {"sslmode": "prefer"}
        required = get_db_config(environ, ssl_require=True)["default"]
        assert required["OPTIONS"] == {"sslmode": "require"}
        with pytest.raises(ConfigurationError, match="PGSSLMODE is 'full'; it must be one of"):
            get_db_config(environ | {"PGSSLMODE": "full"})

    def test_system_certificates_imply_full_verification(self) -> None:
        url = f"{POSTGRES}?sslrootcert=system"
        expected = {"sslrootcert": "system", "sslmode": "verify-full"}
        assert default_of(url)["OPTIONS"] == default_of(url, "dyno")["OPTIONS"] == expected
        environ = DYNO | {"DATABASE_URL": POSTGRES, "PGSSLROOTCERT": "system"}
        assert get_db_config(environ)["default"]["OPTIONS"] == {"sslmode": "verify-full"}
        with pytest.raises(ConfigurationError, match="its sslmode must be verify-full"):
            default_of(f"{url}&sslmode=require")

    @pytest.mark.parametrize("mode", ["maybe", "1", "true", "Require"])
    def test_unknown_mode_is_an_error(self, mode: str) -> None:
        with pytest.raises(ConfigurationError, match="DATABASE_URL is malformed: its sslmode"):
            default_of(f"{POSTGRES}?sslmode={mode}")


class TestServerSidePool:
    ENVIRON = DYNO | {"DATABASE_URL": POSTGRES, "DATABASE_CONNECTION_POOL_URL": POOLED}

    def test_is_left_alone_by_default(self) -> None:
        assert get_db_config(self.ENVIRON)["default"]["NAME"] == "name"
        assert not get_db_config(self.ENVIRON)["default"].get("DISABLE_SERVER_SIDE_CURSORS")

    def test_disables_cursors_and_persistent_connections(self) -> None:
        default = get_db_config(self.ENVIRON, connection_pool_url=True, conn_max_age=None)
        assert default["default"]["NAME"] == "pooled"
        assert default["default"]["DISABLE_SERVER_SIDE_CURSORS"] is True
        assert default["default"]["CONN_MAX_AGE"] == 0
        assert default["default"]["OPTIONS"] == {"sslmode": "require"}

    @pytest.mark.parametrize("value", [None, " "])
    def test_without_its_url_the_database_itself_is_used(self, value: str | None) -> None:
        environ = {**self.ENVIRON, "DATABASE_CONNECTION_POOL_URL": value or ""}
        default = get_db_config(environ, connection_pool_url=True)["default"]
        assert default == get_db_config(self.ENVIRON)["default"]

    def test_malformed_url_is_named(self) -> None:
        environ = {**self.ENVIRON, "DATABASE_CONNECTION_POOL_URL": "hunter2"}
        with pytest.raises(ConfigurationError, match="DATABASE_CONNECTION_POOL_URL is mal") as e:
            get_db_config(environ, connection_pool_url=True)
        assert "hunter2" not in str(e.value)
        assert "heroku config:set DATABASE_CONNECTION_POOL_URL=…" in str(e.value)

    def test_excludes_psycopgs_pool(self) -> None:
        with pytest.raises(ConfigurationError, match="mutually exclusive"):
            get_db_config({}, pool=True, connection_pool_url=True)


class TestMoreDatabases:
    def test_variable_is_an_argument(self) -> None:
        environ = {"DATABASE_URL": POSTGRES, "STATISTICS_URL": POOLED}
        assert get_db_config(environ, variable="STATISTICS_URL")["default"]["NAME"] == "pooled"
        with pytest.raises(ConfigurationError, match="OTHER_URL is not set") as caught:
            get_db_config(environ | DYNO, variable="OTHER_URL")
        assert "heroku config:set OTHER_URL=…" in caught.value.hint

    def test_further_aliases_are_an_argument(self, tmp_path: Path) -> None:
        environ = DYNO | {"DATABASE_URL": POSTGRES, "STATISTICS_URL": POOLED}
        databases = get_db_config(environ, databases={"statistics": "STATISTICS_URL"})
        assert list(databases) == ["default", "statistics"]
        assert databases["statistics"]["NAME"] == "pooled"
        assert databases["statistics"]["OPTIONS"] == {"sslmode": "require"}
        path = tmp_path / "site.db"
        both = get_db_config({}, databases={"statistics": "STATISTICS_URL"}, sqlite_path=path)
        assert both["statistics"]["NAME"] == str(tmp_path / "statistics.sqlite3")
        with pytest.raises(ConfigurationError, match="STATISTICS_URL is not set") as caught:
            get_db_config(
                DYNO | {"DATABASE_URL": POSTGRES}, databases={"statistics": "STATISTICS_URL"}
            )
        assert "heroku addons:create heroku-postgresql --as STATISTICS" in caught.value.hint

    @pytest.mark.parametrize("name", ["JAWSDB_URL", "JAWSDB_MARIA_URL", "CLEARDB_DATABASE_URL"])
    def test_mysql_addons_are_found(self, name: str) -> None:
        environ = DYNO | {name: "mysql://me:hunter2@db.example.com:3306/n?reconnect=true"}
        default = get_db_config(environ)["default"]
        assert default["ENGINE"] == "django.db.backends.mysql"
        assert (default["NAME"], default["PORT"]) == ("n", 3306)
        assert "OPTIONS" not in default
        assert get_db_config(environ | {"DATABASE_URL": POSTGRES})["default"]["NAME"] == "name"

    @pytest.mark.parametrize("name", ["ssl-mode", "ssl_mode", "sslmode"])
    @pytest.mark.parametrize("value", ["REQUIRED", "required", "VERIFY_IDENTITY", "verify-ca"])
    def test_tls_mode_of_mysql(self, name: str, value: str) -> None:
        url = "mysql://me@db.example.com/n"
        expected = {"ssl_mode": value.upper().replace("-", "_")}
        assert default_of(f"{url}?{name}={value}", ssl_require=True)["OPTIONS"] == expected
        with pytest.raises(ConfigurationError, match="its ssl-mode is not one of DISABLED"):
            default_of(f"{url}?{name}=perhaps")
        assert default_of(url, ssl_require=True)["OPTIONS"] == {"ssl_mode": "REQUIRED"}
        for argument in (None, False):
            assert "OPTIONS" not in default_of(url, "dyno", ssl_require=argument)


class TestEngine:
    POSTGIS = "django.contrib.gis.db.backends.postgis"

    def test_applies_to_all_databases(self) -> None:
        environ = TestFollowers.ENVIRON | {"STATISTICS_URL": POOLED}
        databases = get_db_config(
            environ,
            engine=self.POSTGIS,
            followers=True,
            databases={"statistics": "STATISTICS_URL"},
        )
        assert {one["ENGINE"] for one in databases.values()} == {self.POSTGIS}
        assert len(databases) == 4
        assert {one["OPTIONS"]["sslmode"] for one in databases.values()} == {"require"}

    def test_of_another_package_gets_postgresqls_options(self) -> None:
        default = default_of(POSTGRES, "dyno", engine="site.backend")
        assert (default["ENGINE"], default["OPTIONS"]) == ("site.backend", {"sslmode": "require"})

    def test_of_sqlite_is_the_matching_one(self) -> None:
        spatialite = "django.contrib.gis.db.backends.spatialite"
        assert get_db_config({}, engine=self.POSTGIS)["default"]["ENGINE"] == spatialite
        sqlite = default_of("sqlite:///a.db", engine=self.POSTGIS)
        assert sqlite["ENGINE"] == "django.db.backends.sqlite3"


class TestDefaults:
    def test_are_merged_with_the_urls_options(self) -> None:
        given: dict[str, Any] = {
            "ATOMIC_REQUESTS": True,
            "DISABLE_SERVER_SIDE_CURSORS": True,
            "OPTIONS": {"connect_timeout": 3, "application_name": "site"},
            "TEST": {"NAME": "tests"},
            "TIME_ZONE": "Europe/Vienna",
        }
        default = default_of(f"{POSTGRES}?connect_timeout=9", "dyno", **given)
        assert default["OPTIONS"] == {
            "application_name": "site",
            "connect_timeout": 9,
            "sslmode": "require",
        }
        assert {name: default[name] for name in given if name != "OPTIONS"} == {
            name: value for name, value in given.items() if name != "OPTIONS"
        }
        assert given["OPTIONS"] == {"connect_timeout": 3, "application_name": "site"}

    def test_options_are_left_out_for_sqlite(self) -> None:
        for environ in ({}, {"DATABASE_URL": "sqlite:///a.db"}):
            default = get_db_config(environ, ATOMIC_REQUESTS=True, OPTIONS={"x": 1})["default"]
            assert default["ATOMIC_REQUESTS"] is True
            assert "OPTIONS" not in default

    def test_atomic_requests_is_off_for_followers(self) -> None:
        databases = get_db_config(TestFollowers.ENVIRON, followers=True, ATOMIC_REQUESTS=True)
        assert [one["ATOMIC_REQUESTS"] for one in databases.values()] == [True, False, False]
        assert databases["replica_amber"]["TEST"] == {"MIRROR": "default"}

    @pytest.mark.parametrize("name", ["CONN_MAX_AGE", "ATOMIC", "atomic_requests"])
    def test_unknown_one_is_an_error(self, name: str) -> None:
        with pytest.raises(ConfigurationError, match=f"with {name}, which it does not") as caught:
            get_db_config({}, **{name: 1})  # type: ignore[arg-type]
        assert f'DATABASES["default"]["{name}"] = …' in caught.value.hint


class TestSeveralHosts:
    @pytest.mark.parametrize(
        ("hosts", "host", "port"),
        [
            ("a.example.com:5432,B.example.com:5433", "a.example.com,b.example.com", "5432,5433"),
            ("a.example.com,b.example.com", "a.example.com,b.example.com", ""),
            ("[2001:db8::1]:5432,[2001:db8::2]", "2001:db8::1,2001:db8::2", "5432,"),
            ("[::1],10.0.0.1", "::1,10.0.0.1", ""),
            ("[fe80::1%25eth0]:5432", "fe80::1%eth0", "5432"),
            ("%2Fvar%2FRun", "/var/Run", ""),
        ],
    )
    def test_are_separated_as_libpq_expects(self, hosts: str, host: str, port: str) -> None:
        default = default_of(f"postgres://me:pass%23word@{hosts}/name?target_session_attrs=any")
        assert (default["HOST"], default["PORT"]) == (host, port)
        assert (default["USER"], default["PASSWORD"]) == ("me", "pass#word")
        assert (default["NAME"], default["OPTIONS"]) == ("name", {"target_session_attrs": "any"})

    @pytest.mark.parametrize("hosts", ["a:x,b", "[::1,b", "[x],b", "a:1:2,b"])
    def test_malformed_one_is_an_error(self, hosts: str) -> None:
        with pytest.raises(ConfigurationError, match="DATABASE_URL is malformed") as caught:
            default_of(f"postgres://me:hunter2@{hosts}/name")
        assert "hunter2" not in str(caught.value)


class TestFollowers:
    AMBER = "postgres://me:hunter2@amber.example.com:5432/a"
    PINK = "postgres://me:hunter2@pink.example.com/p"
    ENVIRON = DYNO | {
        "DATABASE_URL": POSTGRES,
        "HEROKU_POSTGRESQL_ONYX_URL": POSTGRES,
        "HEROKU_POSTGRESQL_AMBER_URL": AMBER,
        "HEROKU_POSTGRESQL_PINK_URL": PINK,
        "FOLLOWER_URL": AMBER,
    }

    def test_are_left_alone_by_default(self) -> None:
        assert list(get_db_config(self.ENVIRON)) == ["default"]

    def test_are_mirrored_aliases(self) -> None:
        databases = get_db_config(self.ENVIRON, followers=True, conn_max_age=5)
        assert list(databases) == ["default", "replica_amber", "replica_pink"]
        assert "TEST" not in databases["default"]
        amber = databases["replica_amber"]
        assert amber["HOST"] == "amber.example.com"
        assert amber["TEST"] == {"MIRROR": "default"}
        assert amber["CONN_MAX_AGE"] == 5
        assert amber["CONN_HEALTH_CHECKS"] is True
        assert amber["OPTIONS"] == {"sslmode": "require"}

    @pytest.mark.parametrize("names", [["FOLLOWER_URL"], ("FOLLOWER_URL",), "FOLLOWER_URL"])
    def test_can_be_named(self, names: list[str]) -> None:
        databases = get_db_config(self.ENVIRON, followers=names)
        assert list(databases) == ["default", "replica_follower"]
        assert databases["replica_follower"]["HOST"] == "amber.example.com"

    def test_duplicates_are_left_out(self) -> None:
        names = ["FOLLOWER_URL", "HEROKU_POSTGRESQL_AMBER_URL", "HEROKU_POSTGRESQL_ONYX_URL"]
        assert list(get_db_config(self.ENVIRON, followers=names))[1:] == ["replica_follower"]

    @pytest.mark.parametrize(
        "url",
        [
            POSTGRES,
            POSTGRES.replace("me:pass%23word", "reader:other"),  # another credential
            POSTGRES.replace("db.example", "DB.Example"),
            f"{POSTGRES}?sslmode=require",
        ],
    )
    def test_are_not_the_primary_by_another_name(self, url: str) -> None:
        environ = {"DATABASE_URL": POSTGRES, "HEROKU_POSTGRESQL_RED_URL": url}
        assert list(get_db_config(environ, followers=True)) == ["default"]

    def test_url_without_the_default_port_is_the_same_database(self) -> None:
        environ = {
            "DATABASE_URL": self.PINK,
            "HEROKU_POSTGRESQL_RED_URL": self.PINK.replace(".com/", ".com:5432/"),
        }
        assert list(get_db_config(environ, followers=True)) == ["default"]

    def test_are_not_the_primary_behind_the_servers_pool(self) -> None:
        environ = {**self.ENVIRON, "DATABASE_CONNECTION_POOL_URL": POOLED}
        databases = get_db_config(environ, followers=True, connection_pool_url=True)
        assert list(databases) == ["default", "replica_amber", "replica_pink"]
        assert databases["default"]["NAME"] == "pooled"
        assert not databases["replica_amber"].get("DISABLE_SERVER_SIDE_CURSORS")

    @pytest.mark.parametrize("followers", [True, ["GONE_URL", "HEROKU_POSTGRESQL_GONE_URL"]])
    def test_detached_ones_are_left_out(self, followers: bool | list[str]) -> None:
        environ = DYNO | {"DATABASE_URL": POSTGRES, "GONE_URL": ""}
        assert list(get_db_config(environ, followers=followers)) == ["default"]

    @pytest.mark.parametrize("url", [None, "sqlite:///site.db", "mysql://me@db.example.com/n"])
    def test_require_a_postgresql_primary(self, url: str | None) -> None:
        environ = {"HEROKU_POSTGRESQL_AMBER_URL": self.AMBER}
        if url is not None:
            environ["DATABASE_URL"] = url
        assert list(get_db_config(environ, followers=True)) == ["default"]

    def test_have_the_primarys_engine(self) -> None:
        environ = self.ENVIRON | {"DATABASE_URL": POSTGRES.replace("postgres:", "postgis:")}
        databases = get_db_config(environ, followers=True)
        assert databases["replica_amber"]["ENGINE"].endswith(".postgis")

    def test_malformed_url_is_named(self) -> None:
        environ = self.ENVIRON | {"HEROKU_POSTGRESQL_PINK_URL": "x://me:hunter2@host/name"}
        with pytest.raises(ConfigurationError, match="HEROKU_POSTGRESQL_PINK_URL is mal") as e:
            get_db_config(environ, followers=True)
        assert "hunter2" not in str(e.value)
        assert "addons:create" not in str(e.value)

    @pytest.mark.parametrize("name", ["amber", "AMBER", "HEROKU_POSTGRESQL_AMBER", AMBER])
    def test_names_must_be_those_of_variables(self, name: str) -> None:
        with pytest.raises(ConfigurationError, match="HEROKU_POSTGRESQL_AMBER_URL") as caught:
            get_db_config(self.ENVIRON, followers=[name])
        assert "hunter2" not in str(caught.value)


class TestHerokuCi:
    def test_test_database_is_the_database_itself(self) -> None:
        assert default_of(POSTGRES, "ci")["TEST"] == {"NAME": "name"}

    @pytest.mark.parametrize(
        "stage",
        [
            {"CI": "true"},
            {"CI": "true", "DYNO": "worker.1"},  # a config var of the app's own
            DYNO | {"CI": "true", "HEROKU_TEST_RUN_ID": "8f14e45f"},
            {"HEROKU_TEST_RUN_ID": "8f14e45f"},
        ],
    )
    def test_elsewhere_the_test_database_is_djangos(self, stage: dict[str, str]) -> None:
        assert "TEST" not in get_db_config(stage | {"DATABASE_URL": POSTGRES})["default"]


def test_import_opens_no_connection(make_project: Callable[..., Project]) -> None:
    settings = (
        "import herokuify\n"
        "SECRET_KEY = 'x'\n"
        "USE_TZ = True\n"
        "DATABASES = herokuify.get_db_config(followers=True, pool=False)\n"
        "CACHES = herokuify.get_cache_config()\n"
    )
    environ = TestFollowers.ENVIRON | {"REDIS_URL": "rediss://:x@redis.example.com:6379"}
    result = make_project(settings).manage("check", env=environ, sockets=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.source_tree
def test_docs_name_every_argument_and_variable() -> None:
    page = (Path(__file__).parent.parent / "docs" / "db.md").read_text(encoding="utf-8")
    rows = "".join(row for row in page.splitlines() if row.startswith("|"))
    arguments = set(map(str, inspect.signature(get_db_config).parameters.values()))
    arguments = {re.split("[:=]", one)[0] for one in arguments} - {"environ"}
    assert all(f"| `{name}` |" in rows for name in arguments)
    assert all(f"`{name}`" in page for one in db.VARIABLES for name in one.names)
