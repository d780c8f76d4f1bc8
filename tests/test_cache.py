import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
from django.utils.module_loading import import_string

import herokuify
from herokuify import cache
from herokuify.cache import get_cache_config
from herokuify.conf import redis
from herokuify.exceptions import ConfigurationError

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
REDIS = "herokuify.rediscache.RedisCache"
MEMCACHED = "herokuify.memcached.BinaryMemcachedCache"
TLS_URL = "rediss://:hunter2@redis.example.com:6380"
PLAIN_URL = "redis://:hunter2@redis.example.com:6379"
TLS_LOCATION = "rediss://redis.example.com:6380/0"
PLAIN_LOCATION = "redis://redis.example.com:6379/0"
BOUNDS = {
    "password": "hunter2",
    "socket_connect_timeout": 2.0,
    "socket_timeout": 2.0,
    "max_connections": 2,
    "ignore_exceptions": True,
}
VERIFIED = {
    "ssl_cert_reqs": "required",
    "ssl_ca_certs": "/app/ca.pem",
    "ssl_check_hostname": True,
}
MEMCACHIER = {
    "MEMCACHIER_SERVERS": "a.example.com:11211, b.example.com:11211",
    "MEMCACHIER_USERNAME": "me",
    "MEMCACHIER_PASSWORD": "hunter2",
}
CLOUD = {name.replace("MEMCACHIER", "MEMCACHEDCLOUD"): MEMCACHIER[name] for name in MEMCACHIER}
DYNO = {"DYNO": "web.1", "PORT": "5000"}
EVERYTHING = {
    "REDIS_URL": TLS_URL,
    "REDISCLOUD_URL": PLAIN_URL,
    "HEROKU_REDIS_AMBER_URL": TLS_URL.replace("6380", "7000"),
    **MEMCACHIER,
    **CLOUD,
}


def default_of(environ: dict[str, str], **arguments: Any) -> dict[str, Any]:
    # Otherwise this machine's memory and processors decide how many connections there are.
    return get_cache_config({"WEB_CONCURRENCY": "2"} | environ, **arguments)["default"]


def error_of(environ: dict[str, str], **arguments: Any) -> str:
    """Return the error's message; neither it nor its traceback contains the password."""
    with pytest.raises(ConfigurationError) as caught:
        get_cache_config(environ, **arguments)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


def test_is_exported_by_the_package() -> None:
    assert herokuify.get_cache_config is get_cache_config


@pytest.mark.parametrize("stage", [{}, DYNO, {"CI": "true"}])
@pytest.mark.parametrize("values", [{}, {"REDIS_URL": " ", "MEMCACHIER_SERVERS": ""}])
def test_without_addons_the_cache_is_local_memory(
    stage: dict[str, str], values: dict[str, str]
) -> None:
    assert get_cache_config(stage | values) == {
        "default": {"BACKEND": LOCMEM, "LOCATION": "default"},
        "locmem": {"BACKEND": LOCMEM, "LOCATION": "locmem"},
    }


def test_reads_the_environment_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", PLAIN_URL)
    assert get_cache_config() == get_cache_config({"REDIS_URL": PLAIN_URL})
    monkeypatch.delenv("REDIS_URL")
    assert get_cache_config() == get_cache_config({})


@pytest.mark.parametrize("environ", [{"REDIS_URL": TLS_URL}, MEMCACHIER, CLOUD])
def test_locmem_alias_always_exists(environ: dict[str, str]) -> None:
    assert get_cache_config(environ)["locmem"] == {"BACKEND": LOCMEM, "LOCATION": "locmem"}


