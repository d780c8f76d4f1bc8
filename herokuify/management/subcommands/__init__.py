"""The subcommands of `manage.py herokuify`, one module each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.management.base import CommandParser


@dataclass(frozen=True)
class Subcommand:
    """A subcommand: its name, what ``--help`` says of it, its options and its work.

    ``run`` takes the options, and returns what is to be printed, or raises UnsoundError.
    """

    name: str
    help: str
    add_arguments: Callable[[CommandParser], None]
    run: Callable[[Mapping[str, Any]], str]


class UnsoundError(Exception):
    """A subcommand has found something broken: ``text`` is printed, and the exit status is 1."""

    def __init__(self, text: str, complaint: str) -> None:
        super().__init__(complaint)
        self.text = text
