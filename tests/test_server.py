import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from gunicorn.config import Config
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from herokuify import server
from herokuify.exceptions import ConfigurationError
from herokuify.server import memory_limit, read_server, workers_for
from herokuify.server.logger import queue_time
from tests.project import Project, clean_environment

MakeProject = Callable[..., Project]
DOCS = Path(__file__).parent.parent / "docs"
DYNO = {"DYNO": "web.1", "PORT": "5000"}
NAMES = [name for variable in server.VARIABLES for name in variable.names]
MB = 2**20


class TestSettings:
    def test_dyno_listens_to_the_router(self) -> None:
        found = read_server(DYNO)
        assert found["bind"] == ["0.0.0.0:5000"]
        assert found["forwarded_allow_ips"] == "*"
        assert found["timeout"] < 30
        assert found["graceful_timeout"] < 30
        assert found["keepalive"] > 90

    def test_laptop_listens_to_itself(self) -> None:
        found = read_server({})
        assert found["bind"] == ["127.0.0.1:8000"]
        assert "forwarded_allow_ips" not in found

    def test_variables_win(self) -> None:
        given = {"WEB_CONCURRENCY": "3", "WEB_THREADS": "7", "FORWARDED_ALLOW_IPS": "10.0.0.1"}
        found = read_server(DYNO | given | {"LOG_LEVEL": "Warning"})
        assert (found["workers"], found["threads"]) == (3, 7)
        assert found["forwarded_allow_ips"] == "10.0.0.1"
        assert found["loglevel"] == "warning"

    def test_gunicorn_knows_and_takes_them(self) -> None:
        known = Config()
        for name, value in read_server(DYNO).items():
            known.set(name, value)
        # gunicorn takes every name of the module that is one of its settings.
        here = {name for name in vars(server) if name in known.settings}
        assert here == set(read_server({}))

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("PORT", "http", "a port's number"),
            ("PORT", "70000", "a port's number"),
            ("WEB_CONCURRENCY", "0", "a number from 1 to 999"),
            ("WEB_CONCURRENCY", "-1", "a number from 1 to 999"),
            ("WEB_CONCURRENCY", "two", "a number from 1 to 999"),
            ("WEB_THREADS", "1000", "a number from 1 to 999"),
            ("WEB_THREADS", "1.5", "a number from 1 to 999"),
            ("LOG_LEVEL", "loud", "one of debug"),
        ],
    )
    def test_wrong_value_is_one_error(self, name: str, value: str, expected: str) -> None:
        with pytest.raises(ConfigurationError, match=f"{name} is {value!r}; it must be {expected}"):
            read_server({name: value})

    @hypothesis_settings(deadline=None, database=None)
    @given(st.dictionaries(st.sampled_from([*NAMES, "DYNO", "LOG_LEVEL"]), st.text()))
    def test_any_environment_is_read_or_improperly_configured(
        self, environ: dict[str, str]
    ) -> None:
        error = error_of(environ)
        assert error is None or any(name in str(error) for name in [*NAMES, "LOG_LEVEL"])


def error_of(environ: dict[str, str]) -> ConfigurationError | None:
    try:
        read_server(environ)
    except ConfigurationError as error:
        return error
    return None


class TestWorkers:
    # Heroku's changelog, "Change in default WEB_CONCURRENCY for Python apps" (2024).
    @pytest.mark.parametrize(
        ("memory", "processors", "workers"),
        [
            (512 * MB, 8, 2),  # Eco, Basic, Standard-1X
            (1024 * MB, 8, 4),  # Standard-2X
            (2560 * MB, 2, 5),  # Performance-M
            (14336 * MB, 8, 17),  # Performance-L
            (100 * MB, 1, 1),
            (None, 2, 5),
        ],
    )
    def test_are_as_many_as_the_buildpack_starts(
        self, memory: int | None, processors: int, workers: int
    ) -> None:
        assert workers_for(memory, processors) == workers

    @pytest.mark.parametrize(
        ("files", "limit"),
        [
            ({"memory.max": "536870912\n"}, 512 * MB),
            ({"memory.max": "max\n"}, None),
            ({"memory/memory.limit_in_bytes": "536870912\n"}, 512 * MB),
            ({"memory/memory.limit_in_bytes": "9223372036854771712\n"}, None),
            ({}, None),
        ],
    )
    def test_memory_is_the_containers(
        self, tmp_path: Path, files: Mapping[str, str], limit: int | None
    ) -> None:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        assert memory_limit(tmp_path) == limit


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("1700000000000", 250),
        ("1700000000900", 0),  # the router's clock is ahead
        (None, "-"),
        ("", "-"),
        ("-1", "-"),
        ("t=1700000000", "-"),
        ("٣", "-"),
        ("9" * 16, "-"),
    ],
)
def test_queue_time_is_what_was_not_service(header: str | None, expected: object) -> None:
    service = timedelta(milliseconds=500)
    assert queue_time(header, service, now=1_700_000_000.75) == expected


