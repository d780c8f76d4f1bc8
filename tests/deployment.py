"""Deploy example_project to a folder, with the commands that Heroku runs."""

import http.client
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import processes, project
from tests.processes import HOST, SECONDS, free_port, wait_until

DOMAIN = "kestrel-12ab.herokuapp.com"
BUILD = {"DYNO": "run.1", "SOURCE_VERSION": "0" * 40, "STACK": "heroku-26"}


@dataclass(frozen=True)
class App:
    """A slug with its config vars; runs commands in it as Heroku does."""

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
    """A running web dyno."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(SECONDS)


def deploy(folder: Path, config: Mapping[str, str]) -> App:
    """Copy the example to a new folder; run the buildpack's steps and the release phase there."""
    shutil.copytree(project.EXAMPLE, folder, ignore=project.LEFT_BEHIND)
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
    port = free_port()
    variables = {"DYNO": "web.1", "PORT": str(port), "WEB_CONCURRENCY": "2"}
    # A web dyno listens on all addresses, for the router; here only this machine may connect.
    variables["GUNICORN_CMD_ARGS"] = f"--bind={HOST}:{port}"
    log = app.folder.parent / "web.log"
    command = app.process_type("web")
    environment = app.variables(variables)
    with processes.running(command, log, cwd=app.folder, env=environment) as process:
        wait_until(lambda: _responds(port), process=process, log=log)
        yield Dyno(process, port, log)


def _responds(port: int) -> bool:
    try:
        with closing(http.client.HTTPConnection(HOST, port, timeout=SECONDS)) as probe:
            probe.request("GET", "/", headers={"Host": DOMAIN, "X-Forwarded-Proto": "https"})
            probe.getresponse().read()
    except OSError:
        return False
    return True
