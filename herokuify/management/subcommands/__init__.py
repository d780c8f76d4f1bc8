"""The subcommands of `manage.py herokuify`, one module each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.management.base import CommandParser


@dataclass(frozen=True)
class Subcommand:
    """A subcommand: its name, what ``--help`` says of it, its options and its work.

    ``run`` takes the options, and returns what is to be printed, or raises UnsuccessfulError.
    """

    name: str
    help: str
    add_arguments: Callable[[CommandParser], None]
    run: Callable[[Mapping[str, Any]], str]


class UnsuccessfulError(Exception):
    """What a subcommand met; ``report`` is what it has to print all the same."""

    def __init__(self, message: str, report: str) -> None:
        super().__init__(message)
        self.report = report
