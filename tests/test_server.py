import errno
import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from socket import has_dualstack_ipv6

import pytest
from gunicorn.config import Config
from hypothesis import given
from hypothesis import strategies as st

from herokuify import server
from herokuify.conf.processes import memory_limit
from herokuify.exceptions import ConfigurationError
from herokuify.server import read_server, workers_for
from herokuify.server.logger import queue_time
from tests.errors import error_of
from tests.processes import wait_until
from tests.project import Project
from tests.web_dyno import ENTRY_POINTS, SETTINGS, Dyno, gunicorn, serving

MakeProject = Callable[..., Project]
DOCS = Path(__file__).parent.parent / "docs"
DYNO = {"DYNO": "web.1", "PORT": "5000"}
NAMES = [name for variable in server.VARIABLES for name in variable.names]
MB = 2**20


class TestSettings:
    def test_timeouts_fit_herokus_router(self) -> None:
        found = read_server(DYNO)
        assert found["forwarded_allow_ips"] == "*"
        assert found["timeout"] < 30
        assert found["graceful_timeout"] < 30
        assert found["keepalive"] > 90

    def test_dyno_listens_on_all_addresses(self) -> None:
        assert read_server(DYNO)["bind"] == server.all_addresses(5000)
        assert set(server.all_addresses(5000)) <= {"[::]:5000", "0.0.0.0:5000"}

    def test_dyno_without_ipv6_listens_on_ipv4(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(family: int, *_: object) -> None:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

        monkeypatch.setattr(server.socket, "socket", refuse)
        assert server.all_addresses(5000) == ["0.0.0.0:5000"]

    def test_local_server_listens_on_the_loopback_address(self) -> None:
        found = read_server({})
        assert found["bind"] == ["127.0.0.1:8000"]
        assert "forwarded_allow_ips" not in found

    def test_variables_win(self) -> None:
        given = {"WEB_CONCURRENCY": "3", "WEB_THREADS": "7", "FORWARDED_ALLOW_IPS": "10.0.0.1"}
        found = read_server(DYNO | given | {"LOG_LEVEL": "Warning"})
        assert (found["workers"], found["threads"]) == (3, 7)
        assert found["forwarded_allow_ips"] == "10.0.0.1"
        assert found["loglevel"] == "warning"

    def test_gunicorn_accepts_all_of_them(self) -> None:
        known = Config()
        for name, value in read_server(DYNO).items():
            known.set(name, value)
        # gunicorn reads every name of the module that is the name of a setting.
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

    @given(st.dictionaries(st.sampled_from([*NAMES, "DYNO", "LOG_LEVEL"]), st.text()))
    def test_any_environment_is_read_or_improperly_configured(
        self, environ: dict[str, str]
    ) -> None:
        error = error_of(read_server, environ)
        assert error is None or any(name in str(error) for name in [*NAMES, "LOG_LEVEL"])


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
    def test_memory_is_the_limit_of_the_container(
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
        ("1700000000900", 0),  # the router's clock is fast
        (None, "-"),
        ("", "-"),
        ("-1", "-"),
        ("t=1700000000", "-"),
        ("٣", "-"),
        ("9" * 16, "-"),
    ],
)
def test_queue_time_excludes_service_time(header: str | None, expected: object) -> None:
    service = timedelta(milliseconds=500)
    assert queue_time(header, service, now=1_700_000_000.75) == expected


FILES = ENTRY_POINTS | {
    "urls.py": """
import logging, time
from django.http import HttpResponse
from django.urls import path

def slow(request):
    time.sleep(float(request.GET.get("seconds", "0")))  # stands for work
    logging.getLogger("site").warning("done %s", request.GET.get("n"))
    return HttpResponse("x" * 1000)

def scheme(request):
    return HttpResponse(request.scheme)

urlpatterns = [path("slow", slow), path("scheme", scheme)]
""",
}


@contextmanager
def running(
    project: Project, *arguments: str, application: str = "wsgi", **env: str
) -> Iterator[Dyno]:
    command = gunicorn(*arguments, application=application)
    with serving(project, command, "/scheme", **env) as dyno:
        yield dyno


WORKERS = ("asgi", "uvicorn_worker.UvicornWorker")
# Runs gunicorn as on a machine whose kernel has no IPv6.
NO_IPV6 = """
import errno, socket
class Socket(socket.socket):
    def __init__(self, family=-1, *arguments, **options):
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        super().__init__(family, *arguments, **options)
socket.socket = Socket
from gunicorn.app.wsgiapp import run
run()
"""
DATABASE = """
import sys
print("settings are read", file=sys.stderr)
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
"""
PRELOADED = """
from django.db import connections

of_parent = connections["default"]
of_parent.ensure_connection()
"""
PID = """
import gc, os, preloaded

def pid(request):
    is_closed = preloaded.of_parent.connection is None
    return HttpResponse(f"{os.getpid()} {gc.get_freeze_count() > 0} {is_closed}")

urlpatterns.append(path("pid", pid))
"""
ID = "30f14c6c1fc85cba12bfd093aa8f90e3"


