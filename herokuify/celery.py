"""Celery on the attached add-on: ``app.conf.update(get_celery_config())``."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from herokuify import env, logs
from herokuify.conf import redis
from herokuify.conf.packages import require_package
from herokuify.conf.processes import count, read_threads

CALL = "get_celery_config"
PROCESSES = 2  # of a worker, where WEB_CONCURRENCY is not set
#: What redis-py calls them → what Celery takes, which knows only the constants.
VERIFICATION = {
    None: ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}
#: Add-ons that run RabbitMQ: the variable → the title.
RABBITMQ = {
    "CLOUDAMQP_URL": "CloudAMQP",
    "STACKHERO_RABBITMQ_AMQP_URL_TLS": "Stackhero for RabbitMQ",
    "RABBITMQ_URL": "RabbitMQ",
}
#: Seconds that tasks have to end after SIGTERM; a dyno is killed after 30 (Heroku Dev Center,
#: "Dyno Shutdown Behavior"), and what is not done by then must be given back to the queue.
SHUTDOWN = 20
HEADER = "herokuify_request_id"


def get_celery_config(
    environ: Mapping[str, str] | None = None,
    *,
    variable: str | None = None,
    ssl_ca_certs: str | os.PathLike[str] | None = None,
    max_connections: int = redis.CONNECTIONS,
) -> dict[str, Any]:
    """Return Celery's settings for the attached broker: URL, TLS, limits and shutdown.

    The broker is a RabbitMQ add-on if one is attached, else Redis, which stores the results in both
    cases. The arguments are the same as for get_cache_config(); ``variable`` may also name
    RabbitMQ's. Raises ConfigurationError like get_cache_config().
    """
    environ = os.environ if environ is None else environ
    broker = _rabbitmq(environ, variable)
    chosen = variable if variable and variable not in RABBITMQ else None
    if chosen is None and broker is None:
        chosen = redis.choose(environ, "Celery", CALL)
    elif chosen is None:
        attached = redis.attached(environ)
        chosen = attached[0] if len(attached) == 1 else None  # results are not needed
    server = redis.read_server(environ, chosen) if chosen else None
    if server is None and chosen is not None:
        redis.refuse_missing_choice(environ, chosen, CALL)
    if server is None and broker is None:
        return {}
    config = _worker(environ)
    if server is not None:
        needed_by = f"Celery at {server.variable}"
        require_package("redis", install="herokuify[redis]", needed_by=needed_by)
        config |= _results(server, ssl_ca_certs)
        if broker is None:
            broker = _redis_broker(server, ssl_ca_certs)
        # For threads that wait for a result; commands share one connection.
        config["redis_max_connections"] = min(read_threads(environ), max(2, max_connections // 5))
    return config | (broker or {})


def connect_logging() -> None:
    """Leave a worker's logs to Django's LOGGING; give tasks the id of the request that sends them.

    Call it where the Celery app is created; calling it again has no effect.
    """
    require_package("celery", install="celery", needed_by="connect_logging()")
    from celery import signals  # type: ignore[import-untyped]

    # With a receiver, Celery configures no logging itself.
    signals.setup_logging.connect(_keep_logging, weak=False, dispatch_uid=HEADER)
    signals.before_task_publish.connect(_send_id, weak=False, dispatch_uid=HEADER)
    signals.task_prerun.connect(_take_id, weak=False, dispatch_uid=HEADER)
    signals.task_postrun.connect(_drop_id, weak=False, dispatch_uid=HEADER)


def _keep_logging(**kwargs: Any) -> None:
    """Do nothing."""


def _send_id(headers: dict[str, Any] | None = None, **kwargs: Any) -> None:
    current = logs.request_id.get()
    if headers is not None and current:
        headers.setdefault(HEADER, current)


def _take_id(task: Any = None, **kwargs: Any) -> None:
    request = task.request
    found = getattr(request, HEADER, None) or (request.headers or {}).get(HEADER)
    logs.request_id.set(logs.checked_request_id(found))


def _drop_id(**kwargs: Any) -> None:
    logs.request_id.set(None)


def _worker(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that every worker on a dyno needs."""
    return {
        # Celery's own default is one process a processor, of which a small dyno has eight.
        "worker_concurrency": env.read(environ, "WEB_CONCURRENCY", convert=count) or PROCESSES,
        # With REMAP_SIGTERM=SIGQUIT in the Procfile: tasks may end, the others go back.
        "worker_soft_shutdown_timeout": SHUTDOWN,
        "broker_connection_retry_on_startup": True,
    }


