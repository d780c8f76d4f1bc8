"""A Celery worker, by the guide's Procfile."""

import json
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests import processes, project
from tests.processes import wait_until

if TYPE_CHECKING:
    import subprocess

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "cache.md"
#: The beginning of a project's tasks.py.
APP = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
from celery import Celery
from herokuify.celery import connect_logging, get_celery_config

app = Celery("tasks")
app.conf.update(get_celery_config())
connect_logging()
"""


@dataclass(frozen=True)
class Worker:
    """A worker's process and log."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def text(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def lines(self) -> list[dict[str, Any]]:
        """Return its JSON log records."""
        return [json.loads(line) for line in self.text.splitlines() if line.startswith("{")]

    def wait_for(self, words: str, count: int = 1) -> None:
        wait_until(lambda: self.text.count(words) >= count, process=self.process, log=self.log)

    def stop(self) -> None:
        """Send SIGTERM, as Heroku does at a restart, and wait for its end."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)


@contextmanager
def working(site: project.Project, **environ: str) -> Iterator[Worker]:
    """Run a worker until the context ends; the context begins when the worker is ready."""
    line = re.findall(r"^worker: (.+)$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)[0]
    variable, *command = line.replace("mysite", "tasks").split()
    variables = {"DYNO": "worker.1", **dict([variable.split("=")]), **environ}
    log = site.folder / "worker.log"
    with processes.running(
        [sys.executable, "-m", *command],
        log,
        cwd=site.folder,
        env=project.clean_environment(site.folder) | variables,
        start_new_session=True,
    ) as process:
        worker = Worker(process, log)
        worker.wait_for("ready.")
        yield worker
