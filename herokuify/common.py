"""Settings fragment for security, hosts and logs: ``from herokuify.common import *``.

On a dyno, the settings pass ``manage.py check --deploy``; in local development, they suit
runserver. Each can be overridden below the import.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

from herokuify import env, logs
from herokuify.conf.hosts import read_hosts
from herokuify.env import DEPLOYED, LIVE, Stage
from herokuify.exceptions import ConfigurationError

# For type checkers.
ALLOWED_HOSTS: list[str]
CSRF_COOKIE_SECURE: bool
CSRF_TRUSTED_ORIGINS: list[str]
DEBUG: bool
LOGGING: dict[str, Any]
SECRET_KEY: str
SECRET_KEY_FALLBACKS: list[str]
SECURE_CSP: dict[str, list[str]]
SECURE_HSTS_INCLUDE_SUBDOMAINS: bool
SECURE_HSTS_PRELOAD: bool
SECURE_HSTS_SECONDS: int
SECURE_PROXY_SSL_HEADER: tuple[str, str]
SECURE_SSL_REDIRECT: bool
SESSION_COOKIE_SECURE: bool

FORCE_DEBUG = "HEROKUIFY_FORCE_DEBUG"
HSTS_SECONDS = 3600
#: Loggers that write access keys, session tokens and signed URLs at the level DEBUG.
LEAKING_LOGGERS = ("botocore", "urllib3")
PRELOAD_SECONDS = 31_536_000  # required by browsers' preload lists (hstspreload.org)
#: Django's check security.W009 recognizes insecure keys by this prefix.
INSECURE_KEY = "django-insecure-herokuify-"


def _variable(name: str, purpose: str, setting: str = "", *, secret: bool = False) -> env.Variable:
    return env.Variable((name,), purpose, secret, (setting or name,))


VARIABLES = (
    _variable("SECRET_KEY", "Django signs sessions and forms with it", secret=True),
    _variable(
        "SECRET_KEY_FALLBACKS",
        "former keys, separated by commas, whose signatures are still accepted",
        secret=True,
    ),
    _variable("DEBUG", "true in local development only: error pages show the code"),
    _variable(FORCE_DEBUG, "true permits DEBUG on Heroku", "DEBUG"),
    _variable("SECURE_SSL_REDIRECT", "redirects http to https; true on a dyno"),
    _variable("SECURE_HSTS_SECONDS", "how long browsers require https"),
    _variable("SECURE_HSTS_INCLUDE_SUBDOMAINS", "browsers require https for all subdomains, too"),
    _variable("SECURE_HSTS_PRELOAD", "browsers may add the domain to their preload lists"),
)


def seconds(value: str) -> int:
    """Convert a number of seconds, 0 or more."""
    try:
        number = env.integer(value)
    except ValueError:
        number = -1
    if number < 0:
        raise ValueError("a number of seconds, such as 3600, or 0")
    return number


class MissingKey(str):
    """A missing SECRET_KEY, which raises ConfigurationError when Django tests if it is empty.

    Importing the settings must not fail, because the project may assign SECRET_KEY below.
    """

    __slots__ = ()

    def __bool__(self) -> NoReturn:
        raise ConfigurationError(
            "SECRET_KEY is not set. All processes of a site must have the same key.",
            'heroku config:set SECRET_KEY="$(openssl rand -base64 48)", or assign SECRET_KEY '
            "below `from herokuify.common import *`.",
        )


def read_common(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings for security, hosts and logs from an environment.

    Raises ConfigurationError for DEBUG on a deployed site without HEROKUIFY_FORCE_DEBUG, and for
    invalid values. A missing SECRET_KEY raises when Django first uses it.
    """
    stage = env.get_stage(environ)
    is_live = stage in LIVE
    debug = _read_debug(environ, stage)
    redirect = env.read(environ, "SECURE_SSL_REDIRECT", convert=env.boolean, default=is_live)
    return {
        "DEBUG": debug,
        "SECRET_KEY": _read_key(environ, stage, debug=debug),
        "SECRET_KEY_FALLBACKS": env.read(
            environ, "SECRET_KEY_FALLBACKS", convert=env.comma_list, default=[], secret=True
        ),
        **read_hosts(environ, is_local=stage not in DEPLOYED),
        # Heroku's router sets the header on every request (Heroku Dev Center, "HTTP Routing"), as
        # do the routers of the other platforms.
        "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
        "SECURE_SSL_REDIRECT": redirect,
        **_read_hsts(environ, is_live=is_live),
        "SESSION_COOKIE_SECURE": is_live,
        "CSRF_COOKIE_SECURE": is_live,
        "SECURE_CSP": get_csp(),
        "LOGGING": _read_logging(environ),
    }