class TestRedis:
    @pytest.mark.parametrize(
        "name",
        [
            "REDIS_URL",
            "REDIS_TLS_URL",
            "REDISCLOUD_URL",
            "STACKHERO_REDIS_URL_TLS",
            "STACKHERO_REDIS_URL_CLEAR",
        ],
    )
    def test_self_signed_certificate_is_not_verified(self, name: str) -> None:
        assert default_of({name: f" {TLS_URL}\n"}) == {
            "BACKEND": REDIS,
            "LOCATION": TLS_LOCATION,
            "OPTIONS": BOUNDS | {"ssl_cert_reqs": None},
        }

    @pytest.mark.parametrize("name", ["REDIS_URL", "REDISCLOUD_URL"])
    @pytest.mark.parametrize("authority", [None, "/app/ca.pem"])
    def test_without_tls_has_no_tls_options(self, name: str, authority: str | None) -> None:
        default = default_of({name: PLAIN_URL}, ssl_ca_certs=authority)
        assert default["LOCATION"] == PLAIN_LOCATION
        assert default["OPTIONS"] == BOUNDS

    def test_is_verified_with_a_ca(self) -> None:
        default = default_of({"REDIS_URL": TLS_URL}, ssl_ca_certs="/app/ca.pem")
        assert default["OPTIONS"] == BOUNDS | VERIFIED

    @pytest.mark.parametrize("authority", [None, "/app/ca.pem"])
    @pytest.mark.parametrize("word", ["required", "CERT_REQUIRED"])
    def test_verification_in_the_url_wins(self, authority: str | None, word: str) -> None:
        url = f"{TLS_URL}?ssl_cert_reqs={word}&ssl_ca_certs=/own.pem"
        options = default_of({"REDIS_URL": url}, ssl_ca_certs=authority)["OPTIONS"]
        assert options == BOUNDS | {"ssl_cert_reqs": "required", "ssl_ca_certs": "/own.pem"}

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("ssl_cert_reqs=CERT_NONE", {"ssl_cert_reqs": None}),
            ("ssl_cert_reqs=optional", {"ssl_cert_reqs": "optional"}),
            ("ssl_ca_certs=/app/ca.pem", VERIFIED),
            (
                "ssl_ca_certs=/app/ca.pem&ssl_check_hostname=false",
                VERIFIED | {"ssl_check_hostname": False},
            ),
            ("ssl_certfile=/c", {"ssl_certfile": "/c", "ssl_cert_reqs": None}),
            ("socket_timeout=7&db=3", {"socket_timeout": 7.0, "ssl_cert_reqs": None}),
            ("max_connections=9", {"max_connections": 9, "ssl_cert_reqs": None}),
        ],
    )
    def test_url_parameters_become_options(self, query: str, expected: dict[str, Any]) -> None:
        default = default_of({"REDIS_URL": f"{TLS_URL}?{query}"})
        assert default["OPTIONS"] == BOUNDS | expected
        assert default["LOCATION"].endswith("/3" if "db=3" in query else "/0")

    @pytest.mark.parametrize(
        ("environ", "connections", "expected"),
        [
            ({}, 20, 2),
            ({"WEB_CONCURRENCY": "5"}, 20, 1),
            ({"WEB_CONCURRENCY": "1", "WEB_THREADS": "40"}, 20, 5),
            ({"WEB_CONCURRENCY": "25"}, 20, 1),
            ({"WEB_CONCURRENCY": "5", "WEB_THREADS": "8"}, 400, 8),
        ],
    )
    def test_connection_limit_is_divided_among_processes(
        self, environ: dict[str, str], connections: int, expected: int
    ) -> None:
        found = default_of({"REDIS_URL": TLS_URL} | environ, max_connections=connections)
        assert found["OPTIONS"]["max_connections"] == expected

    @pytest.mark.parametrize(
        ("url", "tls_url", "expected"),
        [
            (PLAIN_URL, TLS_URL, TLS_LOCATION),  # plans before 2024-12
            (TLS_URL, TLS_URL.replace("6380", "1"), TLS_LOCATION),
            ("", TLS_URL, TLS_LOCATION),
            (PLAIN_URL, "", PLAIN_LOCATION),
        ],
    )
    def test_tls_is_preferred(self, url: str, tls_url: str, expected: str) -> None:
        assert default_of({"REDIS_URL": url, "REDIS_TLS_URL": tls_url})["LOCATION"] == expected

    @pytest.mark.parametrize(
        ("url", "location", "login"),
        [
            ("rediss://redis.example.com", "rediss://redis.example.com:6379/0", ()),
            (
                "rediss://h:hunter2@redis.example.com:6380/3",
                "rediss://redis.example.com:6380/3",
                ("h", "hunter2"),
            ),
            ("redis://[::1]:6379/0", "redis://[::1]:6379/0", ()),
            ("redis://localhost/?socket_timeout=3", "redis://localhost:6379/0", ()),
            ("rediss://:p%2Fw%23@redis.example.com:6380", TLS_LOCATION, ("p/w#",)),
        ],
    )
    def test_url_is_split_into_location_and_login(
        self, url: str, location: str, login: tuple[str, ...]
    ) -> None:
        default = default_of({"REDIS_URL": url})
        assert default["LOCATION"] == location
        names = ("username", "password")
        found = [default["OPTIONS"][name] for name in names if name in default["OPTIONS"]]
        assert tuple(found) == login

    @pytest.mark.parametrize("name", ["REDIS_URL", "REDIS_TLS_URL", "REDISCLOUD_URL"])
    @pytest.mark.parametrize(
        "url",
        [
            "hunter2",
            "true",
            "redis.example.com:6379",
            "http://:hunter2@redis.example.com",
            "REDISS://:hunter2@redis.example.com",
            "hunter2://redis.example.com",
            "rediss://",
            "rediss://:hunter2@:6380",
            "rediss://:hunter2@redis.example.com:port",
            "rediss://:hunter2@redis.example.com:0",
            "rediss://:hunter2@redis.example.com:65536",
            "rediss://:hunter2/x@redis.example.com:6380",
            "rediss://:hunter2#x@redis.example.com:6380",
            "rediss://:hunter2?x@redis.example.com:6380",
            "rediss://:hunter2[x@redis.example.com:6380",
            "rediss://:hunter2@redis.example.com:6380/hunter2",
            "rediss://:hunter2@redis.example.com:6380/1#x",
            "rediss://:hunter2@redis.exa\nmple.com",
            "redis://:hunter2@redis.example.com?ssl_cert_reqs=none",
            "rediss://:hunter2@redis.example.com?ssl_cert_reqs=hunter2",
            "rediss://:hunter2@redis.example.com?ssl_check_hostname=hunter2",
            "rediss://:hunter2@redis.example.com?ssl_hunter2=1",
            "rediss://:hunter2@redis.example.com?ssl_ca_certs=",
            "rediss://:hunter2@redis.example.com?socket_timeout=hunter2",
            "rediss://:hunter2@redis.example.com?db=hunter2",
            "rediss://:hunter2@redis.example.com?hunter2",
        ],
    )
    def test_malformed_url_is_one_error(self, name: str, url: str) -> None:
        message = error_of({name: url})
        assert message.startswith(f"ImproperlyConfigured: {name} is malformed; it must")
        assert "a URL " in message
        assert f"heroku config:set {name}=…" in message


