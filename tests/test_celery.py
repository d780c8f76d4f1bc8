import ssl
import sys
import traceback

import pytest

from herokuify.celery import get_celery_config
from herokuify.exceptions import ConfigurationError

TLS_URL = "rediss://:hunter2@redis.example.com:6380"
PLAIN_URL = "redis://:hunter2@redis.example.com:6379"
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
    assert get_celery_config() == {"broker_url": PLAIN_URL, "result_backend": PLAIN_URL}


@pytest.mark.parametrize("name", ["REDIS_URL", "REDIS_TLS_URL", "REDISCLOUD_URL"])
def test_tls_is_not_verified_without_a_ca(name: str) -> None:
    config = get_celery_config({name: TLS_URL})
    assert config == {
        "broker_url": TLS_URL,
        "result_backend": TLS_URL,
        "broker_use_ssl": {"ssl_cert_reqs": ssl.CERT_NONE},
        "redis_backend_use_ssl": {"ssl_cert_reqs": ssl.CERT_NONE},
    }
    assert config["broker_use_ssl"] is not config["redis_backend_use_ssl"]


def test_tls_is_verified_with_a_ca() -> None:
    config = get_celery_config({"REDIS_URL": TLS_URL}, ssl_ca_certs="/app/ca.pem")
    assert config["broker_use_ssl"] == config["redis_backend_use_ssl"]
    assert config["broker_use_ssl"] == {
        "ssl_cert_reqs": ssl.CERT_REQUIRED,
        "ssl_ca_certs": "/app/ca.pem",
        "ssl_check_hostname": True,
    }


def test_the_urls_verification_wins() -> None:
    url = f"{TLS_URL}?ssl_cert_reqs=required"
    config = get_celery_config({"REDIS_URL": url}, ssl_ca_certs="/app/ca.pem")
    assert config == {"broker_url": url, "result_backend": url}


def test_two_servers_are_one_error_that_says_how_to_choose() -> None:
    environ = {"REDIS_URL": TLS_URL, "REDISCLOUD_URL": PLAIN_URL}
    assert 'get_celery_config(variable="REDIS_URL")' in error_of(environ)
    config = get_celery_config(environ, variable="REDISCLOUD_URL")
    assert config["broker_url"] == PLAIN_URL


def test_memcached_beside_it_is_the_caches_affair() -> None:
    environ = {"REDIS_URL": PLAIN_URL, "MEMCACHIER_SERVERS": "a"}
    assert get_celery_config(environ)["broker_url"] == PLAIN_URL


def test_a_choice_that_is_not_set() -> None:
    name = "HEROKU_REDIS_PINK_URL"
    assert get_celery_config({}, variable=name) == {}
    assert f"{name} is not set" in error_of(DYNO, name)


@pytest.mark.parametrize("url", ["hunter2", "rediss://:hunter2/@h", "amqp://me:hunter2@host"])
def test_malformed_url_is_one_error(url: str) -> None:
    assert "REDIS_URL is set to something else; it must be" in error_of({"REDIS_URL": url})


def test_missing_client_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)  # as if it were not installed
    assert 'pip install "herokuify[redis]"' in error_of({"REDIS_URL": TLS_URL})
