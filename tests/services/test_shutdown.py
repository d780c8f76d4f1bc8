"""A worker on a dyno, by the guide's Procfile: restarts and logs."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis import Redis as Client

from tests import project
from tests.services.conftest import served
from tests.services.test_limits import _start

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "cache.md"
SETTINGS = """
import herokuify
from herokuify.common import *
SECRET_KEY = "x" * 60
USE_TZ = True
CACHES = herokuify.get_cache_config()
"""
TASKS = """
import logging, os, time
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
import django
django.setup()
from celery import Celery
from django.core.cache import cache
from herokuify.celery import connect_logging, get_celery_config

app = Celery("tasks")
app.conf.update(get_celery_config())
connect_logging()

@app.task
def work(name, seconds):
    logging.getLogger("site").info("begins %s", name)
    time.sleep(seconds)
    cache.set(name, "done")
    return name
"""
SEND = """
from herokuify.logs import request_id
from tasks import work
request_id.set("0123456789-0123456789-0123")
for number in range(2):
    work.delay(f"long-{number}", 6)
"""
ENVIRON = {"DYNO": "worker.1", "LOG_FORMAT": "json", "WEB_CONCURRENCY": "2"}


class Worker:
    """A worker process, as the Procfile starts it."""

    def __init__(self, site: project.Project, environ: dict[str, str]) -> None:
        line = re.findall(r"^worker: (.+)$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)[0]
        variable, *command = line.replace("mysite", "tasks").split()
        self.log = site.folder / "worker.log"
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=site.folder,
                env=project.clean_environment(site.folder) | environ | dict([variable.split("=")]),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def lines(self) -> list[dict[str, Any]]:
        text = self.log.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def wait_for(self, text: str, count: int = 1) -> None:
        deadline = time.monotonic() + 40
        while self.log.read_text(encoding="utf-8").count(text) < count:
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, self.log.read_text(encoding="utf-8")
            time.sleep(0.1)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=30)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


@pytest.fixture
def site(make_project: Callable[..., project.Project]) -> project.Project:
    return make_project(SETTINGS, {"tasks.py": TASKS})


@pytest.mark.once
def test_running_tasks_survive_a_restart_with_their_request_ids(site: project.Project) -> None:
    with served(partial(_start, "--maxclients", "20")) as redis:
        environ = ENVIRON | {"REDIS_URL": redis.tls_url}
        worker = Worker(site, environ)
        try:
            worker.wait_for("ready.")
            assert site.snippet(SEND, env=environ).returncode == 0
            worker.wait_for("begins long-", count=2)
        finally:
            worker.stop()
        with Client.from_url(redis.url) as server:
            assert server.exists(":1:long-0", ":1:long-1") == 2
        begun = [line for line in worker.lines() if line["message"].startswith("begins")]
        assert [line["request_id"] for line in begun] == ["0123456789-0123456789-0123"] * 2
        assert any(line["logger"].startswith("celery") for line in worker.lines())
