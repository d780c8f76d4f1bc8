"""Runs the contestants in turns and records what each deploy cost and whether it was right."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.access import Access
from benchmarks.contestants import (
    CACHE_CONTROL,
    HEADERS_SUFFIX,
    LOCATION,
    Contestant,
    Deployment,
)
from benchmarks.distance import Distance
from benchmarks.server import Buckets
from benchmarks.trees import Trees, files_in, touch

_MEASURE = Path(__file__).resolve().with_name("measure.py")
_LAST_LINES = 15


@dataclass
class Stage:
    """What all runs share."""

    work: Path
    environments: dict[str, Path]  # contestant's environment → its bin folder
    distance: Distance
    buckets: Buckets
    far: Access  # the server, as the contestants see it: behind the distance
    timeout: float  # seconds a deploy may take
    # What deploys write to the disk stays here until the end: ext4 takes long to create files for
    # minutes after others were deleted, which a build machine does not do.
    disks: Path


class Runner:
    """Deploys one set with one contestant and variant, scenario after scenario."""

    def __init__(self, stage: Stage, trees: Trees, contestant: Contestant, variant: str) -> None:
        self.stage = stage
        self.trees = trees
        self.contestant = contestant
        self.variant = variant
        self.folder = stage.work / "runs" / f"{contestant.name}-{variant}"
        self.disk = stage.disks / "none"

    def warm_up(self) -> None:
        """Read the program from the disk once, so that the first one to run pays nothing more."""
        deployment = self._deployment("none", self.trees.source("base"))
        command, variables = self.contestant.command(
            deployment, self.variant, self.folder / "project"
        )
        silent = subprocess.DEVNULL
        subprocess.run(
            [*command, "--help"], env=variables, stdout=silent, stderr=silent, check=False
        )

    def round(self, number: int, scenarios: list[str]) -> Iterator[dict[str, Any]]:
        """Yield a record for each scenario, the bucket being new at the first one."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.disk = self._new_disk()
        name = f"bench-{os.getpid()}-{self.contestant.name}-{self.variant}-{number}"
        with self.stage.buckets.new(name) as bucket:
            state = "base"
            for scenario in scenarios:
                if scenario == "changed":
                    state = "changed"  # and so it stays: "headers" is to change nothing else
                record = self._run(bucket, scenario, state)
                yield {
                    "set": self.trees.name,
                    "contestant": self.contestant.name,
                    "variant": self.variant,
                    "scenario": scenario,
                    "round": number,
                    **record,
                }
                if record["exit"]:
                    return

    def _run(self, bucket: str, scenario: str, state: str) -> dict[str, Any]:
        source = self._prepare(state)
        deployment = self._deployment(bucket, source, new_headers=scenario == "headers")
        command, variables = self.contestant.command(
            deployment, self.variant, self.folder / "project"
        )
        for path in files_in(source):  # nobody gets a colder page cache than the next one
            path.read_bytes()
        os.sync()
        load = os.getloadavg()[0]
        self.stage.distance.take()
        record = self._measure(command, variables, self.folder / f"{scenario}.log")
        record |= {"load_before": round(load, 1), **self.stage.distance.take()}
        if not self.contestant.local and record["exit"] == 0:
            record |= self._inspect(bucket, scenario, state)
        return record

    def _deployment(self, bucket: str, source: Path, *, new_headers: bool = False) -> Deployment:
        return Deployment(
            access=self.stage.far,
            bucket=bucket,
            source=source,
            static_root=self.disk,
            scripts=self.stage.environments[self.contestant.environment],
            new_headers=new_headers,
        )

    def _prepare(self, state: str) -> Path:
        """Make the disk as the deploy finds it, and return the folder of the files."""
        if self.contestant.fresh_disk:
            self.disk = self._new_disk()
            source = self.trees.source(state)
            touch(source)
            return source
        variant = self.variant if self.contestant.tool else "plain"
        source = self.trees.ready(variant, state)
        if state == "changed":
            touch(source, self.trees.changed_names(variant))
        return source

    def _new_disk(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.stage.disks))

    def _measure(self, command: list[str], variables: dict[str, str], log: Path) -> dict[str, Any]:
        result = self.folder / "cost.json"
        stub = [sys.executable, "-I", "-S", str(_MEASURE), str(result)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*stub, *command],
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                process.wait(self.stage.timeout)
            except BaseException as error:
                os.killpg(process.pid, 9)
                process.wait()
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
                return {"exit": "timeout", "wall": self.stage.timeout}
        cost: dict[str, Any] = json.loads(result.read_text())
        if cost["exit"]:
            lines = log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
            print("\n".join(f"    {line}" for line in lines), file=sys.stderr)
        return cost

    def _inspect(self, bucket: str, scenario: str, state: str) -> dict[str, Any]:
        """Compare what lies in the bucket with what Django would have deployed."""
        etags = self.stage.buckets.etags(bucket, LOCATION)
        wanted = self.trees.digests(self.variant, state)
        wrong = [n for n, md5 in wanted.items() if n in etags and _differs(etags[n], md5)]
        found: dict[str, Any] = {
            "objects": len(etags),
            "missing": sorted(wanted.keys() - etags.keys())[:10],
            "wrong": sorted(wrong)[:10],
            "missing_count": len(wanted.keys() - etags.keys()),
            "wrong_count": len(wrong),
        }
        if scenario == "headers":
            names = [name for name in wanted if name.endswith(HEADERS_SUFFIX)]
            chosen = names[:: max(1, len(names) // 5)]
            found["old_headers"] = [
                name
                for name in chosen
                if self.stage.buckets.cache_control(bucket, f"{LOCATION}/{name}") != CACHE_CONTROL
            ]
        return found


def _differs(etag: str, md5: str) -> bool:
    return "-" not in etag and etag != md5  # a multipart object's ETag is no MD5


def summary(record: dict[str, Any]) -> str:
    """Return a record as one line for people."""
    head = "{set} {variant} {contestant} {scenario} #{round}:".format(**record)
    if record["exit"]:
        return f"{head} failed ({record['exit']}) after {record['wall']:.1f} s"
    requests = ", ".join(f"{count} {kind}" for kind, count in record["requests"].items())
    line = (
        f"{head} {record['wall']:.2f} s, CPU {record['user'] + record['system']:.2f} s, "
        f"{record['peak_bytes'] / 1e6:.0f} MB, {requests or 'no requests'}, "
        f"{record['bytes_sent'] / 1e6:.1f} MB sent"
    )
    for kind in ("missing", "wrong"):
        if count := record.get(f"{kind}_count"):
            line += f"; {count} objects {kind.upper()}, such as {record[kind][0]}"
    if record.get("old_headers"):
        line += "; headers NOT applied"
    return f"{time.strftime('%H:%M:%S')} {line}"
