"""Measure the CPU time of a small PUT from many threads, with herokuify and boto3."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from benchmarks.lab import lab
from benchmarks.processes import probe, variables_of
from benchmarks.results import Measure, take_turns


def main(options: argparse.Namespace) -> None:
    """Send the same objects with each, in turns; without the delay, which costs no CPU."""
    with (
        lab(options, ["herokuify", "django-storages"]) as place,
        place.buckets.new(f"bench-{os.getpid()}-{time.time_ns()}") as bucket,
    ):
        folder = place.folder()
        variables = variables_of(place.near, bucket, folder)

        def measure(who: str, _: int) -> Iterator[dict[str, Any]]:
            yield probe(place.environments[who], [who, "puts"], variables, folder)
            place.buckets.clear(bucket)

        cases: dict[str, Measure] = {
            case: partial(measure, who)
            for case, who in (("herokuify", "herokuify"), ("boto3", "django-storages"))
        }
        take_turns(place.results("puts"), cases, options.rounds, warm_up=True)
