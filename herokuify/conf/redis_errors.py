"""Explanations of Redis' errors when the plan's limit of connections or memory is reached."""

from __future__ import annotations

import re

from herokuify.platforms import adapted

_LIMIT_HINT = (
    "See how many the plan allows (heroku redis:info), and set it in the settings: "
    "get_cache_config(max_connections=…) and get_celery_config(max_connections=…). Or run fewer "
    "processes: set WEB_CONCURRENCY."
)
_IN_USE = (
    "All {size} connections of this process to {server} are in use (OPTIONS['max_connections'] "
    "in CACHES)."
)
#: Patterns for an error's text in lower case, with the problem and the hint.
_SIGNS = (
    (
        "number of clients",
        "{server} accepts no more connections: the plan's limit is reached.",
        _LIMIT_HINT,
    ),
    # Without TLS, Redis sends an error first; with TLS, it only closes the connection (its
    # sources, acceptCommonHandler in networking.c).
    (
        "connecting to .*(unexpected_eof|eof occurred|reset by peer)",
        "{server} closes connections before TLS starts, as it does at the plan's limit.",
        _LIMIT_HINT,
    ),
    ("no connection available", _IN_USE, _LIMIT_HINT),
    ("too many connections", _IN_USE, _LIMIT_HINT),
    (
        "maxmemory",
        "{server} is full and does not evict keys (maxmemory-policy noeviction).",
        "heroku redis:maxmemory --policy volatile-lru",
    ),
)


def explain(error: Exception, server: str, size: int) -> tuple[str, str] | None:
    """Return the problem and the hint if an error of redis-py means that a limit is reached.

    ``size`` is how many connections this process may have.
    """
    text = str(error).lower()
    for sign, problem, hint in _SIGNS:
        if re.search(sign, text):
            return problem.format(server=server, size=size), adapted(hint)
    return None
