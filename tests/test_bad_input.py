"""Whatever the environment, the database and cache fragments raise at most one clear error."""

import re
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from herokuify import cache, db, env
from herokuify.cache import get_cache_config
from herokuify.celery import get_celery_config
from herokuify.conf import redis
from herokuify.db import get_db_config
from tests.errors import error_of

Builder = Callable[[Mapping[str, str]], dict[str, Any]]
VARIABLES = [
    (name.replace("<COLOR>", color), variable.secret)
    for module in (cache, db, env, redis)
    for variable in module.VARIABLES
    for name in variable.names
    for color in (("AMBER", "PINK") if "<COLOR>" in name else ("",))
]
NAMES = [name for name, _ in VARIABLES]
SECRETS = [name for name, secret in VARIABLES if secret]
BUILDERS: list[Builder] = [
    get_db_config,
    lambda environ: get_db_config(environ, connection_pool_url=True, followers=True),
    lambda environ: get_db_config(environ, followers=["HEROKU_POSTGRESQL_AMBER_URL"]),
    lambda environ: get_db_config(environ, ssl_require=True, conn_max_age=None),
    get_cache_config,
    lambda environ: get_cache_config(environ, variable="REDIS_URL", ssl_ca_certs="/ca.pem"),
    lambda environ: get_cache_config(environ, variable="HEROKU_REDIS_PINK_URL"),
    lambda environ: get_cache_config(environ, variable="MEMCACHEDCLOUD_SERVERS"),
    get_celery_config,
    lambda environ: get_celery_config(environ, variable="REDISCLOUD_URL"),
]
KEY = "hunter2hunter2"  # a password, or a part of one
SCHEMES = ("postgres", "postgis", "mysql", "sqlite", "redis", "rediss", "http", "x", "")

texts = st.text(max_size=20)
urls = st.builds(
    "{}{}{}:{}@{}{}{}{}".format,
    st.sampled_from(SCHEMES),
    st.sampled_from(["://", ":", "//", ""]),
    texts,
    texts,
    texts | st.sampled_from(["db.example.com", "[::1]", "[", ""]),
    st.sampled_from(["", ":5432", ":0", ":65536", ":port", ":٣"]),
    texts.map("/{}".format) | st.sampled_from(["", "/", "/name", "/0"]),
    texts.map("?{}".format) | st.sampled_from(["?sslmode=maybe", "?ssl_cert_reqs=none", "#"]),
)
values = (
    texts
    | urls
    | st.sampled_from(["web.1", "release.1", "true", "maybe", "5000", "a.example.com:11211", " "])
)


@given(st.dictionaries(st.sampled_from(NAMES), values))
@example({"REDIS_URL": "rediss://[::1]:6379/٣"})
@example({"DATABASE_URL": "postgres://h/n?sslmode=²"})
def test_any_environment_is_read_or_is_one_error_that_names_a_variable(
    environ: dict[str, str],
) -> None:
    for build in BUILDERS:
        error = error_of(build, environ)
        if error is not None:
            assert any(name in str(error) for name in NAMES)
            assert re.search(
                r"heroku |scalingo env-set|fly secrets|railway var| environment on ", str(error)
            )
            assert error.__cause__ is None


@given(
    st.dictionaries(
        st.sampled_from(NAMES), st.sampled_from(["web.1", "true", "5000", "a.example.com"])
    ),
    st.dictionaries(
        st.sampled_from(SECRETS),
        st.builds(
            str.replace,
            st.sampled_from(
                [
                    "%",
                    "u:%",
                    "u:%@h/n",
                    *(f"{scheme}://u:%@h:5432/n" for scheme in SCHEMES),
                    "postgres://u:%@h:port/n",
                    "postgres://u:%@h/n?sslmode=%",
                    "postgres://u:%@h/",
                    "rediss://:%@h/%",
                    "redis://:%@h?ssl_cert_reqs=%",
                    "rediss://:%@h:port",
                ]
            ),
            st.just("%"),
            st.sampled_from([KEY, f"{KEY}/x", f"x#{KEY}", f"{KEY}?{KEY}", f"[{KEY}", f"@{KEY}"]),
        ),
        min_size=1,
    ),
)
def test_no_message_repeats_a_secret(environ: dict[str, str], secrets: dict[str, str]) -> None:
    for build in BUILDERS:
        error = error_of(build, environ | secrets)
        assert error is None or KEY not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    ("build", "name", "value"),
    [
        # bad port, unknown scheme, unquoted password, a boolean, a URL of another service
        (get_db_config, "DATABASE_URL", f"postgres://u:{KEY}@h:port/n"),
        (get_db_config, "DATABASE_URL", f"postgres://u:{KEY}@h:70000/n"),
        (get_db_config, "DATABASE_URL", f"hunter://u:{KEY}@h/n"),
        (get_db_config, "DATABASE_URL", f"postgres://u:{KEY}/x@h/n"),
        (get_db_config, "DATABASE_URL", f"postgres://u:{KEY}@h/n?sslmode=maybe"),
        (get_db_config, "DATABASE_URL", "maybe"),
        (get_db_config, "DATABASE_URL", f"rediss://:{KEY}@h:6379"),
        (get_cache_config, "REDIS_URL", f"rediss://:{KEY}@h:port"),
        (get_cache_config, "REDIS_URL", f"postgres://u:{KEY}@h/n"),
        (get_cache_config, "REDISCLOUD_URL", f"redis://:{KEY}/x@h"),
        (get_cache_config, "REDISCLOUD_URL", "maybe"),
        (get_cache_config, "MEMCACHIER_PASSWORD", KEY),
        (get_cache_config, "MEMCACHEDCLOUD_USERNAME", KEY),
        (get_celery_config, "REDIS_TLS_URL", f"redis://:{KEY}@h?ssl_cert_reqs=none"),
    ],
)
def test_wrong_value_is_one_error_with_its_hint(build: Builder, name: str, value: str) -> None:
    error = error_of(build, {name: value})
    assert error is not None
    assert name in str(error)
    assert "heroku config:set " in str(error)
    assert KEY not in "".join(traceback.format_exception(error))
