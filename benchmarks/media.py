"""Save and read media with each contestant, ``s5cmd cp`` and curl."""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.contestants import Access, s5cmd_program
from benchmarks.lab import Lab, lab, measured
from benchmarks.processes import probe, variables_of
from benchmarks.results import Measure, take_turns

STORAGES = ("herokuify", "django-storages", "django-s3-storage")
MEGABYTE = 1024 * 1024


@dataclass
class Bench:
    """A bucket and the files to upload."""

    lab: Lab
    bucket: str
    folder: Path
    _idle: dict[str, float] = field(default_factory=dict)

    def source(self, size: int) -> Path:
        """Write a file of ``size`` MB of random bytes."""
        path = self.folder / f"{size}.bin"
        if not path.exists():
            with path.open("wb") as file:
                for _ in range(size):
                    file.write(os.urandom(MEGABYTE))
        return path

    def storage(self, who: str, task: str, size: int, number: int) -> Iterator[dict[str, Any]]:
        """Measure time and memory without the delay, and requests, in the first round, with it.

        Memory is that of the process minus that of an idle one.
        """
        if who not in self._idle:
            self._idle[who] = self._probe(who, "nothing", 1, self.lab.near)["peak_bytes"]
        self._prepare(task, size)
        near = self._probe(who, task, size, self.lab.near)
        record = {
            "seconds": near["seconds"],
            "peak_bytes": max(0.0, near["peak_bytes"] - self._idle[who]),
        }
        if not number:
            self._prepare(task, size)
            idle, busy = self._moved(who, "nothing", size), self._moved(who, task, size)
            record |= {
                "moved": sum(busy[key] - idle[key] for key in ("bytes_sent", "bytes_received")),
                "request_count": sum(busy["requests"].values()) - sum(idle["requests"].values()),
            }
        yield record

    def program(self, task: str, size: int, _: int) -> Iterator[dict[str, Any]]:
        """Measure a save with s5cmd, or a read with curl."""
        self._prepare(task, size)
        near, path = self.lab.near, str(self.source(size))
        if task == "save":
            s5cmd = s5cmd_program(self.lab.environments["s5cmd"])
            target = f"s3://{self.bucket}/s5cmd.bin"
            command = [s5cmd, "--endpoint-url", near.endpoint, "cp", path, target]
        else:
            scripts = self.lab.environments["herokuify"]
            arguments = ["herokuify", "signed-url", "stored.bin"]
            url = probe(scripts, arguments, self._variables(near), self.folder)["url"]
            command = ["curl", "--silent", "--fail", "--output", os.devnull, url]
        record = measured(command, self._variables(near), self.folder)
        yield {**record, "seconds": record["wall"]}

    def _prepare(self, task: str, size: int) -> None:
        """Empty the bucket before a save; upload the file before a read."""
        buckets = self.lab.buckets
        if task == "save":
            buckets.clear(self.bucket)
        elif buckets.etags(self.bucket, "media").get(f"stored-{size}.bin") is None:
            buckets.clear(self.bucket)
            for key in ("media/stored.bin", "stored.bin", f"media/stored-{size}.bin"):
                buckets.client.upload_file(str(self.source(size)), self.bucket, key)

    def _moved(self, who: str, task: str, size: int) -> dict[str, Any]:
        self.lab.distance.take()
        self._probe(who, task, size, self.lab.far)
        return self.lab.distance.take()

    def _probe(self, who: str, task: str, size: int, access: Access) -> dict[str, Any]:
        name = "saved.bin" if task == "save" else "stored.bin"
        arguments = [who, "media", task, name, str(self.source(size))]
        scripts = self.lab.environments[who]
        return probe(scripts, arguments, self._variables(access), self.folder)

    def _variables(self, access: Access) -> dict[str, str]:
        return variables_of(access, self.bucket, self.folder)


def main(options: argparse.Namespace) -> None:
    """Measure every task, size after size."""
    if shutil.which("curl") is None:
        raise SystemExit("error: curl is missing, and reading is compared with it")
    with lab(options, [*STORAGES, "s5cmd"]) as place:
        results = place.results("media")
        with place.buckets.new(f"bench-{os.getpid()}-{time.time_ns()}") as bucket:
            bench = Bench(place, bucket, place.disk)
            for size in options.sizes:
                for task in ("save", "read3", "read"):
                    cases: dict[str, Measure] = {
                        f"{who} {task} {size} MB": partial(bench.storage, who, task, size)
                        for who in STORAGES
                    }
                    if other := {"save": "s5cmd", "read": "curl"}.get(task):
                        cases[f"{other} {task} {size} MB"] = partial(bench.program, task, size)
                    take_turns(results, cases, options.rounds)