SETTINGS = """
from herokuify.common import *

SECRET_KEY = "x"
USE_TZ = True
ALLOWED_HOSTS = ["*"]
SECURE_SSL_REDIRECT = False
INSTALLED_APPS = ["herokuify"]
MIDDLEWARE = ["herokuify.middleware.RequestIdMiddleware"]
ROOT_URLCONF = "urls"
WSGI_APPLICATION = "wsgi.application"
"""
FILES = {
    "wsgi.py": """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
""",
    "asgi.py": """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
from django.core.asgi import get_asgi_application
application = get_asgi_application()
""",
    "urls.py": """
import logging, time
from django.http import HttpResponse
from django.urls import path

def slow(request):
    time.sleep(float(request.GET.get("seconds", "0")))
    logging.getLogger("site").warning("done %s", request.GET.get("n"))
    return HttpResponse("x" * 1000)

def scheme(request):
    return HttpResponse(request.scheme)

urlpatterns = [path("slow", slow), path("scheme", scheme)]
""",
}
START_SECONDS = 60


@dataclass
class Dyno:
    """A gunicorn as a web dyno runs it."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_SECONDS)

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        with closing(self.connect()) as connection:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET", path, headers=names)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def waiting(self) -> int:
        """Count the connections that gunicorn has not accepted yet."""
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, _, state, queues, *_ = line.split()
            if state == "0A" and local.endswith(f":{self.port:04X}"):  # it listens
                return int(queues.split(":")[1], 16)
        raise AssertionError("nobody listens")

    def lines(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").splitlines()

    def stop(self) -> int:
        """SIGTERM to every process, as Heroku does it ("Dyno Shutdown Behavior")."""
        os.killpg(self.process.pid, signal.SIGTERM)
        return self.process.wait(START_SECONDS)


@contextmanager
def running(
    project: Project, *arguments: str, application: str = "wsgi", **env: str
) -> Iterator[Dyno]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = project.folder / "gunicorn.log"
    command = [sys.executable, "-W", "error::DeprecationWarning:herokuify", "-m", "gunicorn"]
    variables = clean_environment(project.folder) | {"DYNO": "web.1", "PORT": str(port)}
    variables |= {"WEB_CONCURRENCY": "2", "GUNICORN_CMD_ARGS": f"--bind=127.0.0.1:{port}", **env}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "-c", "python:herokuify.server", *arguments, application],
            cwd=project.folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        dyno = Dyno(process, port, log)
        try:
            _wait(dyno)
            yield dyno
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait(dyno: Dyno) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and dyno.process.poll() is None:
        try:
            dyno.get("/scheme")
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(dyno.log.read_text(encoding="utf-8"))


@pytest.fixture
def site(make_project: MakeProject) -> Project:
    project: Project = make_project(SETTINGS, FILES)
    return project


ID = "30f14c6c1fc85cba12bfd093aa8f90e3"


class TestGunicorn:
    def test_writes_the_requests_line(self, site: Project) -> None:
        with running(site) as dyno:
            start = str(int(time.time() * 1000) - 40)
            headers = {"X_Request_ID": ID, "X_Request_Start": start, "X_Forwarded_For": "192.0.2.7"}
            assert dyno.get("/slow?n=secret%0A", **headers)[0] == 200
            assert dyno.get("/scheme", X_Forwarded_Proto="https") == (200, b"https")
            assert dyno.get("/scheme") == (200, b"http")
            dyno.stop()
            lines = dyno.lines()
        [access] = [line for line in lines if 'path="/slow"' in line]
        pattern = (
            rf'INFO gunicorn\.access \[{ID}\] method=GET path="/slow" status=200 bytes=1000 '
            r'service=\d+ms queue=(\d+)ms fwd="192\.0\.2\.7"'
        )
        found = re.fullmatch(pattern, access)
        assert found, access
        assert int(found[1]) >= 40
        assert f"WARNING site [{ID}] done secret\\n" in lines
        # Each line has its level, its logger and its request.
        assert all(re.match(r"[A-Z]+ [a-z.]+ \[[\w-]+\] ", line) for line in lines), lines

    def test_writes_json(self, site: Project) -> None:
        with running(site, LOG_FORMAT="json") as dyno:
            assert dyno.get("/slow?n=1", X_Request_ID=ID)[0] == 200
            dyno.stop()
            entries = [json.loads(line) for line in dyno.lines()]
        own = [entry["logger"] for entry in entries if entry["request_id"] == ID]
        assert sorted(own) == ["gunicorn.access", "site"]

    def test_serves_asgi(self, site: Project) -> None:
        with running(site, "-k", "asgi", application="asgi") as dyno:
            assert dyno.get("/slow?n=1", X_Request_ID=ID)[0] == 200
            dyno.stop()
            lines = dyno.lines()
        assert f"WARNING site [{ID}] done 1" in lines
        assert any(line.startswith(f"INFO gunicorn.access [{ID}] method=GET") for line in lines)

    def test_says_what_is_missing(self, site: Project) -> None:
        (site.folder / "settings.py").write_text(SETTINGS.replace('SECRET_KEY = "x"', ""))
        error = pytest.raises(RuntimeError, match="ImproperlyConfigured: SECRET_KEY is not set")
        with error, running(site):
            pass

    def test_refuses_nonsense(self, site: Project) -> None:
        error = pytest.raises(RuntimeError, match="ImproperlyConfigured: WEB_THREADS is 'x'")
        with error, running(site, WEB_THREADS="x"):
            pass


@dataclass
class Router:
    """Clients that do what Heroku's router does: none begins a request after the SIGTERM."""

    dyno: Dyno
    keeps_alive: bool
    stopping: bool = False
    beginning: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    answered: list[int] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def send(self, client: int) -> None:
        connection = self.dyno.connect()
        count = 0
        while self._may_begin():
            count += 1
            # Most are quick, and some still run long after the signal.
            seconds = 2.0 if count % 20 == client else 0.005
            try:
                if not self.keeps_alive:
                    connection.close()
                try:
                    connection.request("GET", f"/slow?seconds={seconds}")
                finally:
                    with self.lock:
                        self.beginning -= 1
                answer = connection.getresponse()
                if len(answer.read()) != 1000:
                    self.lost.append("half an answer")
                self.answered.append(answer.status)
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
                connection.close()
        connection.close()

    def _may_begin(self) -> bool:
        with self.lock:
            self.beginning += not self.stopping
            return not self.stopping

    def stop(self) -> None:
        """Begin no more requests, and wait until gunicorn has all those that were begun."""
        with self.lock:
            self.stopping = True
        while self.beginning or self.dyno.waiting():
            time.sleep(0.001)


