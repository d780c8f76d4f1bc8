"""`herokuify headers`: updates the headers of existing uploads to the current settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.management.base import CommandError, CommandParser

from herokuify.exceptions import HerokuifyError
from herokuify.management.subcommands import Subcommand, UnsuccessfulError

MOST_SHOWN = 20  # objects of each storage; verbosity 2 shows all


def add_arguments(parser: CommandParser) -> None:
    """Add ``--apply``."""
    parser.add_argument(
        "--apply",
        action="store_true",
        help="Change the headers; without this option, nothing is changed.",
    )


def run(options: Mapping[str, Any]) -> str:
    """Return the headers to change of each storage's uploads, or that were changed.

    Raises CommandError if there is no storage to check, and UnsuccessfulError if an object could
    not be changed, or S3 has refused a request.
    """
    # boto3 is imported only if this subcommand runs.
    from herokuify.buckets.headers import media_storages

    found = media_storages()
    if not found:
        raise CommandError("The settings and models name no herokuify storage for uploads.")
    lines: list[str] = []
    faults = 0
    for setting, storage in found:
        report = _Report(apply=options["apply"], is_long=options["verbosity"] > 1)
        location = f"s3://{storage.bucket_name}/{storage.location.strip('/')}/"
        lines.append(f"{location} ({setting})")
        try:
            report.examine(storage)
        except HerokuifyError as error:
            lines += report.lines()
            raise UnsuccessfulError(
                f"{error} Run the command again to continue.", "\n".join(lines)
            ) from error
        lines += report.lines()
        faults += report.faults
    if faults:
        raise UnsuccessfulError(f"Not done, see above: {faults}.", "\n".join(lines))
    return "\n".join(lines)


class _Report:
    """The results for one storage: counts, and the first names."""

    def __init__(self, *, apply: bool, is_long: bool) -> None:
        self._apply = apply
        self._is_long = is_long
        self._seen = self._changed = self.faults = 0
        self._shown: list[str] = []

    def examine(self, storage: Any) -> None:
        from herokuify.buckets.headers import examine_all

        for result in examine_all(storage, apply=self._apply):
            self._seen += 1
            if result is None:
                continue
            self.faults += bool(result.fault)
            self._changed += not result.fault
            count = self.faults if result.fault else self._changed
            if self._is_long or count <= MOST_SHOWN:
                self._shown.append(f"  {result.name}")
                told = [f"! {result.fault}"] if result.fault else result.lines()
                self._shown += [f"    {line}" for line in told]

    def lines(self) -> Iterator[str]:
        yield from self._shown
        if not self._is_long and self._changed > MOST_SHOWN:
            yield f"  and {self._changed - MOST_SHOWN} more: --verbosity 2 shows all"
        if not self._changed:
            yield f"  {self._seen} checked; there is nothing to do."
        elif self._apply:
            yield f"  {self._seen} checked, {self._changed} changed."
        else:
            yield (
                f"  {self._seen} checked, {self._changed} to change; nothing has been changed. "
                "To apply: manage.py herokuify headers --apply"
            )


SUBCOMMAND = Subcommand(
    "headers",
    "Show the uploads whose headers differ from the current settings: Cache-Control, "
    "Content-Disposition, AWS_HEADERS. With --apply, change them within S3.",
    add_arguments,
    run,
)