def _redis_broker(
    server: redis.RedisServer, ssl_ca_certs: str | os.PathLike[str] | None
) -> dict[str, Any]:
    timeouts = server.timeouts
    config: dict[str, Any] = {
        "broker_url": server.url,
        "broker_transport": "herokuify.celeryredis:Transport",
        **({"broker_user": server.username} if server.username else {}),
        **({"broker_password": server.password} if server.password else {}),
        # A process that sends tasks needs one connection, a thread holds it for a moment.
        "broker_pool_limit": 1,
        "broker_transport_options": {
            "socket_connect_timeout": timeouts["socket_connect_timeout"],
            # Longer than a worker waits for a task, which is 10 seconds.
            "socket_timeout": max(15.0, timeouts["socket_timeout"]),
            "socket_keepalive": True,
        },
    }
    options = _tls(server, ssl_ca_certs)
    return config | ({"broker_use_ssl": options} if options else {})


def _results(
    server: redis.RedisServer, ssl_ca_certs: str | os.PathLike[str] | None
) -> dict[str, Any]:
    config: dict[str, Any] = {
        # Celery takes a class and its URL in this form.
        "result_backend": f"herokuify.celeryredis:RedisBackend+{server.url}",
        **{f"redis_{name}": value for name, value in server.login.items()},
        **{f"redis_{name}": value for name, value in server.timeouts.items()},
    }
    options = _tls(server, ssl_ca_certs)
    # One dict each: Celery adds to what it is given.
    return config | ({"redis_backend_use_ssl": options} if options else {})


def _tls(server: redis.RedisServer, ssl_ca_certs: str | os.PathLike[str] | None) -> dict[str, Any]:
    options = server.tls_options(ssl_ca_certs)
    if options:
        options["ssl_cert_reqs"] = VERIFICATION[options["ssl_cert_reqs"]]
    return options


def _rabbitmq(environ: Mapping[str, str], variable: str | None) -> dict[str, Any] | None:
    names = [name for name in RABBITMQ if env.is_set(environ, name)]
    if variable in RABBITMQ:
        if variable not in names:
            redis.refuse_missing_choice(environ, variable, CALL)
            return None
        names = [variable]
    elif variable is not None or not names:
        return None
    elif len(names) > 1:
        raise redis.ambiguous(names, "Celery", CALL)
    url = env.read(environ, names[0], convert=amqp_url, secret=True) or ""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = f":{parts.port}" if parts.port else ""
    return {
        # Without the login, which error pages would show.
        "broker_url": f"{parts.scheme}://{host}{port}{parts.path}",
        **({"broker_user": unquote(parts.username)} if parts.username else {}),
        **({"broker_password": unquote(parts.password)} if parts.password else {}),
        "broker_pool_limit": 1,
        # CloudAMQP's own advice: its small plans count connections and messages.
        "broker_heartbeat": None,
        "broker_connection_timeout": 10,
    }


def amqp_url(value: str) -> str:
    """Check a URL of amqp or amqps, with a host."""
    shape = "a URL like amqps://user:password@host/vhost, with user and password percent-encoded"
    try:
        parts = urlsplit(env.url(value))
    except ValueError:
        raise ValueError(shape) from None
    if parts.scheme not in {"amqp", "amqps"} or parts.query or parts.fragment:
        raise ValueError(shape)
    return value


VARIABLES = tuple(
    env.Variable((name,), f"Celery's broker: {title}", secret=True)
    for name, title in RABBITMQ.items()
)
