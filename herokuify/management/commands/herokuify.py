"""`herokuify`: shows the environment, tests the services, and changes buckets."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from herokuify.exceptions import HerokuifyError
from herokuify.management.subcommands import (
    Subcommand,
    UnsuccessfulError,
    bucket,
    doctor,
    env,
    headers,
)

SUBCOMMANDS: tuple[Subcommand, ...] = (
    env.SUBCOMMAND,
    doctor.SUBCOMMAND,
    bucket.SUBCOMMAND,
    headers.SUBCOMMAND,
)


class Command(BaseCommand):
    """Runs one of the subcommands."""

    help = "Inspect the environment, test the services that it names, and set up buckets."
    # It is for finding faults, so it must run in spite of them.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add a parser for each subcommand."""
        choices = parser.add_subparsers(dest="subcommand", required=True)
        for subcommand in SUBCOMMANDS:
            choice = choices.add_parser(
                subcommand.name, help=subcommand.help, description=subcommand.help
            )
            _add_common_arguments(choice)
            subcommand.add_arguments(choice)

    def handle(self, *args: Any, **options: Any) -> str:
        """Run the subcommand, and return its output."""
        chosen = options["subcommand"]
        [subcommand] = [known for known in SUBCOMMANDS if known.name == chosen]
        try:
            return subcommand.run(options)
        except UnsuccessfulError as error:
            if error.report:
                self.stdout.write(error.report)
            # CommandError: Django would print a traceback for any other class.
            raise CommandError(str(error)) from error.__cause__
        except HerokuifyError as error:
            raise CommandError(str(error)) from error


def _add_common_arguments(parser: CommandParser) -> None:
    """Accept Django's common options after the subcommand, too."""
    hidden: Any = {"default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
    parser.add_argument("-v", "--verbosity", type=int, choices=[0, 1, 2, 3], **hidden)
    parser.add_argument("--traceback", action="store_true", **hidden)
