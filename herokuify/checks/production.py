"""Settings that are right in local development, but wrong on a deployed site."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import STATICFILES_STORAGE_ALIAS, settings
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured

from herokuify import env
from herokuify.checks.messages import CheckWarning, error
from herokuify.exceptions import ConfigurationError
from herokuify.platforms import HEROKU
from herokuify.storage.registry import find_storage

FORCE_DEBUG = "HEROKUIFY_FORCE_DEBUG"  # as in herokuify.common, whose import reads variables
#: Parts of the paths of middleware that serves static files.
SERVERS = ("whitenoise", "servestatic")
INSECURE = "django-insecure-"  # the prefix of startproject's keys


def check_debug(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E010: DEBUG on a deployed site."""
    if not settings.DEBUG or env.get_stage(os.environ) not in env.DEPLOYED:
        return []
    hint = (
        "In settings.py: DEBUG = False, or from herokuify.common import *, which reads the "
        f"variable DEBUG. To allow it temporarily: heroku config:set {FORCE_DEBUG}=true"
    )
    platform = env.get_platform(os.environ)
    message = (
        f"DEBUG is true {f'on {platform.name}' if platform else 'on a deployed site'}, where error "
        "pages show the code and the settings to anyone."
    )
    try:
        if env.read(os.environ, FORCE_DEBUG, convert=env.boolean):
            return []
    except ConfigurationError as wrong:
        message = str(wrong)
    return [error(message, hint=hint, id="herokuify.E010")]


def check_hosts(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W010: on a deployed site, ALLOWED_HOSTS allows no host, or any host."""
    if settings.DEBUG or env.get_stage(os.environ) not in env.LIVE:
        return []
    hint = (
        "heroku config:set ALLOWED_HOSTS=www.example.com, or, for the app's own domain: "
        "heroku labs:enable runtime-dyno-metadata"
    )
    if env.get_platform(os.environ) not in {None, HEROKU}:
        hint = env.config_set(["ALLOWED_HOSTS"], os.environ)
    if not settings.ALLOWED_HOSTS:
        message = "ALLOWED_HOSTS is empty, so every request gets a 400 response."
    elif "*" in settings.ALLOWED_HOSTS:
        message = 'ALLOWED_HOSTS contains "*": links that the site generates can have any host.'
        if "*" not in os.environ.get("ALLOWED_HOSTS", ""):
            hint = f'Delete "*" from ALLOWED_HOSTS in settings.py. Then: {hint}'
    elif _is_review_app_without_domain():
        message = (
            f"ALLOWED_HOSTS is {env.listed(settings.ALLOWED_HOSTS)}, which doesn't include the "
            "domain of this review app: every request gets a 400 response."
        )
        hint = (
            'In app.json, below "environments", "review", "env": "ALLOWED_HOSTS": ".herokuapp.com"'
        )
    else:
        return []
    return [CheckWarning(message, hint=hint, id="herokuify.W010")]


def _is_review_app_without_domain() -> bool:
    """Return whether a review app's random domain on Heroku isn't in ALLOWED_HOSTS."""
    return env.is_set(os.environ, "HEROKU_PARENT_APP_NAME") and not any(
        name.endswith(".herokuapp.com") for name in settings.ALLOWED_HOSTS
    )


def check_secret_key(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W012: on a deployed site, SECRET_KEY is empty, or in the code."""
    if env.get_stage(os.environ) not in env.LIVE:
        return []
    try:
        key: Any = settings.SECRET_KEY
    except ImproperlyConfigured:  # Django raises it if the key is empty
        key = ""
    text = key.decode("latin-1") if isinstance(key, bytes) else str(key)
    if not text:
        message = "SECRET_KEY is empty, so that sessions, forms and signed links fail."
    elif text.startswith(INSECURE):
        message = (
            f'SECRET_KEY begins with "{INSECURE}", like the key that startproject writes into the '
            "code: anyone who can read the code can forge sessions."
        )
    else:
        return []
    return [
        CheckWarning(
            message,
            hint='heroku config:set SECRET_KEY="$(openssl rand -base64 48)", and in settings.py: '
            'SECRET_KEY = os.environ["SECRET_KEY"], or from herokuify.common import *',
            id="herokuify.W012",
        )
    ]


def check_static_files(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W014: on a deployed site, nothing serves the static files."""
    if settings.DEBUG or env.get_stage(os.environ) not in env.LIVE:
        return []
    if not apps.is_installed("django.contrib.staticfiles"):
        return []
    from django.contrib.staticfiles.storage import StaticFilesStorage

    static = find_storage(STATICFILES_STORAGE_ALIAS)
    is_on_disk = static is not None and issubclass(static.kind, StaticFilesStorage)
    is_served = any(name in path.lower() for path in settings.MIDDLEWARE for name in SERVERS)
    if not is_on_disk or is_served or urlsplit(str(settings.STATIC_URL)).netloc:
        return []
    fault = "nothing appears to serve them without DEBUG"
    whitenoise = "whitenoise.middleware.WhiteNoiseMiddleware"
    hint = (
        "heroku config:set AWS_STORAGE_BUCKET_NAME=…, and in settings.py: STORAGES = "
        "herokuify.get_storages() and STATIC_URL = get_static_url() of herokuify.aws. "
        f"Or install WhiteNoise, and add {whitenoise} to "
        "MIDDLEWARE."
    )
    if static is not None and static.kind.__module__.startswith("whitenoise."):
        fault = "WhiteNoise is installed, but its middleware is missing"
        hint = f'Add to MIDDLEWARE: "{whitenoise}", below Django\'s SecurityMiddleware.'
    return [
        CheckWarning(
            f"Static files are on the local disk, and {fault}: the pages of the admin have no CSS.",
            hint=f"{hint} If a server in front of Django serves them: "
            'SILENCED_SYSTEM_CHECKS = ["herokuify.W014"]',
            id="herokuify.W014",
        )
    ]
