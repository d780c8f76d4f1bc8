import traceback
from pathlib import Path

import pytest

import herokuify
from herokuify.db import get_db_config
from herokuify.exceptions import ConfigurationError

POSTGRES = "postgres://me:pass%23word@db.example.com:5433/name"


def test_is_exported_by_the_package() -> None:
    assert herokuify.get_db_config is get_db_config


@pytest.mark.parametrize("environ", [{}, {"DATABASE_URL": " "}])
def test_absent_url_is_sqlite(
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


def test_connections_can_be_kept_otherwise() -> None:
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
def test_file_has_no_connection_to_keep(url: str, name: str) -> None:
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
        ("postgras://me:hunter2@db.example.com/name", "knows no scheme 'postgras'"),
        ("postgres://me:hunter2/x@db.example.com/name", "not percent-encoded"),
        ("postgres://me:hunter2#x@db.example.com/name", "not percent-encoded"),
        ("postgres://me:hunter2@db.example.com:port/name", "its port is no number"),
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
