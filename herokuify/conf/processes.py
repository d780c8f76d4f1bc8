"""How many processes and threads serve the site, and by which kind of server."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from herokuify import env

CGROUP = Path("/sys/fs/cgroup")
WORKER_BYTES = 256 * 2**20  # per process, as in Heroku's buildpack
THREADS = 4
#: Connections of a role on Heroku's smallest plan, essential-0 ("Heroku Postgres Plans"), and how
#: many of them are reserved for the release phase and one-off dynos.
SMALLEST_LIMIT = 20
RESERVED = 4
POOL_TIMEOUT = 10  # seconds
#: Django's entry point, which only an asgi.py imports, and ASGI servers, for an asgi.py that
#: imports the settings first.
ASGI_MODULES = ("django.core.asgi", "daphne.server", "gunicorn.workers.gasgi", "uvicorn.server")


def count(value: str) -> int:
    """Convert a number of processes or threads, 1 or more."""
    try:
        number = env.integer(value)
    except ValueError:
        number = 0
    if not 0 < number < 1000:
        raise ValueError("a number from 1 to 999")
    return number


def read_workers(environ: Mapping[str, str]) -> int:
    """Return the number of a dyno's web processes: WEB_CONCURRENCY, or what memory allows."""
    given = env.read(environ, "WEB_CONCURRENCY", convert=count)
    return given or workers_for(memory_limit(), processors())


def read_threads(environ: Mapping[str, str]) -> int:
    """Return the number of threads of a web process: WEB_THREADS, or 4."""
    return env.read(environ, "WEB_THREADS", convert=count) or THREADS


def workers_for(memory: int | None, processors: int) -> int:
    """Return the number of processes for an amount of memory in bytes (None: unlimited) and CPUs.

    Heroku's classic Python buildpack sets WEB_CONCURRENCY in the same way; the cloud-native one
    doesn't set it (Heroku Dev Center, "Optimizing Python Application Concurrency").
    """
    most = 2 * processors + 1
    return most if memory is None else max(1, min(memory // WORKER_BYTES, most))


def processors() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_limit(cgroup: Path = CGROUP) -> int | None:
    """Return the memory limit of the dyno or container in bytes, or None if there is none."""
    # cgroups v2 and v1.
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            limit = int((cgroup / name).read_text(encoding="ascii"))
        except (OSError, ValueError):  # no such file, or "max"
            continue
        # In v1, "no limit" is a number near 2**63.
        return limit if limit < 2**60 else None
    return None


def pool_options(environ: Mapping[str, str], given: bool | Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a process's psycopg pool, overridden by ``given``.

    The pool has at most one connection per thread, and the pools of all processes together leave
    RESERVED connections of the smallest plan's limit. An idle process keeps one connection. A
    request that waits longer than ``timeout`` seconds for a connection fails, long before the
    router's 30 seconds are over.
    """
    share = (SMALLEST_LIMIT - RESERVED) // read_workers(environ)
    size = max(1, min(read_threads(environ), share))
    options: dict[str, Any] = {"min_size": 1, "max_size": size, "timeout": POOL_TIMEOUT}
    if not isinstance(given, bool):
        options |= given
        if "max_size" not in given:
            options["max_size"] = max(options["min_size"], size)
    return options


def serves_asgi() -> bool:
    """Return whether this process serves the site over ASGI.

    An asgi.py usually imports Django's ASGI entry point before the settings, so this works with
    any server, such as Hypercorn.
    """
    return any(name in sys.modules for name in ASGI_MODULES)


def runs_development_server() -> bool:
    """Return whether this process is ``manage.py runserver``, or a package's variant of it."""
    return len(sys.argv) > 1 and sys.argv[1].startswith("runserver")
