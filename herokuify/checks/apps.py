"""The order of INSTALLED_APPS: the first app's command overrides others of the same name."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from herokuify.checks.messages import CheckWarning
from herokuify.storage.registry import compressor_alias, s3_registered

_COMMAND = "herokuify.management.commands.collectstatic"


def check_collectstatic(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W001, W016: another collectstatic overrides herokuify's."""
    app = get_commands().get("collectstatic")
    if app in {None, "herokuify"} or not any(
        getattr(one.kind, "public", False) for one in s3_registered()
    ):
        return []
    if app != "django.contrib.staticfiles":
        return _check_own_collectstatic(app)
    return [
        CheckWarning(
            '"herokuify" is below "django.contrib.staticfiles" in INSTALLED_APPS, so Django\'s '
            "collectstatic runs: it uploads one file at a time, and deletes files before it "
            "replaces them.",
            hint='Move "herokuify" above "django.contrib.staticfiles".',
            id="herokuify.W001",
        )
    ]


def _check_own_collectstatic(app: Any) -> list[CheckMessage]:
    command = app if isinstance(app, BaseCommand) else load_command_class(app, "collectstatic")
    kind = type(command)
    if any(one.__module__ == _COMMAND for one in kind.__mro__):
        return []
    return [
        CheckWarning(
            f"collectstatic is {kind.__module__}.{kind.__qualname__}, which overrides herokuify's: "
            "it uploads one file at a time, doesn't publish the manifest last, and deletes files "
            "before it replaces them.",
            hint=f'Make it a subclass of {_COMMAND}.Command, or move "herokuify" above '
            f"{command.__module__.partition('.management.')[0]!r} in INSTALLED_APPS.",
            id="herokuify.W016",
        )
    ]


def check_compress(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W002: compressor's compress overrides herokuify's."""
    is_hidden = get_commands().get("compress") == "compressor"
    if not is_hidden or not getattr(settings, "COMPRESS_OFFLINE", False):
        return []
    if not any(one.alias == compressor_alias() for one in s3_registered()):
        return []
    return [
        CheckWarning(
            '"herokuify" is below "compressor" in INSTALLED_APPS, so compressor\'s compress runs: '
            "it runs no checks, and reports success when a template fails.",
            hint='Move "herokuify" above "compressor".',
            id="herokuify.W002",
        )
    ]