@pytest.mark.once
@pytest.mark.parametrize("keeps_alive", [False, True], ids=["new-connections", "keepalive"])
def test_no_request_is_lost_at_sigterm(site: Project, keeps_alive: bool) -> None:
    with running(site) as dyno:
        router = Router(dyno, keeps_alive)
        clients = [threading.Thread(target=router.send, args=(n,)) for n in range(16)]
        for client in clients:
            client.start()
        while len(router.answered) < 300 and not router.lost:
            time.sleep(0.01)
        router.stop()
        before = len(router.answered)
        status = dyno.stop()
        for client in clients:
            client.join()
        lines = dyno.lines()
    assert router.lost == []
    assert set(router.answered) == {200}
    # Some were under way when the signal came, and were answered.
    assert len(router.answered) > before
    assert status == 0
    served = [line for line in lines if 'path="/slow"' in line]
    assert len(served) == len(router.answered)


@pytest.mark.source_tree
def test_docs_list_every_variable_and_setting() -> None:
    page = (DOCS / "server.md").read_text(encoding="utf-8")
    rows = "".join(row for row in page.splitlines() if row.startswith("|"))
    words = set(re.findall(r"`[^`]*?([A-Za-z_]+)`", rows))
    assert set(NAMES) <= words
    silent = {"loglevel", "logger_class", "access_log_format"}
    assert {*read_server(DYNO)} - silent <= words
