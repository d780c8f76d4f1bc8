"""example_project, deployed in a folder of this machine with the commands that Heroku runs."""

import http.client
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import project

HOST = "127.0.0.1"
DOMAIN = "kestrel-12ab.herokuapp.com"
BUILD = {"DYNO": "run.1", "SOURCE_VERSION": "0" * 40, "STACK": "heroku-26"}
SECONDS = 60
_EXAMPLE = Path(__file__).resolve().parents[1] / "example_project"
_LEFT_BEHIND = shutil.ignore_patterns("__pycache__", "*.sqlite3", "media", "staticfiles")


@dataclass(frozen=True)
class App:
    """A slug with its config vars, and the commands that Heroku starts in it."""

    folder: Path
    config: Mapping[str, str]

    @property
    def bucket(self) -> str:
        return self.config["AWS_STORAGE_BUCKET_NAME"]

    def process_type(self, name: str) -> list[str]:
        lines = (self.folder / "Procfile").read_text(encoding="utf-8").splitlines()
        return shlex.split(dict(line.split(":", 1) for line in lines)[name])

    def variables(self, dyno: Mapping[str, str]) -> dict[str, str]:
        clean = project.clean_environment(self.folder)
        clean["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
        return clean | dict(self.config) | dict(dyno)

    def run(self, *command: str, **dyno: str) -> None:
        result = subprocess.run(
            command,
            cwd=self.folder,
            env=self.variables({"PYTHONWARNINGS": ",".join(project.WARNINGS), **dyno}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr


@dataclass(frozen=True)
class Dyno:
    """The web dyno, as the router sees it."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(SECONDS)


def deploy(folder: Path, config: Mapping[str, str]) -> App:
    """Copy the example to a new folder; run the buildpack's steps and the release phase there."""
    shutil.copytree(_EXAMPLE, folder, ignore=_LEFT_BEHIND)
    secret_key = "".join(map(chr, range(33, 127)))
    app = App(
        folder, {"HEROKU_APP_DEFAULT_DOMAIN_NAME": DOMAIN, "SECRET_KEY": secret_key, **config}
    )
    app.run("python", "manage.py", "collectstatic", "--noinput", **BUILD)
    app.run("bin/post_compile", **BUILD)
    app.run(*app.process_type("release"), DYNO="release.1")
    return app


@contextmanager
def serving(app: App) -> Iterator[Dyno]:
    """Run the web dyno on a free port."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    variables = {"DYNO": "web.1", "PORT": str(port), "WEB_CONCURRENCY": "2"}
    # A web dyno listens to the router on all addresses; nobody else should reach the tests.
    variables["GUNICORN_CMD_ARGS"] = f"--bind={HOST}:{port}"
    log = app.folder.parent / "web.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            app.process_type("web"),
            cwd=app.folder,
            env=app.variables(variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    dyno = Dyno(process, port, log)
    try:
        _wait(dyno)
        yield dyno
    finally:
        if process.poll() is None:
            dyno.stop()


def _wait(dyno: Dyno) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and dyno.process.poll() is None:
        try:
            with closing(http.client.HTTPConnection(HOST, dyno.port, timeout=SECONDS)) as probe:
                probe.request("GET", "/", headers={"Host": DOMAIN, "X-Forwarded-Proto": "https"})
                probe.getresponse().read()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(dyno.log.read_text(encoding="utf-8"))
