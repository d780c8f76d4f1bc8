"""Time URLs of static files and media, each contestant in separate processes."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.environments import peer
from benchmarks.lab import results_of
from benchmarks.processes import probe, variables_of
from benchmarks.results import Measure, take_turns


def main(options: argparse.Namespace) -> None:
    """Measure the contestants in turns."""
    scripts = {who: peer(who, options.work) for who in ("local", "herokuify", "django-storages")}
    with tempfile.TemporaryDirectory(dir=options.work) as name:
        folder = Path(name)
        variables = variables_of(None, "bench", folder)

        def measure(who: str, _: int) -> Iterator[dict[str, Any]]:
            record: dict[str, Any] = {}
            if who != "django-storages":
                arguments = [who, "static-urls", str(folder)]
                record |= probe(scripts[who], arguments, variables, folder)
            if who != "local":  # separate, because the other one counts sockets
                record |= probe(scripts[who], [who, "signed-urls"], variables, folder)
            yield record

        cases: dict[str, Measure] = {who: partial(measure, who) for who in scripts}
        take_turns(results_of(options, "urls", scripts), cases, options.rounds, warm_up=True)
