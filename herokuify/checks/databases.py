"""How many connections the site may take from its databases."""

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

#: A web process that serves ASGI, by its application's or its server's name.
_ASGI = re.compile(r"^web:.*\b(asgi|daphne|hypercorn|uvicorn)", re.MULTILINE)


def check_pools(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W015: under ASGI, nothing bounds the number of connections to PostgreSQL."""
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
    """Return whether settings or Procfile say so: the check runs in a process of another kind."""
    if getattr(settings, "ASGI_APPLICATION", None):  # Channels' and Daphne's
        return True
    try:
        text = Path("Procfile").read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        return False
    return _ASGI.search(text) is not None


def _is_unbounded(config: dict[str, Any]) -> bool:
    """Return whether a database is PostgreSQL without a pool of Django's or of the server's."""
    if not config["ENGINE"].endswith((".postgresql", ".postgis")):
        return False
    if config["OPTIONS"].get("pool") or config.get("DISABLE_SERVER_SIDE_CURSORS"):
        return False
    # get_db_config() makes the pool in the processes that serve ASGI, where there can be one.
    return not has_psycopg_pool()
