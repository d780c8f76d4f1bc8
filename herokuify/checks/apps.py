"""The order of INSTALLED_APPS: of two commands of one name, the app that stands above has it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.management import get_commands

from herokuify.checks.messages import CheckWarning
from herokuify.storage.registry import compressor_alias, s3_registered


def check_collectstatic(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W001: Django's collectstatic hides herokuify's."""
    if get_commands().get("collectstatic") != "django.contrib.staticfiles":
        return []
    if not any(getattr(one.kind, "public", False) for one in s3_registered()):
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


def check_compress(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W002: compressor's compress hides herokuify's."""
    is_hidden = get_commands().get("compress") == "compressor"
    if not is_hidden or not getattr(settings, "COMPRESS_OFFLINE", False):
        return []
    if not any(one.alias == compressor_alias() for one in s3_registered()):
        return []
    return [
        CheckWarning(
            '"herokuify" stands below "compressor" in INSTALLED_APPS, so compress is '
            "compressor's: it runs no checks, and reports success when a template fails.",
            hint='Move "herokuify" above "compressor".',
            id="herokuify.W002",
        )
    ]
