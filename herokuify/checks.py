"""System checks: offline, instant, each with an id and a hint."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured

from herokuify.env import Stage, get_stage

_HINT = "Run `python manage.py check --tag staticfiles` to see whether it is mended."


def check_storages(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E002: a storage of herokuify's can't work with these settings."""
    # Importing the storages imports boto3 (0.7 s), which only a check should pay.
    from herokuify.storage.base import S3BotoStorage
    from herokuify.storage.configured import configured_storages

    errors: list[CheckMessage] = []
    try:
        makers = list(configured_storages(S3BotoStorage))
    except ImportError as error:
        return [_error(f"ImproperlyConfigured: STORAGES or COMPRESS_STORAGE: {error}")]
    for make in makers:
        try:
            make().check_configuration()
        except ImproperlyConfigured as error:
            # Several storages often share one fault.
            if str(error) not in {known.msg for known in errors}:
                errors.append(_error(str(error)))
    return errors


def _error(message: str) -> CheckMessage:
    return Error(message, hint=_HINT, id="herokuify.E002")


def check_order(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W001: Django's collectstatic hides herokuify's."""
    from django.core.management import get_commands

    from herokuify.storage.configured import configured_storages
    from herokuify.storage.static import S3StaticStorage

    is_hidden = get_commands().get("collectstatic") == "django.contrib.staticfiles"
    if not is_hidden or not any(True for _ in configured_storages(S3StaticStorage)):
        return []
    return [
        CheckWarning(
            '"herokuify" stands below "django.contrib.staticfiles" in INSTALLED_APPS, so '
            "collectstatic is Django's: one request after the other, and files deleted before "
            "they are replaced.",
            hint='Move "herokuify" above "django.contrib.staticfiles".',
            id="herokuify.W001",
        )
    ]


def check_hosts(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W010: on a dyno, ALLOWED_HOSTS lets in nobody, or anybody."""
    if settings.DEBUG or get_stage(os.environ) not in {Stage.RELEASE, Stage.DYNO}:
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
