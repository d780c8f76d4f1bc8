"""`manage.py herokuify doctor` with databases, caches and mail servers, working or not."""

import json
import os
import time
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from django.core.cache import CacheHandler

from herokuify.cache import get_cache_config
from herokuify.db import get_db_config
from herokuify.doctor.findings import Subject
from herokuify.doctor.services import Trouble, failure, reachable, trouble_of
from tests import smtp_server
from tests.doctor.diagnosis import Diagnosis, Found
from tests.project import Project
from tests.services.daemons import HOST, PASSWORD, QUOTED, Memcached, Postgres, Redis
from tests.smtp_server import MailServer

pytestmark = pytest.mark.no_django

MakeProject = Callable[..., Project]
SETTINGS = """
import json, os
import herokuify
from herokuify.common import *

USE_TZ = True
INSTALLED_APPS = ["herokuify"]
STATIC_URL = "/static/"
DATABASES = json.loads(os.environ.get("TEST_DATABASES", "{}"))
CACHES = json.loads(os.environ.get("TEST_CACHES", "{}")) or herokuify.get_cache_config({})
globals().update(herokuify.get_email_config())
"""
WRONG = "marked-wrong"
SECRETS = (PASSWORD, QUOTED, WRONG, smtp_server.PASSWORD)


def doctor(project: Project, **env: str) -> Diagnosis:
    """Run the command in a separate process."""
    result = project.manage("herokuify", "doctor", "--json", env=env)
    for secret in SECRETS:
        assert secret not in result.stdout + result.stderr
    diagnosis = Diagnosis.parse(result.stdout)
    assert result.returncode == (1 if diagnosis.is_broken else 0), result.stderr
    return diagnosis


def test_databases(postgres: Postgres, project: Project, closed_port: int) -> None:
    def database(url: str, **options: Any) -> dict[str, Any]:
        config = deepcopy(get_db_config({"DATABASE_URL": url})["default"])
        config.setdefault("OPTIONS", {}).update(options)
        return config

    app, tls = postgres.url("postgres"), postgres.url("postgres", user="tls")
    ca = str(postgres.certificate)
    postgres.sql(f"CREATE ROLE crowded LOGIN CONNECTION LIMIT 0 PASSWORD '{PASSWORD}'")
    other = project.folder / "other.crt"
    smtp_server._make_certificate(other, project.folder / "other.key")
    cases: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
        "default": (database(app), "ok", ("PostgreSQL",)),
        "tls": (database(tls, sslmode="require"), "ok", ("TLS (sslmode=require)",)),
        "ca": (database(tls, sslmode="verify-full", sslrootcert=ca), "ok", ("verify-full",)),
        "pool": (database(app, pool=True), "ok", ()),
        "password": (
            database(app.replace(QUOTED, WRONG)),
            "failed",
            ("password authentication", "heroku pg:promote"),
        ),
        "full": (
            database(app.replace("//app:", "//crowded:")),
            "failed",
            ("too many connections for role", "connection limit", "pool=True"),
        ),
        "absent": (database(postgres.url("absent")), "failed", ("absent", "heroku pg:info")),
        "closed": (
            database(postgres.url("postgres", port=closed_port)),
            "failed",
            ("refused", "heroku pg:info"),
        ),
        "plain": (database(tls, sslmode="disable"), "failed", ("no encryption", "ssl_require")),
        "stranger": (
            database(tls, sslmode="verify-full", sslrootcert=str(other)),
            "failed",
            ("certificate", "sslrootcert"),
        ),
        "driver": (
            {"ENGINE": "django.db.backends.oracle", "NAME": "orcl"},
            "failed",
            ("racle", "driver"),
        ),
        "file": (get_db_config({})["default"], "skipped", ("SQLite",)),
    }
    databases = {alias: config for alias, (config, _, _) in cases.items()}
    found = doctor(project, TEST_DATABASES=json.dumps(databases))
    postgres.sql("DROP ROLE crowded")
    check(found, "DATABASES", {alias: case[1:] for alias, case in cases.items()})


def check(found: Diagnosis, setting: str, expected: dict[str, tuple[str, tuple[str, ...]]]) -> None:
    for alias, (state, parts) in expected.items():
        (finding,) = [one for one in found.findings if one.subject == f"{setting}[{alias!r}]"]
        assert finding.state == state, finding
        for part in parts:
            assert part in finding.text, finding


