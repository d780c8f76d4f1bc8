"""gunicorn's settings on Heroku: ``gunicorn -c python:herokuify.server config.wsgi``.

GUNICORN_CMD_ARGS and the command line override them.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from herokuify import env, logs
from herokuify.conf.processes import read_threads, read_workers, workers_for
from herokuify.env import Stage
from herokuify.server import preload

__all__ = ["all_addresses", "read_server", "workers_for"]

VARIABLES = (
    env.Variable(("PORT",), "gunicorn: the port"),
    env.Variable(("WEB_CONCURRENCY",), "gunicorn: the number of processes"),
    env.Variable(("WEB_THREADS",), "gunicorn: the number of threads of each process"),
    env.Variable(("WEB_PRELOAD",), "gunicorn: true loads the site once, before processes start"),
    env.Variable(("FORWARDED_ALLOW_IPS",), "gunicorn: proxies whose X-Forwarded-Proto is trusted"),
)

LOCAL_BIND = "127.0.0.1:8000"


def read_server(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return gunicorn's settings; raise ConfigurationError for an invalid variable."""
    stage = env.get_stage(environ)
    number = env.read(environ, "PORT", convert=env.port)
    settings: dict[str, Any] = {
        "bind": all_addresses(number) if number else [LOCAL_BIND],
        "workers": read_workers(environ),
        "worker_class": "gthread",
        "threads": read_threads(environ),
        # The router ends a request after 30 seconds, and a dyno is killed 30 seconds after SIGTERM
        # (Heroku Dev Center, "Request Timeout" and "Dyno Shutdown Behavior").
        "timeout": 28,
        "graceful_timeout": 28,
        # Longer than the router's 90 seconds, because the router must close idle connections first
        # ("HTTP Routing", "Keepalives").
        "keepalive": 95,
        "accesslog": "-",
        "errorlog": "-",
        "loglevel": logs.read_level(environ).lower(),
        "logger_class": "herokuify.server.logger.Logger",
        "access_log_format": ACCESS_LINE,
    }
    if Path("/dev/shm").is_dir():  # noqa: S108
        # A dyno's disk may block for longer than the timeout.
        settings["worker_tmp_dir"] = "/dev/shm"  # noqa: S108
    allowed = env.read(environ, "FORWARDED_ALLOW_IPS")
    if allowed or stage is Stage.DYNO:
        # Only the router can connect to a dyno.
        settings["forwarded_allow_ips"] = allowed or "*"
    if env.read(environ, "WEB_PRELOAD", convert=env.boolean):
        settings |= {
            "preload_app": True,
            "when_ready": preload.when_ready,
            "pre_fork": preload.pre_fork,
        }
    return settings


def all_addresses(port: int) -> list[str]:
    """Return what to bind to, to listen at all IPv6 and IPv4 addresses.

    Fir's router uses IPv6 (Heroku Dev Center, "Heroku Generations"), Cedar's IPv4. On most machines
    one socket accepts both; others need a socket for each, or don't support IPv6.
    """
    ipv4, ipv6 = f"0.0.0.0:{port}", f"[::]:{port}"
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            takes_both = not probe.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
            probe.bind(("::", 0))
    except OSError:
        return [ipv4]
    return [ipv6] if takes_both else [ipv4, ipv6]


#: In the router's own format. ``queue`` is the time from the router until a thread is free. Times
#: are in milliseconds.
ACCESS_LINE = (
    'method=%(m)s path="%(path)s" status=%(s)s bytes=%(b)s service=%(M)sms queue=%(queue)sms '
    'fwd="%({x-forwarded-for}i)s"'
)

globals().update(read_server(os.environ))