class TestMemcached:
    @pytest.mark.parametrize("environ", [MEMCACHIER, CLOUD])
    def test_reads_servers_and_credentials(self, environ: dict[str, str]) -> None:
        assert default_of(environ) == {
            "BACKEND": MEMCACHED,
            "LOCATION": ["a.example.com:11211", "b.example.com:11211"],
            "OPTIONS": {"username": "me", "password": "hunter2", "ignore_exceptions": True},
        }

    def test_reads_an_attachment_with_another_name(self) -> None:
        environ = {name.replace("MEMCACHIER", "CACHE_TWO"): MEMCACHIER[name] for name in MEMCACHIER}
        assert default_of(environ)["BACKEND"] == LOCMEM
        assert default_of(environ, variable="CACHE_TWO_SERVERS") == default_of(MEMCACHIER)
        del environ["CACHE_TWO_PASSWORD"]
        assert "CACHE_TWO_PASSWORD is not set" in error_of(environ, variable="CACHE_TWO_SERVERS")

    @pytest.mark.parametrize("environ", [MEMCACHIER, {"REDIS_URL": TLS_URL}])
    def test_failures_can_be_errors(self, environ: dict[str, str]) -> None:
        options = default_of(environ, ignore_exceptions=False)["OPTIONS"]
        assert options["ignore_exceptions"] is False

    @pytest.mark.parametrize("environ", [MEMCACHIER, CLOUD])
    @pytest.mark.parametrize("missing", range(3))
    @pytest.mark.parametrize("blank", [False, True])
    def test_missing_variable_is_one_error(
        self, environ: dict[str, str], missing: int, blank: bool
    ) -> None:
        name = list(environ)[missing]
        rest = {key: value for key, value in environ.items() if key != name}
        message = error_of(rest | ({name: " "} if blank else {}))
        assert f"but {name} is not set" in message
        assert f"heroku config:set {name}=…" in message

    @pytest.mark.parametrize(
        "servers",
        [
            ",",
            "http://a.example.com",
            "a.example.com:port",
            "a.example.com:",
            "a.example.com:0",
            "a.example.com:65536",
            "a.example.com:11211;b.example.com:11211",
            "a b",
            "me@a.example.com",
            "-a",
        ],
    )
    def test_malformed_servers_are_one_error(self, servers: str) -> None:
        message = error_of(MEMCACHIER | {"MEMCACHIER_SERVERS": servers})
        assert "MEMCACHIER_SERVERS is " in message
        assert "servers separated by commas" in message
        assert "heroku config:set MEMCACHIER_SERVERS=…" in message

    @pytest.mark.parametrize("server", ["localhost", "127.0.0.1:1", "[::1]:11211", "mc-1.ec2.x:9"])
    def test_valid_servers_are_accepted(self, server: str) -> None:
        assert default_of(MEMCACHIER | {"MEMCACHIER_SERVERS": server})["LOCATION"] == [server]


