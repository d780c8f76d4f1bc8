"""Redis by any name: which variable names it, and what its TLS needs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from herokuify import env
from herokuify.env import Stage, get_stage
from herokuify.exceptions import ConfigurationError

HEROKU = "REDIS_URL"
HEROKU_TLS = "REDIS_TLS_URL"
REDIS_CLOUD = "REDISCLOUD_URL"
SHAPE = "rediss://:password@host:6379"


@dataclass(frozen=True)
class KeyValueStore:
    """A Redis server: the variable that names it, and its URL, which is a secret."""

    variable: str
    url: str

    def tls_options(self, ssl_ca_certs: str | os.PathLike[str] | None) -> dict[str, Any]:
        """Return redis-py's TLS options, none for ``redis://``; what the URL says wins.

        The certificate of Heroku Key-Value Store is self-signed (Heroku Dev Center,
        "Connecting to Heroku Key-Value Store"): only with a CA can it be verified.
        """
        parts = urlsplit(self.url)
        if parts.scheme != "rediss" or "ssl_cert_reqs" in parse_qs(parts.query):
            return {}
        if ssl_ca_certs is None:
            return {"ssl_cert_reqs": None}
        return {
            "ssl_cert_reqs": "required",
            "ssl_ca_certs": os.fspath(ssl_ca_certs),
            "ssl_check_hostname": True,
        }


def attached(environ: Mapping[str, str]) -> list[str]:
    """Return the variables of the Redis add-ons that are attached."""
    return [
        name
        for name, names in ((HEROKU, (HEROKU, HEROKU_TLS)), (REDIS_CLOUD, (REDIS_CLOUD,)))
        if env.is_set(environ, *names)
    ]


def read_store(environ: Mapping[str, str], variable: str) -> KeyValueStore | None:
    """Return the server that the variable names, or None when it is not set.

    Raises ConfigurationError, without the password, for a malformed URL.
    """
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*_URL", variable):
        # Not repeated: it may be the URL itself.
        raise ConfigurationError(
            f'The argument variable= must be the name of a config var that holds a URL: "{HEROKU}" '
            'or "HEROKU_REDIS_AMBER_URL", say.'
        )
    found = _read(environ, variable)
    # Before 2024-12 plans had both: REDIS_URL without TLS and REDIS_TLS_URL.
    if variable == HEROKU and (found is None or not found.url.startswith("rediss:")):
        found = _read(environ, HEROKU_TLS) or found
    return found


def ambiguous(names: list[str], purpose: str, call: str) -> ConfigurationError:
    """Say that several servers are attached, and how the settings choose one."""
    return ConfigurationError(
        f"{env.listed(names)} are set, and herokuify can't tell which one is for {purpose}. "
        f"Detach the other (heroku addons:detach …), or say it in the settings: "
        f'{call}(variable="{names[0]}")'
    )


def refuse_missing_choice(environ: Mapping[str, str], variable: str, call: str) -> None:
    """Raise ConfigurationError on a dyno where the variable that the settings choose is not set."""
    if get_stage(environ) in {Stage.RELEASE, Stage.DYNO}:
        raise ConfigurationError(
            f'{variable} is not set, and the settings call {call}(variable="{variable}"). '
            f"{env.config_set([variable])}"
        )


def _read(environ: Mapping[str, str], name: str) -> KeyValueStore | None:
    url = env.read(environ, name, convert=redis_url, secret=True)
    return None if url is None else KeyValueStore(name, url)


def redis_url(value: str) -> str:
    """Check a URL of redis or rediss, with a host, and with a number as its path at most."""
    try:
        parts = urlsplit(env.url(value))
    except ValueError:
        parts = urlsplit("")
    if (
        not value.startswith(("redis://", "rediss://"))  # redis-py takes no upper case
        or not parts.scheme
        or not re.fullmatch(r"/?[0-9]*", parts.path)
        or parts.fragment
    ):
        raise ValueError(f"a URL like {SHAPE}, with user and password percent-encoded")
    if parts.scheme == "redis" and any(key.startswith("ssl_") for key in parse_qs(parts.query)):
        raise ValueError(f"a URL like {SHAPE}: only rediss:// takes ssl_ parameters")
    return value


VARIABLES = tuple(
    env.Variable(names, purpose, secret=True, settings=("CACHES",))
    for names, purpose in (
        ((HEROKU, HEROKU_TLS), "the cache, and Celery: Heroku Key-Value Store"),
        ((REDIS_CLOUD,), "the cache, and Celery: the add-on Redis Cloud"),
        (("HEROKU_REDIS_<COLOR>_URL",), "further instances of Key-Value Store, by variable="),
    )
)
