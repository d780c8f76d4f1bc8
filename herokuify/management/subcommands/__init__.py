"""The subcommands of `manage.py herokuify`, one module each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.management.base import CommandParser


@dataclass(frozen=True)
class Subcommand:
    """A subcommand: its name, help text, options and implementation.

    ``run`` gets the options, and returns the output or raises UnsuccessfulError. CommandError and
    herokuify's exceptions are for errors without output.
    """

    name: str
    help: str
    add_arguments: Callable[[CommandParser], None]
    run: Callable[[Mapping[str, Any]], str]


class UnsuccessfulError(Exception):
    """A subcommand has failed; ``report`` is output that must be printed nevertheless."""

    def __init__(self, message: str, report: str) -> None:
        super().__init__(message)
        self.report = report