class TestSeveral:
    @pytest.mark.parametrize(
        ("environ", "names"),
        [
            ({"REDIS_URL": TLS_URL, "REDISCLOUD_URL": TLS_URL}, "REDIS_URL and REDISCLOUD_URL are"),
            (MEMCACHIER | CLOUD, "MEMCACHIER_SERVERS and MEMCACHEDCLOUD_SERVERS are"),
            ({"REDIS_TLS_URL": TLS_URL} | MEMCACHIER, "REDIS_URL and MEMCACHIER_SERVERS are"),
            ({"REDIS_URL": "x", "MEMCACHEDCLOUD_PASSWORD": "hunter2"}, "MEMCACHEDCLOUD_SERVERS"),
        ],
    )
    def test_are_an_error_that_says_how_to_choose(
        self, environ: dict[str, str], names: str
    ) -> None:
        message = error_of(environ)
        assert names in message
        assert 'get_cache_config(variable="' in message
        assert "heroku addons:detach" in message

    @pytest.mark.parametrize(
        ("variable", "location"),
        [
            ("REDIS_URL", TLS_LOCATION),
            ("REDISCLOUD_URL", PLAIN_LOCATION),
            ("HEROKU_REDIS_AMBER_URL", TLS_LOCATION.replace("6380", "7000")),
            ("MEMCACHIER_SERVERS", ["a.example.com:11211", "b.example.com:11211"]),
            ("MEMCACHEDCLOUD_SERVERS", ["a.example.com:11211", "b.example.com:11211"]),
        ],
    )
    def test_argument_chooses_one(self, variable: str, location: object) -> None:
        assert default_of(EVERYTHING, variable=variable)["LOCATION"] == location

    @pytest.mark.parametrize("variable", ["HEROKU_REDIS_PINK_URL", "MEMCACHIER_SERVERS"])
    def test_chosen_variable_must_be_set_on_a_dyno(self, variable: str) -> None:
        environ = {"REDIS_URL": TLS_URL}
        assert default_of(environ, variable=variable)["BACKEND"] == LOCMEM
        message = error_of(environ | DYNO, variable=variable)
        assert f"{variable} is not set" in message
        assert f"heroku config:set {variable}=…" in message

    @pytest.mark.parametrize("variable", ["redis", "REDIS", TLS_URL])
    def test_choice_must_be_the_name_of_a_variable(self, variable: str) -> None:
        assert "must be the name of a config var" in error_of({}, variable=variable)


@pytest.mark.parametrize(
    ("environ", "module", "extra"),
    [
        ({"REDIS_URL": TLS_URL}, "redis", "redis"),
        ({"REDISCLOUD_URL": PLAIN_URL}, "redis", "redis"),
        (MEMCACHIER, "bmemcached", "memcached"),
        (CLOUD, "bmemcached", "memcached"),
    ],
)
def test_missing_client_is_named_with_its_extra(
    environ: dict[str, str], module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    message = error_of(environ)
    assert f"The cache at {next(iter(environ))} needs the Python module {module}" in message
    assert f'pip install "herokuify[{extra}]"' in message
    assert default_of({})["BACKEND"] == LOCMEM


@pytest.mark.source_tree
def test_docs_name_every_variable() -> None:
    page = (Path(__file__).parent.parent / "docs" / "cache.md").read_text(encoding="utf-8")
    rows = "".join(row for row in page.splitlines() if row.startswith("|"))
    listed = {name for one in (*cache.VARIABLES, *redis.VARIABLES) for name in one.names}
    assert all(f"`{name}`" in rows for name in listed - {"HEROKU_REDIS_<COLOR>_URL"})
    assert "HEROKU_REDIS_AMBER_URL" in page


@pytest.mark.parametrize(
    "environ", [{"REDIS_URL": TLS_URL}, MEMCACHIER], ids=["redis", "memcached"]
)
@pytest.mark.parametrize("value", ["False", "", "true", None, 0])
def test_ignore_exceptions_must_be_a_boolean(environ: dict[str, str], value: Any) -> None:
    """The text "False" would count as true and hide the server's errors."""
    config = default_of(environ, ignore_exceptions=value)
    kind = import_string(config["BACKEND"])
    with pytest.raises(ConfigurationError, match="ignore_exceptions in a cache's OPTIONS"):
        kind(config["LOCATION"], {"OPTIONS": config["OPTIONS"]})
    kind(config["LOCATION"], {"OPTIONS": {**config["OPTIONS"], "ignore_exceptions": False}})