def test_redis(redis: Redis, project: Project, closed_port: int) -> None:
    def cache(url: str, **arguments: Any) -> dict[str, Any]:
        return get_cache_config({"REDIS_URL": url}, **arguments)["default"]

    trusted = cache(redis.tls_url, ssl_ca_certs=redis.certificate)
    stranger = cache(redis.tls_url, ssl_ca_certs=redis.other_certificate)
    default = cache(redis.tls_url + "?ssl_cert_reqs=required")
    to_plain = cache(f"rediss://:{QUOTED}@{HOST}:{redis.port}")
    to_tls = cache(f"redis://:{QUOTED}@{HOST}:{redis.tls_port}")
    cases: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
        "default": (cache(redis.url), "ok", ("RedisCache",)),
        "tls": (cache(redis.tls_url), "ok", ("TLS (its certificate is not verified)",)),
        "ca": (trusted, "ok", ("over TLS.",)),
        "password": (
            cache(redis.url.replace(QUOTED, WRONG)),
            "failed",
            ("heroku redis:promote",),
        ),
        "closed": (
            cache(f"redis://{HOST}:{closed_port}"),
            "failed",
            ("refused", "heroku redis:info"),
        ),
        "stranger": (stranger, "failed", ("ertificate", "get_cache_config()")),
        "unverified": (default, "failed", ("ertificate", "get_cache_config()")),
        "to_plain": (to_plain, "failed", ("get_cache_config()",)),
        "to_tls": (to_tls, "failed", ("rediss://",)),
        "memory": (get_cache_config({})["default"], "skipped", ("memory",)),
        "nothing": (
            {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
            "skipped",
            ("stores nothing",),
        ),
        "absent": ({"BACKEND": "nowhere.Cache"}, "failed", ("nowhere", "settings.py")),
    }
    caches = {alias: config for alias, (config, _, _) in cases.items()}
    found = doctor(project, TEST_CACHES=json.dumps(caches))
    check(found, "CACHES", {alias: case[1:] for alias, case in cases.items()})
    # The keys of the check are deleted.
    store: Any = CacheHandler({"default": cache(redis.url)})["default"]
    client = store._cache.get_client()
    assert list(client.scan_iter("*herokuify-doctor*")) == []
    client.connection_pool.disconnect()


def test_memcached(memcached: Memcached, project: Project, closed_port: int) -> None:
    def cache(**changed: str) -> dict[str, Any]:
        variables = memcached.variables("MEMCACHIER")
        changed = {f"MEMCACHIER_{name.upper()}": value for name, value in changed.items()}
        return get_cache_config({**variables, **changed})["default"]

    one, _ = memcached.servers
    cases: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
        "default": (cache(), "ok", ("BinaryMemcachedCache",)),
        "password": (cache(password=WRONG), "failed", ("MEMCACHIER_PASSWORD=…",)),
        "closed": (cache(servers=f"{HOST}:{closed_port}"), "failed", ("All keys", "SERVERS=…")),
        "half": (
            cache(servers=f"{one},{HOST}:{closed_port}"),
            "failed",
            ("keys that were set", "SERVERS=…"),
        ),
    }
    caches = {alias: config for alias, (config, _, _) in cases.items()}
    found = doctor(project, TEST_CACHES=json.dumps(caches))
    check(found, "CACHES", {alias: case[1:] for alias, case in cases.items()})


