"""Caches whose server is silent, down, full or at its limit: timeouts and messages."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import CacheHandler
from redis import Redis as Client

from herokuify import rediscache
from herokuify.cache import get_cache_config
from tests.services.conftest import redis_with
from tests.services.daemons import HOST, PASSWORD, QUOTED, Memcached, Redis

Open = Callable[..., Any]
SECONDS = 12  # for one command on a silent server: two timeouts, with a margin for a busy machine


def forget() -> None:
    """Close the pools of this process, and forget which servers are down."""
    for pool in rediscache._pools.values():
        pool.disconnect()
    rediscache._pools.clear()
    rediscache._down.clear()


@pytest.fixture(autouse=True)
def isolated() -> Iterator[None]:
    """Share no pool with other tests."""
    forget()
    yield
    forget()


def open_cache(environ: dict[str, str], **arguments: Any) -> Any:
    return CacheHandler(get_cache_config(environ, **arguments))["default"]


def variables(kind: str, port: int) -> dict[str, str]:
    return {
        "redis": {"REDIS_URL": f"redis://:{QUOTED}@{HOST}:{port}"},
        "rediss": {"REDIS_URL": f"rediss://:{QUOTED}@{HOST}:{port}"},
        "memcached": Memcached((f"{HOST}:{port}",)).variables("MEMCACHIER"),
    }[kind]


@pytest.mark.parametrize("kind", ["redis", "rediss", "memcached"])
@pytest.mark.parametrize("state", ["silent_port", "closed_port"])
class TestUnreachable:
    def test_acts_as_an_empty_cache(
        self, kind: str, state: str, request: pytest.FixtureRequest
    ) -> None:
        cache = open_cache(variables(kind, request.getfixturevalue(state)))
        start = time.monotonic()
        assert cache.get("key", "default") == "default"
        assert time.monotonic() - start < SECONDS
        # A page may read many keys: their timeouts don't add up.
        start = time.monotonic()
        cache.set("key", 1)
        assert cache.add("key", 1) is False
        assert cache.touch("key") is False
        assert cache.delete("key") is False
        assert "key" not in cache
        assert cache.get_many(["key"]) == {}
        assert cache.set_many({"key": 1}) == ["key"]
        with pytest.raises(ValueError, match="not found"):
            cache.incr("key")
        cache.delete_many(["key"])
        assert time.monotonic() - start < SECONDS

    def test_raises_an_error_unless_exceptions_are_ignored(
        self, kind: str, state: str, request: pytest.FixtureRequest
    ) -> None:
        environ = variables(kind, request.getfixturevalue(state))
        start = time.monotonic()
        cache = open_cache(environ, ignore_exceptions=False)
        with pytest.raises(Exception, match="does not respond.*heroku ") as caught:
            cache.get("key")
        assert caught.type.__name__ in {"ConnectionError", "TimeoutError"}
        assert time.monotonic() - start < SECONDS
        if state == "closed_port":
            for command, *arguments in (
                ("set", "key", 1),
                ("add", "key", 1),
                ("touch", "key"),
                ("delete", "key"),
                ("incr", "key"),
                ("get_many", ["key"]),
                ("set_many", {"key": 1}),
            ):
                with pytest.raises(caught.type, match="does not respond"):
                    getattr(cache, command)(*arguments)


def test_warning_names_the_server_but_no_secret(
    closed_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    cache = open_cache(variables("redis", closed_port))
    with caplog.at_level(logging.WARNING):
        assert cache.get("key") is None
        assert cache.get("key") is None
    (record,) = caplog.records  # one per pause, not per key
    assert record.levelname == "WARNING"
    assert f"Redis at {HOST} does not respond (ConnectionError: " in record.getMessage()
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize("ignore", [True, False])
def test_wrong_password_is_never_ignored(redis: Redis, ignore: bool) -> None:
    cache = open_cache(
        {"REDIS_URL": redis.url.replace(QUOTED, "hunter2")}, ignore_exceptions=ignore
    )
    with pytest.raises(Exception, match="(?i)invalid") as caught:
        cache.get("key")
    assert caught.type.__name__ == "AuthenticationError"
    assert "hunter2" not in str(caught.value)


def clients_of(server: Client) -> int:
    """Count a server's connections, without the one that asks."""
    return len([one for one in server.client_list() if one["id"] != str(server.client_id())])


def in_threads(number: int, task: Callable[[], object]) -> list[BaseException]:
    """Run a task in many threads at the same time; return the exceptions."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(number)

    def run() -> None:
        barrier.wait()
        try:
            for _ in range(20):
                task()
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


class TestConnections:
    def test_threads_share_a_bounded_pool(self, redis: Redis) -> None:
        with Client.from_url(redis.url) as server:
            before = clients_of(server)
            handler = CacheHandler(
                get_cache_config({"REDIS_URL": redis.url, "WEB_CONCURRENCY": "5"})
            )
            handler["default"].set("key", 1)
            assert in_threads(12, lambda: handler["default"].get("key")) == []
            # A quarter of the 20 connections is for the cache, a fifth of it for this process.
            assert clients_of(server) - before <= 1

    def test_exhausted_pool_is_named(
        self, redis: Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(rediscache, "POOL_WAIT", 0.1)
        environ = {"REDIS_URL": redis.url}
        cache = open_cache(environ, max_connections=4, ignore_exceptions=False)
        pool = cache._cache._get_connection_pool(write=False)
        held = pool.get_connection()
        try:
            with pytest.raises(Exception, match=r"All 1 connections .* in use .*max_connections"):
                cache.get("key")
            # A cache that ignores exceptions shares the pool.
            assert open_cache(environ, max_connections=4).get("key", 7) == 7
        finally:
            pool.release(held)
        assert "All 1 connections of this process" in caplog.text

    @pytest.mark.once
    def test_limit_of_the_plan_is_named(self, caplog: pytest.LogCaptureFixture) -> None:
        with redis_with("--maxclients", "2") as server:
            url = server.url
            with Client.from_url(url) as one, Client.from_url(url) as two:
                one.ping()
                two.ping()
                cache = open_cache({"REDIS_URL": url}, ignore_exceptions=False)
                with pytest.raises(
                    Exception, match=r"accepts no more connections.*max_connections"
                ):
                    cache.get("key")
                assert open_cache({"REDIS_URL": url}).get("key", 7) == 7
        assert "the plan's limit is reached" in caplog.text


@pytest.mark.once
def test_full_server_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with redis_with("--maxmemory", "3mb", "--maxmemory-policy", "noeviction") as server:
        cache = open_cache({"REDIS_URL": server.url})
        for number in range(200):
            cache.set(str(number), "x" * 100_000)
        assert "is full" in caplog.text
        assert "heroku redis:maxmemory --policy volatile-lru" in caplog.text
        # The server isn't down: it can be read.
        assert cache.get("0") == "x" * 100_000
        strict = open_cache({"REDIS_URL": server.url}, ignore_exceptions=False)
        with pytest.raises(Exception, match="is full"):
            strict.set("more", "x" * 100_000)


def test_clear_keeps_other_keys(redis: Redis) -> None:
    cache = open_cache({"REDIS_URL": redis.url})
    with Client.from_url(redis.url) as server:
        server.rpush("a queue", "a task")
        server.set("x:1:other", "1")
        cache.set_many({str(number): number for number in range(1200)})
        cache.set("other", 1, version=2)
        assert cache.clear() is True
        assert cache.get_many(["1", "2"]) == {}
        assert cache.get("other", version=2) is None
        assert server.lrange("a queue", 0, -1) == [b"a task"]
        assert server.delete("a queue", "x:1:other") == 2
