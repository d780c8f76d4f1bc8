import ssl
import sys
import traceback

import pytest

from herokuify.celery import get_celery_config
from herokuify.exceptions import ConfigurationError

TLS_URL = "rediss://:hunter2@redis.example.com:6380"
PLAIN_URL = "redis://:hunter2@redis.example.com:6379"
TLS_BROKER = "rediss://redis.example.com:6380/0"
PLAIN_BROKER = "redis://redis.example.com:6379/0"
BACKEND = "herokuify.celeryredis:RedisBackend"
AMQP_URL = "amqps://me:hunter2@rabbit.example.com/vhost"
DYNO = {"DYNO": "worker.1"}


def error_of(environ: dict[str, str], variable: str | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        get_celery_config(environ, variable=variable)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


@pytest.mark.parametrize("environ", [{}, DYNO, {"REDIS_URL": " "}, {"MEMCACHIER_SERVERS": "a"}])
def test_nothing_is_set_without_redis(environ: dict[str, str]) -> None:
    assert get_celery_config(environ) == {}


def test_reads_the_environment_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", PLAIN_URL)
    assert get_celery_config() == get_celery_config({"REDIS_URL": PLAIN_URL})
    assert get_celery_config() == {
        "broker_url": PLAIN_BROKER,
        "broker_transport": "herokuify.celeryredis:Transport",
        "broker_password": "hunter2",
        "broker_pool_limit": 1,
        "broker_transport_options": {
            "socket_connect_timeout": 2.0,
            "socket_timeout": 15.0,
            "socket_keepalive": True,
        },
        "broker_connection_retry_on_startup": True,
        "result_backend": f"{BACKEND}+{PLAIN_BROKER}",
        "redis_password": "hunter2",
        "redis_socket_connect_timeout": 2.0,
        "redis_socket_timeout": 2.0,
        "redis_max_connections": 4,
        "worker_concurrency": 2,
        "worker_soft_shutdown_timeout": 20,
    }


@pytest.mark.parametrize("name", ["REDIS_URL", "REDIS_TLS_URL", "REDISCLOUD_URL"])
def test_tls_is_not_verified_without_a_ca(name: str) -> None:
    config = get_celery_config({name: TLS_URL})
    assert config["broker_url"] == TLS_BROKER
    assert config["result_backend"] == f"{BACKEND}+{TLS_BROKER}"
    assert config["broker_use_ssl"] == {"ssl_cert_reqs": ssl.CERT_NONE}
    assert config["redis_backend_use_ssl"] == {"ssl_cert_reqs": ssl.CERT_NONE}
    assert config["broker_use_ssl"] is not config["redis_backend_use_ssl"]


def test_tls_is_verified_with_a_ca() -> None:
    config = get_celery_config({"REDIS_URL": TLS_URL}, ssl_ca_certs="/app/ca.pem")
    assert config["broker_use_ssl"] == config["redis_backend_use_ssl"]
    assert config["broker_use_ssl"] == {
        "ssl_cert_reqs": ssl.CERT_REQUIRED,
        "ssl_ca_certs": "/app/ca.pem",
        "ssl_check_hostname": True,
    }


def test_verification_in_the_url_wins() -> None:
    url = f"{TLS_URL}?ssl_cert_reqs=required"
    config = get_celery_config({"REDIS_URL": url}, ssl_ca_certs="/app/ca.pem")
    assert config["broker_use_ssl"] == {"ssl_cert_reqs": ssl.CERT_REQUIRED}


def test_two_servers_are_an_error_that_says_how_to_choose() -> None:
    environ = {"REDIS_URL": TLS_URL, "REDISCLOUD_URL": PLAIN_URL}
    assert 'get_celery_config(variable="REDIS_URL")' in error_of(environ)
    config = get_celery_config(environ, variable="REDISCLOUD_URL")
    assert config["broker_url"] == PLAIN_BROKER


def test_memcached_is_ignored() -> None:
    environ = {"REDIS_URL": PLAIN_URL, "MEMCACHIER_SERVERS": "a"}
    assert get_celery_config(environ)["broker_url"] == PLAIN_BROKER


@pytest.mark.parametrize(
    "name", ["CLOUDAMQP_URL", "STACKHERO_RABBITMQ_AMQP_URL_TLS", "RABBITMQ_URL"]
)
def test_rabbitmq_is_the_broker_and_redis_keeps_results(name: str) -> None:
    config = get_celery_config({name: AMQP_URL})
    assert config["broker_url"] == "amqps://rabbit.example.com/vhost"
    assert (config["broker_user"], config["broker_password"]) == ("me", "hunter2")
    assert "result_backend" not in config
    both = {name: AMQP_URL, "REDIS_URL": TLS_URL}
    assert get_celery_config(both)["broker_url"] == config["broker_url"]
    assert get_celery_config(both)["result_backend"] == f"{BACKEND}+{TLS_BROKER}"
    assert "broker_use_ssl" not in get_celery_config(both)
    assert get_celery_config(both, variable=name) == get_celery_config(both)
    assert get_celery_config(both, variable="REDIS_URL")["broker_url"] == TLS_BROKER
    for wrong in ("hunter2", TLS_URL, f"{AMQP_URL}?a=b", "amqp://me:hunter2@"):
        assert f"{name} is malformed; it must be" in error_of({name: wrong})
    assert f"{name} is not set" in error_of(DYNO, name)


def test_two_brokers_are_an_error_that_says_how_to_choose() -> None:
    environ = {"CLOUDAMQP_URL": AMQP_URL, "RABBITMQ_URL": AMQP_URL}
    assert 'get_celery_config(variable="CLOUDAMQP_URL")' in error_of(environ)
    assert get_celery_config(environ, variable="RABBITMQ_URL")


def test_chosen_variable_must_be_set_on_a_dyno() -> None:
    name = "HEROKU_REDIS_PINK_URL"
    assert get_celery_config({}, variable=name) == {}
    assert f"{name} is not set" in error_of(DYNO, name)


@pytest.mark.parametrize("url", ["hunter2", "rediss://:hunter2/@h", "amqp://me:hunter2@host"])
def test_malformed_url_is_one_error(url: str) -> None:
    assert "REDIS_URL is malformed; it must be" in error_of({"REDIS_URL": url})


def test_missing_client_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)  # as if it were not installed
    assert 'pip install "herokuify[redis]"' in error_of({"REDIS_URL": TLS_URL})
