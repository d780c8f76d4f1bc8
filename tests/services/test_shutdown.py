"""A worker by the guide's Procfile: restarts and logs."""

import signal

import pytest
from redis import Redis as Client

from tests.processes import SECONDS
from tests.project import Project
from tests.services.conftest import redis_with
from tests.services.workers import APP, working

SETTINGS = """
import herokuify
from herokuify.common import *
SECRET_KEY = "x" * 60
USE_TZ = True
CACHES = herokuify.get_cache_config()
"""
TASKS = """
import logging
from django.core.cache import cache
from redis import Redis

@app.task
def work(name):
    logging.getLogger("site").info("begins %s", name)
    with Redis.from_url(os.environ["REDIS_URL"], ssl_cert_reqs=None) as server:
        server.blpop("go on", timeout=60)
    cache.set(name, "done")
"""
FILES = {"tasks.py": APP + TASKS}
SEND = """
from herokuify.logs import request_id
from tasks import work
request_id.set("0123456789-0123456789-0123")
for number in range(2):
    work.delay(f"long-{number}")
"""
ENVIRON = {"LOG_FORMAT": "json", "WEB_CONCURRENCY": "2"}


@pytest.mark.once
def test_running_tasks_survive_a_restart_with_their_request_ids(project: Project) -> None:
    with redis_with("--maxclients", "20") as redis:
        environ = ENVIRON | {"REDIS_URL": redis.tls_url}
        with working(project, **environ) as worker:
            assert project.snippet(SEND, env=environ).returncode == 0
            worker.wait_for("begins long-", count=2)
            worker.process.send_signal(signal.SIGTERM)
            worker.wait_for("Initiating Soft Shutdown")
            with Client.from_url(redis.url) as server:
                server.rpush("go on", 1, 2)
            worker.process.wait(SECONDS)
        with Client.from_url(redis.url) as server:
            assert server.exists(":1:long-0", ":1:long-1") == 2
        begun = [line for line in worker.lines() if line["message"].startswith("begins")]
        assert [line["request_id"] for line in begun] == ["0123456789-0123456789-0123"] * 2
        assert any(line["logger"].startswith("celery") for line in worker.lines())
