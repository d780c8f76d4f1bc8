"""Run a web dyno's server, such as gunicorn with herokuify.server, in its own process."""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import HOST, SECONDS, free_port, running, wait_until
from tests.project import Project, clean_environment

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
ENTRY_POINTS = {
    f"{name}.py": f"""
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
from django.core.{name} import get_{name}_application
application = get_{name}_application()
"""
    for name in ("wsgi", "asgi")
}


@dataclass
class Dyno:
    """A running server, its port and its log."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    def connect(self, host: str = HOST) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(host, self.port, timeout=SECONDS)

    def get(self, path: str, *, host: str = HOST, **headers: str) -> tuple[int, bytes]:
        with closing(self.connect(host)) as connection:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET", path, headers=names)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def responds(self, path: str) -> bool:
        try:
            self.get(path)
        except OSError:
            return False
        return True

    def waiting(self) -> int:
        """Count the connections that gunicorn has not accepted yet."""
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, _, state, queues, *_ = line.split()
            if state == "0A" and local.endswith(f":{self.port:04X}"):  # it listens
                return int(queues.split(":")[1], 16)
        raise AssertionError("no process listens on the port")

    def lines(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").splitlines()

    def stop(self) -> int:
        """Send SIGTERM to every process, as Heroku does ("Dyno Shutdown Behavior")."""
        os.killpg(self.process.pid, signal.SIGTERM)
        return self.process.wait(SECONDS)


def gunicorn(*arguments: str, application: str = "wsgi") -> list[str]:
    """Return the Procfile's command, with these arguments added."""
    return ["gunicorn", "-c", "python:herokuify.server", *arguments, application]


@contextmanager
def serving(
    project: Project, command: Sequence[str], probe: str = "/", **env: str
) -> Iterator[Dyno]:
    """Run the command of a Python server until the block ends; ``{port}`` in it is replaced.

    The server has started once it answers a request for ``probe``, with any status.
    """
    port = free_port()
    log = project.folder / "server.log"
    python = [sys.executable, "-W", "error::DeprecationWarning:herokuify", "-m"]
    variables = clean_environment(project.folder) | {"DYNO": "web.1", "PORT": str(port)}
    # A web dyno listens on all addresses, for the router; here only this machine may connect.
    variables |= {"WEB_CONCURRENCY": "2", "GUNICORN_CMD_ARGS": f"--bind={HOST}:{port}"}
    with running(
        [*python, *(part.replace("{port}", str(port)) for part in command)],
        log,
        cwd=project.folder,
        env=variables | dict(project.environment) | env,
        start_new_session=True,
    ) as process:
        dyno = Dyno(process, port, log)
        try:
            wait_until(lambda: dyno.responds(probe), process=process, log=log)
            yield dyno
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
