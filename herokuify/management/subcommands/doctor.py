"""`herokuify doctor`: tests all services that the settings name."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser
from django.core.management.color import color_style, no_style

from herokuify.management.subcommands import Subcommand, UnsuccessfulError

_WIDTH = 100  # columns, if the output is not a terminal


def add_arguments(parser: CommandParser) -> None:
    """Add ``--json``, and Django's options for colour, which otherwise must precede the name."""
    parser.add_argument("--json", action="store_true", help="Print JSON instead of a table.")
    for option in ("--no-color", "--force-color"):
        # No default, which would override an option before the subcommand.
        parser.add_argument(
            option, action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )


def run(options: Mapping[str, Any]) -> str:
    """Return the findings as a table, or as JSON with one object per probe.

    Raises UnsuccessfulError with the same text if a probe has failed.
    """
    # boto3 is imported only if this subcommand runs.
    from herokuify.doctor.findings import State
    from herokuify.doctor.report import as_json, as_table
    from herokuify.doctor.run import run_probes

    findings = run_probes()
    if options["json"]:
        text = as_json(findings)
    else:
        style: Any = no_style() if options["no_color"] else color_style(options["force_color"])
        paint = {
            State.OK: style.SUCCESS,
            State.WARNING: style.WARNING,
            State.FAILED: style.ERROR,
            State.SKIPPED: style.HTTP_NOT_MODIFIED,
        }
        width = shutil.get_terminal_size((_WIDTH, 0)).columns
        text = as_table(findings, width, paint)
    failed = sum(finding.state is State.FAILED for finding in findings)
    if failed:
        raise UnsuccessfulError(f"{failed} of {len(findings)} probes failed.", text)
    return text


SUBCOMMAND = Subcommand(
    "doctor",
    "Test whether S3, databases, caches and mail servers work with the settings. Each "
    "failure comes with a hint, nothing is changed, and the exit status is 1 when a probe "
    "fails.",
    add_arguments,
    run,
)
