"""Packages that only some projects need: herokuify's extras, and drivers."""

from __future__ import annotations

from importlib.util import find_spec

from herokuify.exceptions import ConfigurationError


def require_package(module: str, *, install: str, needed_by: str) -> None:
    """Raise ConfigurationError, with the command that installs it, when a module is not there.

    Nothing is imported.
    """
    if find_spec(module) is None:
        raise ConfigurationError(
            f"{needed_by} needs the Python module {module}, which is not installed.",
            f'Add {install} to the requirements: pip install "{install}"',
        )
