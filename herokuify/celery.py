"""Celery's settings for the attached add-on: ``app.conf.update(get_celery_config())``."""

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
PROCESSES = 2  # of a worker, if WEB_CONCURRENCY is not set
#: redis-py's values of ssl_cert_reqs → the constants that Celery requires.
VERIFICATION = {
    None: ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}
#: Add-ons for RabbitMQ: the variable → the title.
RABBITMQ = {
    "CLOUDAMQP_URL": "CloudAMQP",
    "STACKHERO_RABBITMQ_AMQP_URL_TLS": "Stackhero for RabbitMQ",
    "RABBITMQ_URL": "RabbitMQ",
}
#: Seconds that tasks have to finish after SIGTERM. A dyno is killed after 30 (Heroku Dev Center,
#: "Dyno Shutdown Behavior"). Before that, Celery must return tasks with acks_late to the queue.
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
    cases. Without either, the dictionary is empty. The arguments and errors are the same as for
    get_cache_config(); ``variable`` may also be that of a RabbitMQ add-on.
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
        # For threads that wait for results; commands share one connection.
        config["redis_max_connections"] = min(read_threads(environ), max(2, max_connections // 5))
    return config | (broker or {})


def connect_logging() -> None:
    """Let workers log as LOGGING says, with the id of the request that has sent the task.

    Call it where the Celery app is created; calling it again has no effect. Raises
    ConfigurationError if Celery is not installed.
    """
    require_package("celery", install="celery", needed_by="connect_logging()")
    from celery import signals  # type: ignore[import-untyped]

    # If the signal has a receiver, Celery doesn't configure logging itself.
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
        # Celery's default is one process per CPU, of which a small dyno has eight.
        "worker_concurrency": env.read(environ, "WEB_CONCURRENCY", convert=count) or PROCESSES,
        # With REMAP_SIGTERM=SIGQUIT in the Procfile, running tasks have this time to finish.
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
        # A process that sends tasks needs one connection, which threads hold only briefly.
        "broker_pool_limit": 1,
        "broker_transport_options": {
            "socket_connect_timeout": timeouts["socket_connect_timeout"],
            # Must be longer than the 10 seconds that a worker waits for a task.
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
        # Celery's form for a class and its URL.
        "result_backend": f"herokuify.celeryredis:RedisBackend+{server.url}",
        **{f"redis_{name}": value for name, value in server.login.items()},
        **{f"redis_{name}": value for name, value in server.timeouts.items()},
    }
    options = _tls(server, ssl_ca_certs)
    # Not the broker's dictionary: Celery changes it.
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
    parts = urlsplit(env.read(environ, names[0], convert=amqp_url, default="", secret=True))
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = f":{parts.port}" if parts.port else ""
    return {
        # Without the login, because error pages show URLs.
        "broker_url": f"{parts.scheme}://{host}{port}{parts.path}",
        **({"broker_user": unquote(parts.username)} if parts.username else {}),
        **({"broker_password": unquote(parts.password)} if parts.password else {}),
        "broker_pool_limit": 1,
        # As CloudAMQP recommends: its small plans limit connections and messages.
        "broker_heartbeat": None,
        "broker_connection_timeout": 10,
    }


def amqp_url(value: str) -> str:
    """Check an ``amqp://`` or ``amqps://`` URL."""
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