class TestGunicorn:
    def test_logs_one_line_for_each_request(self, project: Project) -> None:
        with running(project) as dyno:
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

    def test_logs_json(self, project: Project) -> None:
        with running(project, LOG_FORMAT="json") as dyno:
            assert dyno.get("/slow?n=1", X_Request_ID=ID)[0] == 200
            dyno.stop()
            entries = [json.loads(line) for line in dyno.lines()]
        own = [entry["logger"] for entry in entries if entry["request_id"] == ID]
        assert sorted(own) == ["gunicorn.access", "site"]

    def test_serves_asgi(self, project: Project) -> None:
        with running(project, "-k", "asgi", application="asgi") as dyno:
            assert dyno.get("/slow?n=1", X_Request_ID=ID)[0] == 200
            dyno.stop()
            lines = dyno.lines()
        assert f"WARNING site [{ID}] done 1" in lines
        assert any(line.startswith(f"INFO gunicorn.access [{ID}] method=GET") for line in lines)

    @pytest.mark.parametrize("worker", WORKERS)
    def test_does_not_log_queries_under_asgi(self, project: Project, worker: str) -> None:
        with running(project, "-k", worker, application="asgi") as dyno:
            start = str(int(time.time() * 1000) - 40)
            headers = {"X_Request_ID": ID, "X_Request_Start": start, "X_Forwarded_For": "192.0.2.7"}
            assert dyno.get("/slow?n=secret", **headers)[0] == 200
            assert dyno.get("/slow?n=another")[0] == 200
            assert dyno.get("/scheme", X_Forwarded_Proto="https") == (200, b"https")
            assert dyno.stop() == 0
            lines = dyno.lines()
        assert f"WARNING site [{ID}] done secret" in lines
        written = [line for line in lines if ".access [" in line and 'path="/slow"' in line]
        assert len(written) == 2
        assert f"access [{ID}] method=GET path=" in written[0]
        assert 'fwd="192.0.2.7"' in written[0]
        if worker == "asgi":
            found = [re.search(r"status=200 .*queue=(\d+|-)ms", line) for line in written]
            assert all(found), written
            assert 40 <= int(found[0][1]) < 5000  # type: ignore[index]
            assert found[1][1] == "-"  # type: ignore[index]
        assert not [line for line in lines if "secret" in line and " site [" not in line]
        # A test's folder may have too long a path for gunicorn's control socket.
        errors = [line for line in lines if line.startswith("ERROR")]
        assert all("Control server error" in line for line in errors), errors

    def test_serves_ipv4_and_ipv6(self, project: Project) -> None:
        arguments = {"GUNICORN_CMD_ARGS": "", "FORWARDED_ALLOW_IPS": "10.0.0.1"}
        with running(project, **arguments) as dyno:
            hosts = ["127.0.0.1", "::1"] if has_dualstack_ipv6() else ["127.0.0.1"]
            assert [dyno.get("/scheme", host=host)[0] for host in hosts] == [200] * len(hosts)

    def test_serves_ipv4_without_ipv6(self, project: Project) -> None:
        project.write({"no_ipv6.py": NO_IPV6})
        command = ["no_ipv6", *gunicorn()[1:]]
        with serving(project, command, "/scheme", GUNICORN_CMD_ARGS="") as dyno:
            assert dyno.get("/scheme")[0] == 200
            assert any("Listening at: http://0.0.0.0:" in line for line in dyno.lines())

    def test_preloads_on_demand(self, project: Project) -> None:
        (project.folder / "settings.py").write_text(SETTINGS + DATABASE)
        project.write({"preloaded.py": PRELOADED, "urls.py": FILES["urls.py"] + PID})
        with running(project, WEB_PRELOAD="true") as dyno:
            answers = {dyno.get("/pid") for _ in range(40)}
            dyno.stop()
            lines = dyno.lines()
        # Both processes were forked with the site loaded, and without the parent's connection.
        told = [answer.decode().split() for _, answer in answers]
        assert {frozen for _, frozen, _ in told} == {"True"}
        assert {closed for _, _, closed in told} == {"True"}
        assert len([line for line in lines if "settings are read" in line]) == 1
        assert not [line for line in lines if "WEB_PRELOAD" in line]

    def test_warns_of_threads_started_before_the_fork(self, project: Project) -> None:
        thread = "\nimport threading\nthreading.Thread(target=threading.Event().wait, "
        with (project.folder / "settings.py").open("a") as settings:
            settings.write(f"{thread}daemon=True, name='ticker').start()\n")
        with running(project, WEB_PRELOAD="true") as dyno:
            warned = [line for line in dyno.lines() if "WEB_PRELOAD" in line]
        assert len(warned) == 1
        assert "threads (ticker)" in warned[0]
        assert "heroku config:unset WEB_PRELOAD" in warned[0]

    def test_missing_secret_key_stops_it(self, project: Project) -> None:
        (project.folder / "settings.py").write_text(SETTINGS.replace('SECRET_KEY = "x"', ""))
        error = pytest.raises(RuntimeError, match="ImproperlyConfigured: SECRET_KEY is not set")
        with error, running(project):
            pass

    def test_malformed_variable_stops_it(self, project: Project) -> None:
        error = pytest.raises(RuntimeError, match="ImproperlyConfigured: WEB_THREADS is 'x'")
        with error, running(project, WEB_THREADS="x"):
            pass


@dataclass
class Router:
    """Clients that start no request after SIGTERM, like Heroku's router."""

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
            # Most are quick; some last until long after the signal.
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
        """Start no more requests, and wait until gunicorn has accepted those under way."""
        with self.lock:
            self.stopping = True
        wait_until(lambda: not self.beginning and not self.dyno.waiting())


@pytest.mark.once
@pytest.mark.parametrize("keeps_alive", [False, True], ids=["new-connections", "keepalive"])
def test_no_request_is_lost_at_sigterm(project: Project, keeps_alive: bool) -> None:
    with running(project) as dyno:
        router = Router(dyno, keeps_alive)
        clients = [threading.Thread(target=router.send, args=(n,)) for n in range(16)]
        for client in clients:
            client.start()
        wait_until(lambda: len(router.answered) >= 300 or router.lost)
        router.stop()
        before = len(router.answered)
        status = dyno.stop()
        for client in clients:
            client.join()
        lines = dyno.lines()
    assert router.lost == []
    assert set(router.answered) == {200}
    # Requests that were under way at the signal were answered, too.
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
