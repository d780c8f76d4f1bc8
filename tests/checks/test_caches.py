"""Checks of caches: sessions in a process's memory, and options that django-redis ignores."""

from typing import Any

import pytest

from herokuify import get_cache_config
from herokuify.redis import get_redis_config
from tests.checks.conftest import LIVE, SECRET, STAGES, Found, ids, only

REDIS = {"REDIS_URL": f"rediss://:{SECRET}@redis.example.com:6380"}
ENGINE = "django.contrib.sessions.backends."


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    ("engine", "part"),
    [("cache", "is unknown to the others"), ("cached_db", "stays logged in to the others")],
)
def test_sessions_in_local_memory_are_an_error(
    found: Found, stage: str, engine: str, part: str
) -> None:
    messages = found(stage, CACHES=get_cache_config({}), SESSION_ENGINE=ENGINE + engine)
    if stage in LIVE:
        text = only(messages, "E016")
        assert part in text
        assert "get_cache_config()" in text
    else:
        assert messages == []


@pytest.mark.parametrize(
    "changes",
    [
        {"SESSION_ENGINE": ENGINE + "cache", "CACHES": get_cache_config(REDIS)},
        {"SESSION_ENGINE": ENGINE + "db", "CACHES": get_cache_config({})},
        {"SESSION_ENGINE": ENGINE + "signed_cookies", "CACHES": get_cache_config({})},
        {
            "SESSION_ENGINE": ENGINE + "cache",
            "SESSION_CACHE_ALIAS": "sessions",
            "CACHES": {**get_cache_config({}), "sessions": get_cache_config(REDIS)["default"]},
        },
    ],
    ids=["redis", "database", "cookies", "alias"],
)
def test_shared_sessions_are_fine(found: Found, changes: dict[str, Any]) -> None:
    assert ids(found("dyno", **changes)) == []


def test_alias_of_the_sessions_is_checked(found: Found) -> None:
    caches = get_cache_config(REDIS)
    messages = found(
        "dyno", SESSION_ENGINE=ENGINE + "cache", SESSION_CACHE_ALIAS="locmem", CACHES=caches
    )
    assert 'CACHES["locmem"]' in only(messages, "E016")


@pytest.mark.parametrize("stage", STAGES)
def test_herokuifys_options_with_django_redis_are_an_error(found: Found, stage: str) -> None:
    caches = get_cache_config(REDIS)
    caches["default"]["BACKEND"] = "django_redis.cache.RedisCache"
    text = only(found(stage, CACHES=caches), "E017")
    assert "password, socket_connect_timeout, socket_timeout and ssl_cert_reqs" in text
    assert 'get_redis_config("django-redis")' in text


def test_django_redis_with_its_own_options_is_fine(found: Found) -> None:
    pytest.importorskip("redis")
    caches = {"default": get_redis_config("django-redis", REDIS)}
    assert ids(found("dyno", CACHES=caches)) == []
