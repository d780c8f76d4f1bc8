"""How many connections the site may open to its databases."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.db import connections

from herokuify import env
from herokuify.checks.messages import CheckWarning
from herokuify.conf.packages import has_psycopg_pool

#: A web process that serves ASGI, recognized by the name of its application or server.
_ASGI = re.compile(r"^web:.*\b(asgi|daphne|hypercorn|uvicorn)", re.MULTILINE)


def check_pools(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W015: under ASGI, the number of connections to PostgreSQL is unlimited."""
    if env.get_stage(os.environ) not in env.LIVE or not _serves_asgi():
        return []
    aliases = [alias for alias, config in connections.settings.items() if _is_unbounded(config)]
    if not aliases:
        return []
    names = ", ".join(f"DATABASES[{alias!r}]" for alias in aliases)
    return [
        CheckWarning(
            f"The site is served over ASGI, where each request opens its own connection, and "
            f"{names} has no pool: pages fail when concurrent requests exceed the plan's "
            "connection limit (essential-0: 20).",
            hint='pip install "psycopg[binary,pool]" (Django 5.1 or later), and in settings.py: '
            "DATABASES = herokuify.get_db_config()",
            id="herokuify.W015",
        )
    ]


def _serves_asgi() -> bool:
    """Return whether the site is served over ASGI, by the settings and the Procfile."""
    if getattr(settings, "ASGI_APPLICATION", None):  # a setting of Channels and Daphne
        return True
    try:
        text = Path("Procfile").read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        return False
    return _ASGI.search(text) is not None


def _is_unbounded(config: dict[str, Any]) -> bool:
    """Return whether a database is PostgreSQL without Django's or a server-side pool."""
    if not config["ENGINE"].endswith((".postgresql", ".postgis")):
        return False
    if config["OPTIONS"].get("pool") or config.get("DISABLE_SERVER_SIDE_CURSORS"):
        return False
    # If the pool is installed, get_db_config() uses it in processes that serve ASGI.
    return not has_psycopg_pool()
