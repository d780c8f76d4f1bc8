"""Caches by get_cache_config() behave the same on all servers."""

import os
import pickle
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import CacheHandler
from django.core.cache.backends.base import BaseCache

from herokuify import memcached as backend
from herokuify.cache import get_cache_config
from herokuify.exceptions import ConfigurationError
from tests import project
from tests.services.daemons import Memcached, Redis

SERVICES = ("locmem", "redis", "redis-tls", "rediscloud-tls", "memcachier", "memcachedcloud")
Open = Callable[..., BaseCache]


@pytest.fixture
def open_cache() -> Iterator[Open]:
    """Open a cache by config vars; its connections are closed after the test."""
    opened: list[Any] = []

    def open_it(environ: dict[str, str], **arguments: Any) -> BaseCache:
        cache = CacheHandler(get_cache_config(environ, **arguments))["default"]
        opened.append(cache)
        return cache

    yield open_it
    for cache in opened:
        if hasattr(cache, "_servers") and hasattr(cache._cache, "_pools"):
            for pool in cache._cache._pools.values():
                pool.disconnect()
        elif isinstance(cache, backend.BinaryMemcachedCache):
            cache._cache.disconnect_all()


def variables(service: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the config vars of a running service."""
    if service == "locmem":
        return {}
    if service.startswith("redis"):
        redis: Redis = request.getfixturevalue("redis")
        return {
            "redis": {"REDIS_URL": redis.url},
            "redis-tls": {"REDIS_URL": redis.tls_url},
            "rediscloud-tls": {"REDISCLOUD_URL": f"{redis.tls_url}/1"},
        }[service]
    memcached: Memcached = request.getfixturevalue("memcached")
    return memcached.variables(service.upper())


@pytest.fixture(params=SERVICES)
def cache(request: pytest.FixtureRequest, open_cache: Open) -> BaseCache:
    """An empty cache on each service."""
    cache = open_cache(variables(request.param, request))
    cache.clear()
    return cache


class TestCache:
    @pytest.mark.parametrize(
        "value", [None, "", "text ü", b"\x00bytes", 7, -7, 1.5, True, {"a": [1, (2,)]}, "x" * 5000]
    )
    def test_values_are_returned_unchanged(self, cache: BaseCache, value: object) -> None:
        cache.set("key", value)
        found = cache.get("key", "default")
        assert found == value
        assert type(found) is type(value)
        assert "key" in cache
        assert cache.get_many(["key", "other"]) == {"key": value}

    def test_missing_keys(self, cache: BaseCache) -> None:
        assert cache.get("key") is None
        assert cache.get("key", "default") == "default"
        assert "key" not in cache
        assert cache.get_many(["key"]) == {}
        assert cache.get_many([]) == {}

    def test_add(self, cache: BaseCache) -> None:
        assert cache.add("key", 1) is True
        assert cache.add("key", 2) is False
        assert cache.get("key") == 1
        assert cache.get_or_set("key", 3) == 1

    def test_delete(self, cache: BaseCache) -> None:
        cache.set("key", 1)
        assert cache.delete("key") is True
        assert cache.delete("key") is False
        cache.set_many({"a": 1, "b": 2, "c": 3})
        cache.delete_many(["a", "b", "gone"])
        assert cache.get_many(["a", "b", "c"]) == {"c": 3}
        cache.clear()
        assert cache.get("c") is None

    def test_incr_and_decr(self, cache: BaseCache) -> None:
        cache.set("n", 41)
        assert cache.incr("n") == 42
        assert cache.incr("n", 8) == 50
        assert cache.decr("n", 20) == 30
        assert cache.incr("n", -5) == 25
        assert cache.get("n") == 25

    @pytest.mark.parametrize("command", ["incr", "decr"])
    def test_incr_and_decr_of_a_missing_key(self, cache: BaseCache, command: str) -> None:
        with pytest.raises(ValueError, match="n"):
            getattr(cache, command)("n")
        assert "n" not in cache

    def test_touch(self, cache: BaseCache) -> None:
        assert cache.touch("key") is False
        cache.set("key", {"a": 1}, timeout=100)
        assert cache.touch("key", 200) is True
        assert cache.get("key") == {"a": 1}
        assert cache.touch("key", 0) is True
        assert "key" not in cache

    @pytest.mark.parametrize("timeout", [0, -1])
    def test_expires_immediately(self, cache: BaseCache, timeout: int) -> None:
        cache.set("key", 1)
        cache.set("key", 2, timeout=timeout)
        assert cache.get("key") is None
        cache.add("key", 1, timeout=timeout)
        assert cache.get("key") is None
        cache.set_many({"key": 1}, timeout=timeout)
        assert cache.get("key") is None

    @pytest.mark.parametrize("timeout", [None, 100, 60 * 60 * 24 * 31])
    def test_has_not_expired(self, cache: BaseCache, timeout: int | None) -> None:
        cache.set("key", 1, timeout=timeout)
        cache.set_many({"other": 2}, timeout=timeout)
        assert cache.get_many(["key", "other"]) == {"key": 1, "other": 2}

    def test_versions(self, cache: BaseCache) -> None:
        cache.set("key", 1, version=2)
        assert cache.get("key") is None
        assert cache.incr_version("key", version=2) == 3
        assert cache.get("key", version=3) == 1

    def test_can_be_used_after_close(self, cache: BaseCache) -> None:
        cache.set("key", 1)
        cache.close()
        assert cache.get("key") == 1


class TestRedisTls:
    def test_is_verified_with_a_ca(self, redis: Redis, open_cache: Open) -> None:
        cache = open_cache({"REDIS_URL": redis.tls_url}, ssl_ca_certs=redis.certificate)
        cache.set("verified", 1)
        assert cache.get("verified") == 1

    def test_with_another_ca_is_refused(self, redis: Redis, open_cache: Open) -> None:
        cache = open_cache({"REDIS_URL": redis.tls_url}, ssl_ca_certs=redis.other_certificate)
        with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED") as caught:
            cache.get("key")
        assert caught.type.__module__ == "redis.exceptions"

    def test_for_another_host_is_refused(self, redis: Redis, open_cache: Open) -> None:
        url = redis.tls_url.replace("127.0.0.1", "localhost")
        with pytest.raises(Exception, match="Hostname mismatch"):
            open_cache({"REDIS_URL": url}, ssl_ca_certs=redis.certificate).get("key")

    def test_verification_required_by_the_url(self, redis: Redis, open_cache: Open) -> None:
        query = "?ssl_cert_reqs=required"
        with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
            open_cache({"REDIS_URL": redis.tls_url + query}).get("key")
        trusted = f"{query}&ssl_ca_certs={redis.certificate}"
        cache = open_cache({"REDIS_URL": redis.tls_url + trusted})
        cache.set("key", 1)
        assert cache.get("key") == 1


class TestMemcached:
    def test_spreads_keys_over_all_servers(self, memcached: Memcached, open_cache: Open) -> None:
        cache: Any = open_cache(memcached.variables("MEMCACHIER"))

        def writes() -> list[int]:
            return [int(stats["cmd_set"]) for stats in cache._cache.stats().values()]

        before = writes()
        assert cache.set_many({str(number): number for number in range(60)}) == []
        assert cache.get_many(map(str, range(60))) == {str(n): n for n in range(60)}
        counts = [now - then for now, then in zip(writes(), before, strict=True)]
        assert sum(counts) == 60
        assert all(counts)

    def test_wrong_password_is_an_error_without_it(
        self, memcached: Memcached, open_cache: Open
    ) -> None:
        environ = memcached.variables("MEMCACHIER") | {"MEMCACHIER_PASSWORD": "hunter2"}
        for command, *arguments in (("get",), ("touch",), ("incr",), ("set", 1), ("add", 1)):
            cache = open_cache(environ)
            with pytest.raises(Exception, match="Auth failure") as caught:
                getattr(cache, command)("key", *arguments)
            assert caught.type.__module__ == "bmemcached.exceptions"
            assert "hunter2" not in str(caught.value)

    def test_server_that_is_down_is_an_empty_cache(self, open_cache: Open) -> None:
        down = Memcached(("127.0.0.1:1",)).variables("MEMCACHIER")
        cache = open_cache(down)
        cache.set("key", 1)
        assert cache.get("key", "default") == "default"
        assert cache.add("key", 1) is False
        assert cache.touch("key") is False
        assert cache.delete("key") is False
        assert cache.get_many(["key"]) == {}
        assert cache.set_many({"key": 1}) == ["key"]

    def test_value_that_is_too_large_removes_the_key(
        self, memcached: Memcached, open_cache: Open
    ) -> None:
        cache = open_cache(memcached.variables("MEMCACHIER"))
        large = os.urandom(2 * 1024 * 1024)  # the server takes 1 MB
        cache.set("key", 1)
        cache.set("key", large)
        assert cache.get("key") is None
        assert cache.add("other", large) is False
        assert cache.set_many({"key": large, "small": 1}) == ["key"]
        assert cache.get("small") == 1

    def test_incr_of_a_text_is_an_error(self, memcached: Memcached, open_cache: Open) -> None:
        cache = open_cache(memcached.variables("MEMCACHIER"))
        cache.set("key", "text")
        with pytest.raises(Exception, match="(?i)code: 6"):
            cache.incr("key")

    def test_touch_keeps_a_value_that_another_client_sets(
        self, memcached: Memcached, open_cache: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cache: Any = open_cache(memcached.variables("MEMCACHIER"))
        other = open_cache(memcached.variables("MEMCACHIER"))
        cache.set("key", "old")
        read = cache._cache.gets

        def read_before_another_sets(key: str) -> object:
            found = read(key)
            other.set("key", "new")
            return found

        monkeypatch.setattr(cache._cache, "gets", read_before_another_sets)
        assert cache.touch("key", 100) is False
        assert other.get("key") == "new"

    def test_keeps_its_connections_between_requests(
        self, memcached: Memcached, open_cache: Open
    ) -> None:
        cache: Any = open_cache(memcached.variables("MEMCACHIER"))
        cache.set("key", 1)
        (server,) = [one for one in cache._cache.servers if one.connection]
        connection = server.connection
        cache.close()
        assert cache.get("key") == 1
        assert server.connection is connection

    def test_pickles_as_django_does(self, memcached: Memcached, open_cache: Open) -> None:
        cache: Any = open_cache(memcached.variables("MEMCACHIER"))
        (server, *_) = cache._cache.servers
        assert server.pickle_protocol == pickle.HIGHEST_PROTOCOL

    def test_rejects_keys_that_memcached_does_not_take(
        self, memcached: Memcached, open_cache: Open
    ) -> None:
        cache = open_cache(memcached.variables("MEMCACHIER"))
        for key in ("a b", "x" * 300):
            with pytest.raises(Exception, match="memcached"):
                cache.get(key)


def test_sessions_use_the_cache(
    redis: Redis, memcached: Memcached, make_project: Callable[..., project.Project]
) -> None:
    site = make_project(
        "import herokuify\n"
        "SECRET_KEY = 'x'\n"
        "USE_TZ = True\n"
        "CACHES = herokuify.get_cache_config()\n"
        "SESSION_ENGINE = 'django.contrib.sessions.backends.cache'\n"
    )
    source = (
        "from django.contrib.sessions.backends.cache import SessionStore\n"
        "from django.core.cache import caches\n"
        "session = SessionStore(); session['name'] = 'Ada'; session.save()\n"
        "print(SessionStore(session.session_key)['name'], type(caches['default']).__name__)\n"
    )
    for environ, name in (
        ({"REDIS_URL": redis.tls_url}, "RedisCache"),
        (memcached.variables("MEMCACHIER"), "BinaryMemcachedCache"),
    ):
        result = site.snippet(source, env={"DYNO": "web.1", "PORT": "1", **environ})
        assert result.stdout.split() == ["Ada", name], result.stderr


def test_backend_names_the_extra_that_is_missing(
    memcached: Memcached, open_cache: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = get_cache_config(memcached.variables("MEMCACHIER"))
    monkeypatch.setitem(sys.modules, "bmemcached", None)
    with pytest.raises(ConfigurationError, match="BinaryMemcachedCache needs") as caught:
        CacheHandler(config)["default"]
    assert 'pip install "herokuify[memcached]"' in str(caught.value)
    assert memcached.password not in str(caught.value)
