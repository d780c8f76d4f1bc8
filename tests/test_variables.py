"""VARIABLES of each module lists exactly the variables that the module reads."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from types import ModuleType

import pytest

from herokuify import (
    aws,
    cache,
    celery,
    common,
    db,
    env,
    logs,
    server,
)
from herokuify.conf import addons, hosts, redis
from herokuify.env import Variable
from herokuify.exceptions import ConfigurationError
from herokuify.mail import config, mailgun, postmark, sendgrid

#: For each module that reads variables, its functions that read them from a mapping.
BUILDERS: dict[ModuleType, list[Callable[[Mapping[str, str]], object]]] = {
    env: [env.get_stage],
    addons: [addons.find_addon],
    aws: [aws.read_aws, lambda environ: aws.get_static_url(environ=environ)],
    cache: [cache.get_cache_config],
    celery: [celery.get_celery_config],
    db: [lambda environ: db.get_db_config(environ, connection_pool_url=True, followers=True)],
    redis: [
        celery.get_celery_config,
        lambda environ: redis.read_server(environ, redis.HEROKU),
        lambda environ: redis.read_server(environ, "HEROKU_REDIS_PINK_URL"),
    ],
    common: [common.read_common],
    config: [config.get_email_config],
    hosts: [lambda environ: hosts.read_hosts(environ, is_local=True)],
    logs: [logs.read_level, logs.read_format],
    mailgun: [mailgun.read_mailgun],
    postmark: [postmark.read_postmark],
    sendgrid: [sendgrid.read_sendgrid],
    server: [server.read_server],
}
VALUES = (
    *("", "nonsense", "true", "587", "https://b.s3.amazonaws.com/c", "a.example.com"),
    *("postgres://me@db.example.com/name", "rediss://redis.example.com"),
    *("amqps://rabbit.example.com", "postgres:///name"),
)
STAGES: tuple[dict[str, str], ...] = (
    {},
    {"DYNO": "web.1", "PORT": "5000"},
    {"DYNO": "release.1"},
    {"DYNO": "run.1", "SOURCE_VERSION": "abc"},
    {"CI": "true"},
)


class Recorder(dict[str, str]):
    """A mapping that records the names that are read."""

    def __init__(self, *arguments: Mapping[str, str]) -> None:
        super().__init__(*arguments)
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return super().__contains__(name)

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked.add(name)
        return super().get(name, default)


def is_declared(name: str) -> bool:
    variables = chain.from_iterable(module.VARIABLES for module in BUILDERS)
    names = chain.from_iterable(variable.names for variable in variables)
    return any(re.fullmatch(re.sub(r"<\w+>", "[A-Z0-9_]+", known), name) for known in names)


def environments(variables: Iterable[Variable]) -> Iterator[dict[str, str]]:
    """Yield environments with one variable set, or all, to each value, in each stage."""
    names = [re.sub(r"<\w+>", "PINK", name) for variable in variables for name in variable.names]
    for stage in STAGES:
        for value in VALUES:
            yield stage | dict.fromkeys(names, value) | stage
            yield from (stage | {name: value} for name in names)


@pytest.mark.parametrize("module", BUILDERS, ids=lambda module: module.__name__)
def test_every_variable_that_is_read_is_listed(module: ModuleType) -> None:
    asked: set[str] = set()
    for environ in environments(module.VARIABLES):
        for build in BUILDERS[module]:
            recorder = Recorder(environ)
            with suppress(ConfigurationError):
                build(recorder)
            asked |= recorder.asked
    assert asked
    assert {name for name in asked if not is_declared(name)} == set()
    # And every listed variable is read.
    assert {
        name
        for variable in module.VARIABLES
        for name in variable.names
        if "<" not in name and name not in asked
    } == set()


@pytest.mark.parametrize("module", BUILDERS, ids=lambda module: module.__name__)
def test_variables_have_a_purpose_and_credentials_are_secret(module: ModuleType) -> None:
    for variable in module.VARIABLES:
        assert variable.names
        assert variable.purpose
        assert not variable.purpose.endswith(".")
        assert all(name.isupper() for name in variable.settings)
        words = r"PASSWORD|SECRET|TOKEN|API_KEY"
        if re.search(words, "".join(variable.names)):
            assert variable.secret


def test_names_set_begins_with_the_name_that_is_used() -> None:
    variable = Variable(("A", "HEROKU_<COLOR>_URL", "B"), "a test")
    environ = {"B": "b", "HEROKU_PINK_URL": "p", "HEROKU_LIME_URL": "l", "HEROKU_RED_URL": " "}
    assert variable.names_set(environ) == ["HEROKU_LIME_URL", "HEROKU_PINK_URL", "B"]
    assert variable.names_set(environ | {"A": "a"})[0] == "A"
    assert variable.names_set({"HEROKU__URL": "x", "A": ""}) == []
