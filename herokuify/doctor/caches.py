"""Caches: whether each stores values, with TLS as configured."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from herokuify.doctor.findings import Finding, Subject
from herokuify.doctor.runner import Findings, ProbeGroup
from herokuify.doctor.services import SECONDS, Trouble, failure, reachable

PROBE = "cache"
LIFE = 60  # seconds after which a key expires that could not be deleted
#: Several keys, because memcached spreads them over its servers.
KEYS = 16
_LOCAL = {
    "dummy.DummyCache": "it stores nothing",
    "filebased.FileBasedCache": "it is a folder on this machine",
    "locmem.LocMemCache": "it is this process's memory",
}
_REDIS = {
    Trouble.LOGIN: "heroku redis:credentials (shows the current URL), then heroku redis:promote …, "
    "or for another server: heroku config:set REDIS_URL=…",
    Trouble.TLS: "In settings.py: CACHES = herokuify.get_cache_config() (it accepts "
    "Heroku's self-signed certificate), or get_cache_config(ssl_ca_certs=…) with the server's CA; "
    "URLs of servers with TLS begin with rediss://",
    Trouble.HOST: "heroku config:set REDIS_URL=rediss://… with the right host",
    Trouble.REFUSED: "heroku redis:info (shows whether it is available), or heroku config:set "
    "REDIS_URL=rediss://…",
    Trouble.OTHER: "heroku redis:info, or heroku config:set REDIS_URL=rediss://…",
}
_MEMCACHED = {
    Trouble.LOGIN: "heroku config:set MEMCACHIER_USERNAME=… MEMCACHIER_PASSWORD=… (heroku addons "
    "opens the add-on's page, which shows them)",
    Trouble.OTHER: "heroku addons (shows its state), or heroku config:set MEMCACHIER_SERVERS=…",
}
_OTHER = {Trouble.OTHER: "Fix CACHES in settings.py."}


def probe_groups() -> Iterator[ProbeGroup]:
    """Yield a group of probes for each cache."""
    for alias in caches.settings:
        subject = Subject(f"CACHES[{alias!r}]")
        hints = _hints(alias)
        hint = hints.get(Trouble.REFUSED, hints[Trouble.OTHER])
        yield ProbeGroup(subject, PROBE, SECONDS, hint, partial(_probe, alias, subject))


def _backend(alias: str) -> str:
    return str(caches.settings[alias].get("BACKEND", ""))


def _hints(alias: str) -> dict[Trouble, str]:
    backend = _backend(alias).lower()
    if "redis" not in backend:
        return _MEMCACHED if "memcache" in backend else _OTHER
    if not _host_and_tls(alias)[1]:
        return _REDIS
    # A timeout may also mean that the server has no TLS: it usually takes the TLS handshake for an
    # incomplete command, and waits for the rest.
    silent = f"{_REDIS[Trouble.REFUSED]}; if it doesn't support TLS: {_REDIS[Trouble.TLS]}"
    return {**_REDIS, Trouble.REFUSED: silent}


def _probe(alias: str, subject: Subject) -> Findings:
    backend = _backend(alias)
    local = _LOCAL.get(backend.removeprefix("django.core.cache.backends."))
    if local:
        yield subject.skipped(PROBE, local)
        return
    try:
        cache: Any = caches.create_connection(alias)
        if isinstance(getattr(cache, "ignore_exceptions", None), bool):
            cache.ignore_exceptions = False  # to get the error itself
        yield _store_and_read(cache, alias, subject)
    except ImproperlyConfigured as error:
        yield subject.refused(PROBE, error, _OTHER[Trouble.OTHER])
    except Exception as error:  # noqa: BLE001 (each client has its own)
        yield failure(subject, PROBE, error, _hints(alias))
    finally:
        connections.close_all()  # of this thread: the cache may be a database table


def _store_and_read(cache: Any, alias: str, subject: Subject) -> Finding:
    """Set, get and delete some keys."""
    values = {f"herokuify-doctor:{uuid.uuid4().hex}": uuid.uuid4().hex for _ in range(KEYS)}
    written = []
    try:
        for key, value in values.items():
            cache.set(key, value, LIFE)
            written.append(key)
        lost = [key for key, value in values.items() if cache.get(key) != value]
    finally:
        for key in written:
            cache.delete(key)
        cache.close()
    if lost:
        part = "All" if len(lost) == KEYS else f"{len(lost)} of {KEYS}"
        return subject.failed(
            PROBE,
            f"{part} keys that were set are missing: a server does not respond, or stores nothing.",
            _hints(alias)[Trouble.OTHER],
        )
    name = type(cache).__name__
    host, tls = _host_and_tls(alias)
    what = f"{name} at {host}" if host else name
    return reachable(subject, PROBE, what, host, tls, "heroku config:set REDIS_URL=rediss://…")


def _host_and_tls(alias: str) -> tuple[str, str | None]:
    """Return a cache's host and its TLS, for ``reachable()``; only Redis has them in a URL."""
    location = caches.settings[alias].get("LOCATION", "")
    first = location[0] if isinstance(location, list | tuple) and location else location
    parts = urlsplit(str(first))
    if parts.scheme not in {"redis", "rediss"}:
        return "", None
    if parts.scheme == "redis":
        return parts.hostname or "", ""
    options = caches.settings[alias].get("OPTIONS", {})
    is_verified = options.get("ssl_cert_reqs", "required") not in {None, "none"}
    is_verified &= "ssl_cert_reqs=none" not in parts.query.lower()
    return parts.hostname or "", "TLS" if is_verified else "TLS (its certificate is not verified)"
