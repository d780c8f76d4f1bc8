"""`herokuify env`: shows the platform, all variables that herokuify reads, and their settings."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandParser
from django.views.debug import SafeExceptionReporterFilter

from herokuify.env import Variable, explain_stage, get_platform
from herokuify.exceptions import ConfigurationError
from herokuify.management.subcommands import Subcommand

#: The modules with a list of variables, in the order of the table.
MODULES = (
    "herokuify.common",
    "herokuify.conf.hosts",
    "herokuify.logs",
    "herokuify.db",
    "herokuify.conf.redis",
    "herokuify.cache",
    "herokuify.celery",
    "herokuify.aws",
    "herokuify.conf.addons",
    "herokuify.mail.config",
    "herokuify.mail.mailgun",
    "herokuify.server",
    "herokuify.env",
)
MASK = SafeExceptionReporterFilter.cleansed_substitute
_SHORTEST_SECRET = 4  # characters; shorter secrets would mask too much of the table
_WIDEST_VALUE = 60  # characters


def add_arguments(parser: CommandParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="Print JSON instead of a table.")


def run(options: Mapping[str, Any]) -> str:
    """Return the platform, the stage and the variables, as a table or as JSON."""
    rows = list(describe(os.environ))
    platform = get_platform(os.environ)
    stage, detected_by = explain_stage(os.environ)
    if options["json"]:
        report = {
            "platform": platform and {"name": platform.name, "detected_by": platform.detected_by},
            "stage": {"name": stage.value, "detected_by": detected_by or None},
            "variables": rows,
        }
        return json.dumps(report, indent=2, default=repr)
    where = f"{platform.name} (from {platform.detected_by})" if platform else "unknown"
    reason = f"from {detected_by}" if detected_by else "no variable is set"
    head = f"Platform: {where}\nStage: {stage.value} ({reason})\n\n"
    cells = [("VARIABLE", "STATE", "PURPOSE", "SETTING"), *map(_cells, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    return head + "\n".join(
        "  ".join(
            [*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]
        ).rstrip()
        for row in cells
    )


def known_variables() -> list[Variable]:
    """Return the variables of all modules; those that several modules read are merged."""
    known: dict[tuple[str, ...], Variable] = {}
    for name in MODULES:
        for variable in _load(name).VARIABLES:
            first = known.setdefault(variable.names, variable)
            if first != variable:
                known[variable.names] = Variable(
                    variable.names,
                    f"{first.purpose}; {variable.purpose}",
                    first.secret or variable.secret,
                    first.settings or variable.settings,
                )
    return list(known.values())


def _load(name: str) -> ModuleType:
    """Import a module, or as much of it as precedes an error in the environment.

    A fragment that the settings don't import may refuse a variable that is for something else,
    such as DEBUG.
    """
    spec = importlib.util.find_spec(name)
    if name in sys.modules or spec is None or spec.loader is None:
        return importlib.import_module(name)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ConfigurationError:
        del sys.modules[name]
    return module


def describe(environ: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield for each variable its names, the one that is set, its purpose and its setting.

    Secrets are masked, also within other settings.
    """
    variables = known_variables()
    secrets = set(_secrets(environ, variables))
    for variable in variables:
        found = variable.names_set(environ)
        setting, value = _setting(variable, is_set=bool(found))
        yield {
            "names": list(variable.names),
            "set": found[0] if found else None,
            "secret": variable.secret,
            "needed_by": variable.purpose,
            "setting": setting,
            "value": _masked(setting, value, secrets, is_secret=variable.secret),
        }


def _setting(variable: Variable, *, is_set: bool) -> tuple[str | None, object]:
    """Return the name and value of the setting that results from a variable.

    For a variable that is not set, it is only the setting of the same name: others are from other
    variables.
    """
    for name in variable.settings:
        is_ours = settings.is_overridden(name)  # type: ignore[misc]
        if is_ours and (is_set or name in variable.names):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Django's deprecation warnings
                try:
                    return name, getattr(settings, name)
                except ImproperlyConfigured:  # SECRET_KEY is missing
                    return name, None
    return None, None


def _secrets(environ: Mapping[str, str], variables: list[Variable]) -> Iterator[str]:
    """Yield texts that must not be shown: secret values, and the passwords in URLs."""
    for variable in variables:
        for name in variable.names_set(environ) if variable.secret else ():
            value = environ[name].strip()
            yield value
            try:
                password = urlsplit(value).password or ""
            except ValueError:
                continue
            yield from (password, unquote(password))


def _masked(name: str | None, value: object, secrets: set[str], *, is_secret: bool) -> object:
    if name is None or value is None:
        return None
    if is_secret:
        return MASK if value else value
    return _without(SafeExceptionReporterFilter().cleanse_setting(name, value), secrets)


def _without(value: object, secrets: set[str]) -> object:
    """Mask secrets in the value of a setting, as far as JSON can represent it."""
    if isinstance(value, Mapping):
        return {str(key): _without(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_without(item, secrets) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    text = re.sub(r"(?<=://)[^/@\s]*@", f"{MASK}@", str(value))
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, MASK)
    return text


def _cells(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    names = ", ".join(row["names"])
    state = "missing" if row["set"] is None else "set"
    if row["set"] not in (None, *row["names"][:1]):
        state = f"set ({row['set']})"
    result = ""
    if row["setting"] and row["value"] is not None:
        shown = row["value"] if row["value"] == MASK else repr(row["value"])
        cut = shown if len(shown) <= _WIDEST_VALUE else f"{shown[:_WIDEST_VALUE]}…"
        result = f"{row['setting']} = {cut}"
    return names, state, row["needed_by"], result


SUBCOMMAND = Subcommand(
    "env",
    "Show the platform and every variable that herokuify reads: whether it is set, what it is "
    "for, and the resulting setting. Secrets are masked.",
    add_arguments,
    run,
)