def get_csp(*urls: str) -> dict[str, list[str]]:
    """Return SECURE_CSP, which allows the site itself, and files from the hosts of these URLs.

    For example, ``get_csp(STATIC_URL, MEDIA_URL)``; a URL without a host adds nothing. Django 6.0
    and later send it with ``django.middleware.csp.ContentSecurityPolicyMiddleware``.
    """
    parts = [urlsplit(url) for url in urls]
    found = {f"{part.scheme or 'https'}://{part.netloc}": None for part in parts if part.netloc}
    files = ["'self'", *found]
    return {
        "default-src": ["'self'"],
        "script-src": [*files],
        "style-src": [*files],
        "font-src": [*files],
        "img-src": [*files, "data:"],
        "media-src": [*files],
        "connect-src": [*files],  # for direct uploads
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }


def _read_debug(environ: Mapping[str, str], stage: Stage) -> bool:
    debug = env.read(environ, "DEBUG", convert=env.boolean, default=False)
    forced = env.read(environ, FORCE_DEBUG, convert=env.boolean, default=False)
    if debug and stage in DEPLOYED and not forced:
        platform = env.get_platform(environ)
        raise ConfigurationError(
            f"DEBUG is true {f'on {platform.name}' if platform else 'on a deployed site'}, where "
            "error pages would show the code and the settings to anyone.",
            "heroku config:unset DEBUG, or, to allow it temporarily: "
            f"heroku config:set {FORCE_DEBUG}=true",
        )
    return debug


def _read_key(environ: Mapping[str, str], stage: Stage, *, debug: bool) -> str:
    key = env.read(environ, "SECRET_KEY", secret=True)
    if key:
        return key
    if stage in LIVE:
        return MissingKey()
    # A fixed key only with DEBUG: without it, what looks like local development may be a server on
    # a platform that isn't detected, which must not sign with a key that anyone can read here.
    return INSECURE_KEY + ("local" if debug else secrets.token_urlsafe(48))


def _read_hsts(environ: Mapping[str, str], *, is_live: bool) -> dict[str, int | bool]:
    default = HSTS_SECONDS if is_live else 0
    age = env.read(environ, "SECURE_HSTS_SECONDS", convert=seconds, default=default)
    subdomains, preload = (
        env.read(environ, f"SECURE_HSTS_{name}", convert=env.boolean, default=False)
        for name in ("INCLUDE_SUBDOMAINS", "PRELOAD")
    )
    if is_live and preload and not (subdomains and age >= PRELOAD_SECONDS):
        raise ConfigurationError(
            "SECURE_HSTS_PRELOAD is true, but browsers preload only domains that require https "
            f"for {PRELOAD_SECONDS} seconds, including all subdomains.",
            "heroku config:unset SECURE_HSTS_PRELOAD, or heroku config:set "
            f"SECURE_HSTS_INCLUDE_SUBDOMAINS=true SECURE_HSTS_SECONDS={PRELOAD_SECONDS}",
        )
    return {
        "SECURE_HSTS_SECONDS": age,
        "SECURE_HSTS_INCLUDE_SUBDOMAINS": subdomains,
        "SECURE_HSTS_PRELOAD": preload,
    }


def _read_logging(environ: Mapping[str, str]) -> dict[str, Any]:
    level = logs.read_level(environ)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"require_debug_false": {"()": "django.utils.log.RequireDebugFalse"}},
        "formatters": {"herokuify": {"()": logs.formatter_path(environ)}},
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "herokuify",
            },
            "mail_admins": {
                "class": "herokuify.mail.handler.AdminEmailHandler",
                "filters": ["require_debug_false"],
                "level": "ERROR",
            },
        },
        "root": {"handlers": ["stdout"], "level": level},
        # In Django's own configuration, this logger's handler writes nothing without DEBUG.
        "loggers": {
            "django": {"handlers": ["mail_admins"], "level": level},
            **{name: {"level": "INFO"} for name in LEAKING_LOGGERS if level == "DEBUG"},
        },
    }


_settings = read_common(os.environ)
#: herokuify.E011 reports variables that are set later.
SET_AT_IMPORT = env.names_set(os.environ)
# Type checkers don't see this __all__, and go by the annotations above.
globals().update(_settings, __all__=[*_settings, "get_csp"])
