"""Database URLs: conversion with dj-database-url, and errors for URLs that it refuses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import dj_database_url

from herokuify.exceptions import ConfigurationError

#: libpq's values of sslmode (PostgreSQL's manual, "SSL Support").
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
#: Those that allow connections without TLS.
UNENCRYPTED = SSL_MODES[:3]
#: MySQL's values of ssl-mode (its manual, "Command Options for Encrypted Connections").
MYSQL_SSL_MODES = ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
_POSTGRESQL = re.compile(
    r"(?P<scheme>(?:postgres|postgresql|pgsql|postgis|timescale|timescalegis)://)"
    r"(?P<user>[^/?#]*@)?(?P<hosts>[^/?#@]*)",
    re.IGNORECASE,
)
_HOST = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<name>[^:\[\]]*))(?::(?P<port>\d*))?"
)


def parse(name: str, url: str) -> dict[str, Any]:
    """Return an entry of DATABASES, with OPTIONS, from the URL in the variable ``name``.

    Raises ConfigurationError if Django or the database's driver couldn't use the URL. The message
    contains no part of it but the scheme.
    """
    try:
        url_of_one, hosts_and_ports = _split_hosts(url)
        config: dict[str, Any] = {"OPTIONS": {}, **dj_database_url.parse(url_of_one)}
    except ValueError:
        # Neither the URL nor the error's message may be shown: both can contain the password.
        raise _malformed(name, _fault(url)) from None
    config |= hosts_and_ports
    options = config["OPTIONS"]
    if not config["NAME"] and "service" not in options:
        raise _malformed(name, "it names no database")
    if is_postgresql(config):
        _check_postgresql(name, options)
    elif is_mysql(config):
        _adapt_mysql(name, options)
    return config


def is_postgresql(config: Mapping[str, Any]) -> bool:
    """Return whether the entry is for PostgreSQL, PostGIS included."""
    return str(config["ENGINE"]).endswith((".postgresql", ".postgis"))


def is_mysql(config: Mapping[str, Any]) -> bool:
    """Return whether the entry is for MySQL or MariaDB, on Django's own engines."""
    return str(config["ENGINE"]).startswith("django.") and config["ENGINE"].endswith(".mysql")


def _split_hosts(url: str) -> tuple[str, dict[str, str]]:
    """Return a URL of several hosts as one with a single host, and libpq's HOST and PORT.

    ``urllib.parse`` supports one host only: it loses hosts after an IPv6 address, and refuses
    several ports. The path of a socket keeps its case.
    """
    found = _POSTGRESQL.match(url)
    if found is None or not ("," in found["hosts"] or "%" in found["hosts"]):
        return url, {}
    hosts, ports = [], []
    for part in found["hosts"].split(","):
        one = _HOST.fullmatch(part)
        if one is None:
            raise ValueError("no host")
        host = unquote(one["ipv6"] or one["name"])
        hosts.append(host if host.startswith("/") else host.lower())
        ports.append(one["port"] or "")
    single = f"{found['scheme']}{found['user'] or ''}several{url[found.end() :]}"
    # To libpq, a single port is for all hosts, and an empty one of several is the default.
    port = ",".join(ports) if any(ports) else ""
    return single, {"HOST": ",".join(hosts), "PORT": port}


def _check_postgresql(name: str, options: dict[str, Any]) -> None:
    if options.get("sslmode", "prefer") not in SSL_MODES:
        raise _malformed(name, f"its sslmode is not one of {', '.join(SSL_MODES)}")
    # libpq refuses the system's certificate authorities with any weaker mode.
    if (
        options.get("sslrootcert") == "system"
        and options.setdefault("sslmode", "verify-full") != "verify-full"
    ):
        raise _malformed(name, "with sslrootcert=system, its sslmode must be verify-full")
    if not isinstance(options.get("pool", False), bool):
        raise _malformed(name, "its pool is neither true nor false")


def _adapt_mysql(name: str, options: dict[str, Any]) -> None:
    """Rename the options for mysqlclient, which has no ``reconnect``."""
    options.pop("reconnect", None)
    for spelled in ("ssl-mode", "sslmode"):
        if spelled in options:
            options["ssl_mode"] = options.pop(spelled)
    if "ssl_ca" in options:
        options["ssl"] = {"ca": options.pop("ssl_ca")}
    if "ssl_mode" in options:
        options["ssl_mode"] = str(options["ssl_mode"]).upper().replace("-", "_")
        if options["ssl_mode"] not in MYSQL_SSL_MODES:
            raise _malformed(name, f"its ssl-mode is not one of {', '.join(MYSQL_SSL_MODES)}")


def _fault(url: str) -> str:
    """Describe what's wrong with a URL that dj-database-url refuses, without quoting it."""
    scheme = re.match(r"[a-z][a-z0-9+.-]{0,30}(?=://)", url, re.IGNORECASE)
    if scheme is None:
        return "it does not begin with a scheme and ://"
    try:
        dj_database_url.parse(f"{scheme[0]}://host/name")
    except ValueError:
        return f"dj-database-url doesn't know the scheme {scheme[0]!r}"
    return "its port is not a number, or user or password are not percent-encoded"


def _malformed(name: str, fault: str) -> ConfigurationError:
    attach = ", or attach a database: heroku addons:create heroku-postgresql"
    return ConfigurationError(
        f"{name} is malformed: {fault}. It must look like postgres://user:password@host:5432/name.",
        f"heroku config:set {name}=…{attach if name == 'DATABASE_URL' else ''}",
    )
