"""Time the first page with a static file in a new worker, which reads the manifest."""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.contestants import Deployment
from benchmarks.environments import peer
from benchmarks.lab import Lab, lab
from benchmarks.results import Measure, take_turns
from benchmarks.trees import Trees
from benchmarks.website import ask, contestant, serve

_SET = "medium"


def main(options: argparse.Namespace) -> None:
    """Deploy once, then start a worker and request a page in each round."""
    trees = Trees(_SET, options.work, peer("local", options.work))
    source = trees.source("base")
    with (
        lab(options, ["local-site", "herokuify-site"]) as place,
        place.buckets.new(f"bench-{os.getpid()}-{time.time_ns()}") as bucket,
    ):
        cases: dict[str, Measure] = {
            who: partial(_first, who, *_deployed(place, who, bucket, source))
            for who in ("local", "herokuify")
        }
        take_turns(place.results("first-page"), cases, options.rounds, warm_up=True)


def _deployed(place: Lab, who: str, bucket: str, source: Path) -> tuple[Deployment, Path]:
    """Build a release; local files stay, as in a slug."""
    folder, scripts = place.folder(), place.environments[f"{who}-site"]
    deployment = Deployment(place.near, bucket, source, place.folder(), scripts)
    command, variables = contestant(who).command(deployment, "manifest", folder)
    subprocess.run(command, env=variables, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return deployment, folder


def _first(who: str, deployment: Deployment, folder: Path, _: int) -> Iterator[dict[str, Any]]:
    with serve(who, deployment, folder, workers=1, threads=1) as port:
        status, seconds = ask(port, "static")
        _, again = ask(port, "static")
    if status != 200:
        raise SystemExit(f"error: the page answered {status}; see {folder / 'gunicorn.log'}")
    yield {"first_ms": seconds * 1000, "second_ms": again * 1000}