class TestMail:
    def mail(self, site: Project, server: MailServer, **changed: str) -> Found:
        login = {
            "EMAIL_HOST": "localhost",
            "EMAIL_PORT": str(server.port),
            "EMAIL_HOST_USER": smtp_server.USER,
            "EMAIL_HOST_PASSWORD": smtp_server.PASSWORD,
        }
        names = {
            "HOST": "SERVER",
            "PORT": "PORT",
            "HOST_USER": "LOGIN",
            "HOST_PASSWORD": "PASSWORD",
        }
        if "MAILGUN_SMTP_PASSWORD" in changed:
            login = {f"MAILGUN_SMTP_{names[name[6:]]}": value for name, value in login.items()}
        login["SSL_CERT_FILE"] = str(server.certificate)
        found = doctor(site, **login | changed).of("mail")
        assert server.messages() == []
        return found

    def test_login(self, project: Project, mail_server: MailServer) -> None:
        found = self.mail(project, mail_server)
        assert (found.state, "STARTTLS" in found.message) == ("ok", True)

    @pytest.mark.parametrize(
        ("changed", "parts"),
        [
            ({"EMAIL_HOST_PASSWORD": WRONG}, ("EMAIL_HOST_PASSWORD=…",)),
            ({"SSL_CERT_FILE": os.devnull}, ("ertificate", "EMAIL_PORT=587")),
            ({"EMAIL_USE_TLS": "false"}, ("EMAIL_USE_TLS=true (STARTTLS)",)),
            (
                {"MAILGUN_SMTP_PASSWORD": WRONG},
                ("MAILGUN_SMTP_LOGIN=… MAILGUN_SMTP_PASSWORD=…", "Reset password"),
            ),
        ],
        ids=["password", "certificate", "plain", "addon"],
    )
    def test_error(
        self,
        project: Project,
        mail_server: MailServer,
        changed: dict[str, str],
        parts: tuple[str, ...],
    ) -> None:
        found = self.mail(project, mail_server, **changed)
        assert found.state == "failed"
        for part in parts:
            assert part in found.text

    def test_closed_port(self, project: Project, mail_server: MailServer, closed_port: int) -> None:
        found = self.mail(project, mail_server, EMAIL_PORT=str(closed_port))
        assert found.state == "failed"
        assert "refused" in found.message
        assert "EMAIL_HOST=…" in found.hint

    def test_missing_backend(self, make_project: MakeProject) -> None:
        absent = """
if "MAILERS" in globals():
    MAILERS["default"]["BACKEND"] = "nowhere.Backend"
else:
    EMAIL_BACKEND = "nowhere.Backend"
"""
        found = doctor(make_project(SETTINGS + absent)).of("mail")
        assert found.state == "failed"
        assert "nowhere" in found.message
        assert "settings.py" in found.hint

    def test_without_a_server(self, project: Project) -> None:
        assert doctor(project).of("mail").state == "skipped"

    def test_on_a_dyno_without_a_server(self, project: Project) -> None:
        mail = doctor(project, DYNO="web.1", SECRET_KEY="k" * 60, TEST_DATABASES="{}").of("mail")
        assert mail.state == "warning"
        assert "heroku addons:create" in mail.hint


@pytest.mark.once
def test_silent_servers_time_out(project: Project, silent_port: int) -> None:
    database = get_db_config({"DATABASE_URL": f"postgres://u:{WRONG}@{HOST}:{silent_port}/d"})
    start = time.monotonic()
    found = doctor(
        project,
        TEST_DATABASES=json.dumps(database),
        TEST_CACHES=json.dumps(get_cache_config({"REDIS_URL": f"redis://{HOST}:{silent_port}"})),
        EMAIL_HOST=HOST,
        EMAIL_PORT=str(silent_port),
        EMAIL_HOST_USER="me",
        EMAIL_HOST_PASSWORD=WRONG,
    )
    # All three timeouts, which run in parallel, with a margin for a busy machine.
    assert time.monotonic() - start < 60
    assert found.failed == ["database", "cache", "mail"]
    assert "imeout" in found.of("cache", "'default'").message


def test_connection_without_tls_is_a_warning() -> None:
    found = reachable(Subject("it"), "mail", "It", "db.example.com", "", "Enable TLS.")
    assert (found.state.value, found.hint) == ("warning", "Enable TLS.")
    assert reachable(Subject("it"), "mail", "It", "localhost", "", "").state.value == "ok"


def test_error_without_a_message() -> None:
    hints = {Trouble.OTHER: "fix it"}
    found = failure(Subject("it"), "cache", RuntimeError(), hints)
    assert (found.message, found.hint) == ("RuntimeError: no message", "fix it")
    silent = RuntimeError()
    silent.__cause__ = OSError("the cause " * 100)
    found = failure(Subject("it"), "cache", silent, hints)
    assert found.message.startswith("RuntimeError: the cause the cause")
    assert len(found.message) < 350


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("could not translate host name", Trouble.HOST),
        ("[Errno -2] Name or service not known", Trouble.HOST),
        ("timed out", Trouble.REFUSED),
        ("FATAL: too many connections", Trouble.LIMIT),
    ],
)
def test_trouble_of(text: str, trouble: Trouble) -> None:
    error = RuntimeError("outer")
    error.__cause__ = OSError(text)
    assert trouble_of(error) is trouble
