"""A copy of example_project, whose commands run as on Heroku."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

EXAMPLE = Path(__file__).resolve().parent.parent / "example_project"
START_SECONDS = 60
STOP_SECONDS = 10
# Dynos don't have these variables, but Python or coverage need them.
_KEPT_VARIABLE = re.compile(r"COVERAGE_\w+|SYSTEMROOT|TMPDIR")
_LEFT_BEHIND = ("__pycache__", ".venv", "*.sqlite3", "media", "staticfiles")


class CommandFailedError(Exception):
    """A command of the demo failed; the message contains its output."""


class Slug:
    """An app on Heroku: a copy of the example, a Python and config vars.

    ``path`` is the PYTHONPATH, for a Python that doesn't have herokuify installed.
    """

    def __init__(self, folder: Path, python: Path, path: str = "") -> None:
        shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(*_LEFT_BEHIND))
        self.folder = folder
        self.python = python
        self.config: dict[str, str] = {}
        self._environment = {
            name: value for name, value in os.environ.items() if _KEPT_VARIABLE.fullmatch(name)
        } | {
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join(
                [str(python.absolute().parent), os.environ.get("PATH", os.defpath)]
            ),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        if path:
            self._environment["PYTHONPATH"] = path

    def process_types(self) -> dict[str, list[str]]:
        """Return the commands in the Procfile by their process types."""
        lines = (self.folder / "Procfile").read_text(encoding="utf-8").splitlines()
        pairs = (line.split(":", 1) for line in lines if line.strip())
        return {name.strip(): shlex.split(command) for name, command in pairs}

    def run(self, command: Sequence[str], variables: Mapping[str, str]) -> str:
        """Run a command, and return its output; raise CommandFailedError if it fails."""
        result = subprocess.run(
            list(command),
            cwd=self.folder,
            env=self._variables(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
            start_new_session=True,
        )
        if result.returncode:
            ended = f"{shlex.join(command)} ended with exit status {result.returncode}"
            raise CommandFailedError(f"{ended}:\n{result.stdout}")
        return result.stdout

    @contextmanager
    def serve(
        self, command: Sequence[str], variables: Mapping[str, str], log: Path, pattern: str
    ) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
        """Run a server; yield its address, which ``pattern`` finds in its log, and the process."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                list(command),
                cwd=self.folder,
                env=self._variables(variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C must only reach the demo, which stops its servers in the right order.
                start_new_session=True,
            )
        try:
            yield _wait_for_address(process, shlex.join(command), log, pattern), process
        finally:
            _stop(process)

    def _variables(self, variables: Mapping[str, str]) -> dict[str, str]:
        return self._environment | self.config | dict(variables)


def _wait_for_address(
    process: "subprocess.Popen[bytes]", command: str, log: Path, pattern: str
) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(pattern, log.read_text(encoding="utf-8", errors="replace"))
        if found and _answers(found[1]):
            return found[1]
        time.sleep(0.05)
    what = "ended" if process.poll() is not None else f"did not answer in {START_SECONDS} s"
    printed = log.read_text(encoding="utf-8", errors="replace")
    raise CommandFailedError(f"{command} {what}:\n{printed}")


def _answers(address: str) -> bool:
    """Return whether a server responds, even with an error."""
    try:
        build_opener(ProxyHandler({})).open(address, timeout=START_SECONDS).close()
    except HTTPError as error:
        error.close()
    except URLError:
        return False
    return True


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Stop a server as Heroku does, by SIGTERM, and later SIGKILL to its process group."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
