"""Measure a process that starts and renders no URL, or a static and a signed media URL."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.contestants import REGION, Access, clean_environment
from benchmarks.environments import peer
from benchmarks.lab import measured, results_of
from benchmarks.results import Measure, take_turns

PROBES = Path(__file__).resolve().with_name("probes.py")
CASES = (
    *(("local", what) for what in ("nothing", "both")),
    *(("herokuify", what) for what in ("nothing", "static", "media", "both")),
    *(("django-storages", what) for what in ("nothing", "static", "media", "both")),
)


def variables_of(access: Access | None, bucket: str, folder: Path) -> dict[str, str]:
    """Return the environment of a probe; without ``access``, AWS is unreachable."""
    endpoint = {"AWS_S3_ENDPOINT_URL": access.endpoint} if access else {}
    return {
        **clean_environment(folder),
        "SECRET_KEY": "a-key-of-a-benchmark",
        "ALLOWED_HOSTS": "www.example.com",
        "DATABASE_URL": "sqlite:///nothing.db",
        "AWS_ACCESS_KEY_ID": access.key if access else "key",
        "AWS_SECRET_ACCESS_KEY": access.secret if access else "secret",
        "AWS_STORAGE_BUCKET_NAME": bucket,
        "AWS_S3_REGION_NAME": REGION,
        "AWS_S3_ADDRESSING_STYLE": "path",
        "TMPDIR": str(folder),
        **endpoint,
    }


def probe(
    scripts: Path, arguments: list[str], variables: dict[str, str], folder: Path
) -> dict[str, Any]:
    """Run a task of ``benchmarks/probes.py``; raise SystemExit if it fails."""
    command = [str(scripts / "python"), "-I", str(PROBES), *arguments]
    record = measured(command, variables, folder, cwd=folder)
    if record["exit"]:
        raise SystemExit(f"error: {' '.join(arguments)} ended with {record['exit']}")
    return record


def main(options: argparse.Namespace) -> None:
    """Measure all cases in turns."""
    scripts = {who: peer(who, options.work) for who, _ in CASES}
    with tempfile.TemporaryDirectory(dir=options.work) as name:
        folder = Path(name)
        variables = variables_of(None, "bench", folder)

        def measure(who: str, what: str, _: int) -> Iterator[dict[str, Any]]:
            yield probe(scripts[who], [who, "start", what], variables, folder)

        cases: dict[str, Measure] = {
            f"{who} {what}": partial(measure, who, what) for who, what in CASES
        }
        results = results_of(options, "processes", scripts)
        take_turns(results, cases, options.rounds, warm_up=True)
