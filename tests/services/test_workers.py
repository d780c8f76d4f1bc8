"""Celery with get_celery_config() on Redis with TLS."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests import project
from tests.services.daemons import Redis

# A worker in a thread, and a client.
ROUND_TRIP = """\
from celery import Celery
from celery.contrib.testing.worker import start_worker
from herokuify.celery import get_celery_config

app = Celery("tasks")
app.conf.update(get_celery_config(), broker_connection_retry_on_startup=True)

@app.task
def add(a, b):
    return a + b

if __name__ == "__main__":
    with start_worker(app, perform_ping_check=False, loglevel="ERROR"):
        print(add.delay(40, 2).get(timeout=30))
"""
VERIFIED = """\
import sys
from celery import Celery
from herokuify.celery import get_celery_config

for authority in sys.argv[1:]:
    app = Celery("tasks")
    app.conf.update(get_celery_config(ssl_ca_certs=authority))
    for connect in (
        lambda: app.connection().ensure_connection(max_retries=1),
        lambda: app.backend.client.ping(),
    ):
        try:
            connect()
        except Exception as error:
            print("refused" if "CERTIFICATE_VERIFY_FAILED" in str(error) else error)
        else:
            print("connected")
"""


@pytest.fixture
def run(
    redis: Redis, make_project: Callable[..., project.Project]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python source on a dyno with Redis attached."""

    def run_it(source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        site = make_project("", {"tasks.py": source})
        environ = {"DYNO": "worker.1", "REDIS_URL": redis.tls_url}
        return subprocess.run(
            [sys.executable, "tasks.py", *arguments],
            cwd=site.folder,
            env=project.clean_environment(site.folder) | environ,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    return run_it


@pytest.mark.once
class TestCelery:
    def test_task_runs_and_returns_its_result(
        self, run: Callable[..., subprocess.CompletedProcess[str]]
    ) -> None:
        result = run(ROUND_TRIP)
        assert result.stdout == "42\n", result.stderr

    def test_broker_and_result_backend_are_verified_with_a_ca(
        self, run: Callable[..., subprocess.CompletedProcess[str]], redis: Redis
    ) -> None:
        result = run(VERIFIED, str(redis.certificate), str(redis.other_certificate))
        assert result.stdout.split() == ["connected"] * 2 + ["refused"] * 2, result.stderr
