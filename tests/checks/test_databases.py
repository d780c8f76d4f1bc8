import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from herokuify.db import get_db_config
from tests.checks.conftest import LIVE, STAGES, Found, only

URL = {"DATABASE_URL": "postgres://me:marked-secret@db.example.com/name"}
ASGI = [
    "web: gunicorn -c python:herokuify.server -k asgi config.asgi",
    "web: gunicorn -k uvicorn_worker.UvicornWorker site.entry",
    "web: uvicorn --port $PORT config.asgi:application",
    "web: daphne -p $PORT config.asgi:application",
]
WSGI = "web: gunicorn -c python:herokuify.server config.wsgi\nworker: python uvicorn.py\n"


@pytest.fixture(autouse=True)
def no_procfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, with a PostgreSQL database."""
    monkeypatch.chdir(tmp_path)
    use(monkeypatch)


@pytest.fixture
def no_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg_pool", None)  # as if it were not installed


def use(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    config = get_db_config(URL)
    config["default"] |= changes
    monkeypatch.setattr(connections, "settings", connections.configure_settings(config))


@pytest.mark.usefixtures("no_pool")
class TestPools:
    @pytest.mark.parametrize("stage", STAGES)
    @pytest.mark.parametrize("line", ASGI)
    def test_missing_one_is_reported_under_asgi(self, found: Found, stage: str, line: str) -> None:
        Path("Procfile").write_text(f"release: python manage.py migrate\n{line}\n")
        messages = found(stage)
        if stage in LIVE:
            text = only(messages, "W015")
            assert "DATABASES['default'] has no pool" in text
            assert 'pip install "psycopg[binary,pool]"' in text
        else:
            assert messages == []

    def test_asgi_application_counts_as_asgi(self, found: Found) -> None:
        only(found("release", ASGI_APPLICATION="config.asgi.application"), "W015")

    def test_is_not_needed_under_wsgi(self, found: Found) -> None:
        assert found("dyno") == []
        Path("Procfile").write_text(WSGI)
        assert found("dyno") == []

    @pytest.mark.parametrize(
        "changes",
        [
            {"OPTIONS": {"pool": {"max_size": 4}}},
            {"DISABLE_SERVER_SIDE_CURSORS": True},
            {"ENGINE": "django.db.backends.sqlite3"},
        ],
    )
    def test_is_not_needed_with_another_bound(
        self, found: Found, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
    ) -> None:
        use(monkeypatch, **changes)
        assert found("dyno", ASGI_APPLICATION="config.asgi.application") == []


@pytest.mark.django_versions(">=5.1")
def test_installed_pool_is_fine(found: Found) -> None:
    assert found("dyno", ASGI_APPLICATION="config.asgi.application") == []
