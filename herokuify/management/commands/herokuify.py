"""`herokuify`: looks at what herokuify makes of the environment, and whether it works."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from herokuify.management.subcommands import Subcommand, UnsuccessfulError, doctor, env

SUBCOMMANDS: tuple[Subcommand, ...] = (env.SUBCOMMAND, doctor.SUBCOMMAND)


class Command(BaseCommand):
    """Runs one of the subcommands."""

    help = "Look at what herokuify makes of the environment, and whether it works."
    # It is for finding faults, and must run when there are some.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Give each subcommand a parser of its own."""
        choices = parser.add_subparsers(dest="subcommand", required=True, metavar="subcommand")
        for subcommand in SUBCOMMANDS:
            subcommand.add_arguments(
                choices.add_parser(
                    subcommand.name, help=subcommand.help, description=subcommand.help
                )
            )

    def handle(self, *args: Any, **options: Any) -> str:
        """Run the subcommand, and return what it says."""
        chosen = options["subcommand"]
        [subcommand] = [known for known in SUBCOMMANDS if known.name == chosen]
        try:
            return subcommand.run(options)
        except UnsuccessfulError as error:
            if error.report:
                self.stdout.write(error.report)
            raise CommandError(str(error)) from error.__cause__
