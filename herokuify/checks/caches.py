"""Caches and sessions: sessions in local memory, and options that a backend ignores."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage

from herokuify import env
from herokuify.checks.messages import error, unique

LOCAL = ("django.core.cache.backends.locmem", "django.core.cache.backends.dummy")
SESSIONS = "django.contrib.sessions.backends."
DJANGO_REDIS = "django_redis."
#: OPTIONS of Django's and herokuify's backends that django-redis ignores silently.
OURS = frozenset(
    {
        *("username", "password", "ssl_cert_reqs", "ssl_ca_certs", "ssl_check_hostname"),
        *("ssl_certfile", "ssl_keyfile", "ignore_exceptions", "max_connections"),
        *("socket_timeout", "socket_connect_timeout"),
    }
)


def check_sessions(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E016: on a deployed site, sessions in the memory of each process."""
    if env.get_stage(os.environ) not in env.LIVE:
        return []
    engine = settings.SESSION_ENGINE
    if engine not in {f"{SESSIONS}cache", f"{SESSIONS}cached_db"}:
        return []
    alias = settings.SESSION_CACHE_ALIAS
    if not _backend(alias).startswith(LOCAL):
        return []
    consequence = (
        "a visitor who logs in to one process is unknown to the others, and a restart loses all "
        "sessions"
        if engine.endswith(".cache")
        else "a visitor who logs out of one process stays logged in to the others"
    )
    return [
        error(
            f'Sessions are kept in CACHES["{alias}"] (SESSION_ENGINE is {engine}), which is '
            f"local to each process: {consequence}.",
            hint="heroku addons:create heroku-redis:mini, and in settings.py: CACHES = "
            "herokuify.get_cache_config(). Or delete SESSION_ENGINE, to keep sessions in the "
            "database.",
            id="herokuify.E016",
        )
    ]


def _backend(alias: str) -> str:
    config = settings.CACHES.get(alias)
    return str(config.get("BACKEND", "")) if isinstance(config, Mapping) else ""


def check_options(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E017: django-redis with another backend's options, which it ignores."""
    return unique(
        error(
            f'CACHES["{alias}"] is {backend}, which ignores {env.listed(lost)} in OPTIONS.',
            hint="In settings.py: from herokuify.redis import get_redis_config and "
            f'CACHES["{alias}"] = get_redis_config("django-redis"), or leave BACKEND as '
            "get_cache_config() has set it.",
            id="herokuify.E017",
        )
        for alias, config in settings.CACHES.items()
        if (backend := _backend(alias)).startswith(DJANGO_REDIS)
        and (lost := sorted(OURS & set(config.get("OPTIONS") or {})))
    )
