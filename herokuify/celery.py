"""Celery's broker and results on Redis: ``app.conf.update(get_celery_config())``."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import Any

from herokuify import key_value
from herokuify.extras import require_package

CALL = "get_celery_config"
#: What redis-py calls them → what Celery takes, which knows only the constants.
VERIFICATION = {None: ssl.CERT_NONE, "required": ssl.CERT_REQUIRED}


def get_celery_config(
    environ: Mapping[str, str] | None = None,
    *,
    variable: str | None = None,
    ssl_ca_certs: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Celery's ``broker_url`` and ``result_backend``, and the TLS options for both.

    The server is that of get_cache_config(), chosen by the same arguments; nothing is set
    when there is none. Raises ConfigurationError as that does.
    """
    environ = os.environ if environ is None else environ
    names = key_value.attached(environ)
    if variable is None and len(names) > 1:
        raise key_value.ambiguous(names, "Celery", CALL)
    chosen = variable or (names[0] if names else None)
    if chosen is None:
        return {}
    store = key_value.read_store(environ, chosen)
    if store is None:
        key_value.refuse_missing_choice(environ, chosen, CALL)
        return {}
    require_package("redis", install="herokuify[redis]", needed_by=f"Celery at {store.variable}")
    config: dict[str, Any] = {"broker_url": store.url, "result_backend": store.url}
    options = store.tls_options(ssl_ca_certs)
    if options:
        options["ssl_cert_reqs"] = VERIFICATION[options["ssl_cert_reqs"]]
        # One dict each: Celery adds to what it is given.
        config |= {"broker_use_ssl": options, "redis_backend_use_ssl": dict(options)}
    return config
