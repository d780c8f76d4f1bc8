"""gunicorn hooks for WEB_PRELOAD: load the whole site before processes are forked.

Processes share the memory from before the fork until it is written to. :func:`gc.freeze` keeps the
garbage collector from writing to it.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from herokuify.platforms import adapted


def when_ready(server: Any) -> None:
    """Load what the first requests would load in each process."""
    from django.core.cache import caches
    from django.core.files.storage import storages
    from django.db import connections
    from django.urls import get_resolver

    loads: list[Callable[[], object]] = [
        lambda: get_resolver().reverse_dict,
        _load_templates,
        *(lambda alias=alias: connections[alias] for alias in connections),
        *(lambda alias=alias: caches[alias] for alias in caches),
        *(lambda alias=alias: storages[alias] for alias in storages.backends),
    ]
    for load in loads:
        try:
            load()
        except Exception as error:  # noqa: BLE001 (the request that needs it will raise it)
            server.log.debug("WEB_PRELOAD: not loaded: %s", type(error).__name__)
    threads = [one.name for one in threading.enumerate() if one is not threading.current_thread()]
    if threads:
        server.log.warning(
            "WEB_PRELOAD: the site has started threads (%s), which the worker processes will not "
            "have. Start them in gunicorn's hook post_fork, or: %s",
            ", ".join(threads),
            adapted("heroku config:unset WEB_PRELOAD"),
        )


def pre_fork(server: Any, worker: Any) -> None:
    """Close connections, which processes must not share, and freeze all objects."""
    from django.core.cache import caches
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()
    caches.close_all()
    gc.collect()
    gc.freeze()


def _load_templates() -> None:
    """Compile templates, which Django's engines cache unless DEBUG is true."""
    from django.template import TemplateDoesNotExist, TemplateSyntaxError, engines
    from django.template.backends.django import DjangoTemplates

    for engine in engines.all():
        if not isinstance(engine, DjangoTemplates):
            continue
        for folder in map(Path, engine.template_dirs):
            for path in folder.rglob("*.html"):
                try:
                    engine.get_template(path.relative_to(folder).as_posix())
                except (TemplateDoesNotExist, TemplateSyntaxError, UnicodeError):
                    continue
