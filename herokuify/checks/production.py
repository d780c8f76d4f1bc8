"""Settings that a laptop may have and a dyno may not."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured

from herokuify import env
from herokuify.checks.messages import error
from herokuify.exceptions import ConfigurationError

FORCE_DEBUG = "HEROKUIFY_FORCE_DEBUG"  # herokuify.common reads it, too
INSECURE = "django-insecure-"  # startproject's keys begin with it


def check_debug(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E010: DEBUG on Heroku."""
    if not settings.DEBUG or env.get_stage(os.environ) not in env.ON_HEROKU:
        return []
    hint = (
        "In settings.py: DEBUG = False, or from herokuify.common import *, which reads the "
        f"variable DEBUG. To take the risk for a while: heroku config:set {FORCE_DEBUG}=true"
    )
    message = (
        "DEBUG is true on Heroku, where its error pages show the code and the settings to anyone."
    )
    try:
        if env.read(os.environ, FORCE_DEBUG, convert=env.boolean):
            return []
    except ConfigurationError as wrong:
        message = str(wrong)
    return [error(message, hint=hint, id="herokuify.E010")]


def check_hosts(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W010: on a dyno, ALLOWED_HOSTS lets in nobody, or anybody."""
    if settings.DEBUG or env.get_stage(os.environ) not in env.LIVE:
        return []
    if not settings.ALLOWED_HOSTS:
        message = "ALLOWED_HOSTS is empty, so that every request is answered with 400."
    elif "*" in settings.ALLOWED_HOSTS:
        message = 'ALLOWED_HOSTS has "*": the links that the site makes can name any host.'
    else:
        return []
    return [
        CheckWarning(
            message,
            hint="heroku config:set ALLOWED_HOSTS=www.example.com, or, for the app's own domain: "
            "heroku labs:enable runtime-dyno-metadata",
            id="herokuify.W010",
        )
    ]


def check_secret_key(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W012: on a dyno, no SECRET_KEY, or one that stands in the code."""
    if env.get_stage(os.environ) not in env.LIVE:
        return []
    try:
        key: Any = settings.SECRET_KEY
    except ImproperlyConfigured:  # Django's, of an empty one
        key = ""
    text = key.decode("latin-1") if isinstance(key, bytes) else str(key)
    if not text:
        message = "SECRET_KEY is empty, so that sessions, forms and signed links fail."
    elif text.startswith(INSECURE):
        message = (
            f'SECRET_KEY begins with "{INSECURE}", as startproject writes it into the code: '
            "whoever reads the code can forge sessions."
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
