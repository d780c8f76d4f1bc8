"""gunicorn's settings on Heroku: ``gunicorn -c python:herokuify.server config.wsgi``.

What GUNICORN_CMD_ARGS and the command line say wins over these.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from herokuify import env, logs
from herokuify.env import Stage

VARIABLES = (
    env.Variable(("PORT",), "gunicorn: where it listens"),
    env.Variable(("WEB_CONCURRENCY",), "gunicorn: its processes"),
    env.Variable(("WEB_THREADS",), "gunicorn: the threads of each process"),
    env.Variable(("FORWARDED_ALLOW_IPS",), "gunicorn: whose X-Forwarded-Proto is believed"),
)

CGROUP = Path("/sys/fs/cgroup")
WORKER_BYTES = 256 * 2**20  # what Heroku's buildpack reckons with
THREADS = 4
LAPTOP_BIND = "127.0.0.1:8000"


def count(value: str) -> int:
    """Convert a number of processes or threads, 1 or more."""
    try:
        number = env.integer(value)
    except ValueError:
        number = 0
    if not 0 < number < 1000:
        raise ValueError("a number from 1 to 999")
    return number


def workers_for(memory: int | None, processors: int) -> int:
    """Return a number of processes for bytes of memory (None: no limit known) and processors.

    It is what Heroku's classic Python buildpack chooses for each dyno type; the cloud-native
    one leaves it to the app (Heroku Dev Center, "Optimizing Python Application Concurrency").
    """
    most = 2 * processors + 1
    return most if memory is None else max(1, min(memory // WORKER_BYTES, most))


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_limit(cgroup: Path = CGROUP) -> int | None:
    """Return how many bytes the dyno or container may use, or None when nothing limits it."""
    # Of control groups v2, and of v1.
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            limit = int((cgroup / name).read_text(encoding="ascii"))
        except (OSError, ValueError):  # no such file, or "max"
            continue
        # v1 writes a number near 2**63 for "no limit".
        return limit if limit < 2**60 else None
    return None


def read_server(environ: Mapping[str, str]) -> dict[str, Any]:
    """Read gunicorn's settings from an environment; raises ConfigurationError for nonsense."""
    stage = env.get_stage(environ)
    number = env.read(environ, "PORT", convert=env.port)
    workers = env.read(environ, "WEB_CONCURRENCY", convert=count)
    settings: dict[str, Any] = {
        "bind": [f"0.0.0.0:{number}" if number else LAPTOP_BIND],
        "workers": workers or workers_for(memory_limit(), processors()),
        "worker_class": "gthread",
        "threads": env.read(environ, "WEB_THREADS", convert=count) or THREADS,
        # The router gives a request up after 30 seconds, and a dyno is killed 30 seconds after
        # its SIGTERM (Heroku Dev Center, "Request Timeout" and "Dyno Shutdown Behavior").
        "timeout": 28,
        "graceful_timeout": 28,
        # The router keeps idle connections for 90 seconds, and must be the one to close them
        # ("HTTP Routing", "Keepalives").
        "keepalive": 95,
        "accesslog": "-",
        "errorlog": "-",
        "loglevel": logs.read_level(environ).lower(),
        "logger_class": "herokuify.server.logger.Logger",
        "access_log_format": ACCESS_LINE,
    }
    if Path("/dev/shm").is_dir():  # noqa: S108
        # A dyno's disk may stall for longer than the timeout.
        settings["worker_tmp_dir"] = "/dev/shm"  # noqa: S108
    allowed = env.read(environ, "FORWARDED_ALLOW_IPS")
    if allowed or stage is Stage.DYNO:
        # Only the router reaches a dyno.
        settings["forwarded_allow_ips"] = allowed or "*"
    return settings


#: As the router writes its own lines; ``queue`` is how long the request waited for a thread,
#: with its way from the router. Times are in milliseconds.
ACCESS_LINE = (
    'method=%(m)s path="%(path)s" status=%(s)s bytes=%(b)s service=%(M)sms queue=%(queue)sms '
    'fwd="%({x-forwarded-for}i)s"'
)

globals().update(read_server(os.environ))
