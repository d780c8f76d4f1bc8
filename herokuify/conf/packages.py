"""Optional packages: herokuify's extras, and database drivers."""

from __future__ import annotations

from importlib.util import find_spec

from herokuify.exceptions import ConfigurationError


def require_package(module: str, *, install: str, needed_by: str) -> None:
    """Raise ConfigurationError, with the command that installs it, if a module is missing.

    The module is not imported.
    """
    if find_spec(module) is None:
        raise ConfigurationError(
            f"{needed_by} needs the Python module {module}, which is not installed.",
            f'Add {install} to the requirements: pip install "{install}"',
        )


def has_psycopg_pool() -> bool:
    """Return whether psycopg's pool is installed, and supported by Django (5.1 and later)."""
    if find_spec("psycopg_pool") is None:
        return False
    # Only here, because the import loads psycopg.
    from django.db.backends.postgresql.base import DatabaseWrapper

    return hasattr(DatabaseWrapper, "pool")
