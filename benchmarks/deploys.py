"""Deploy sets with each contestant; record each deploy's costs and whether it is correct."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.contestants import (
    CACHE_CONTROL,
    CONTESTANTS,
    HEADERS_SUFFIX,
    LOCATION,
    SCENARIOS,
    Contestant,
    Deployment,
)
from benchmarks.environments import peer
from benchmarks.lab import Lab, lab, measured
from benchmarks.results import Measure, take_turns
from benchmarks.sets import SETS
from benchmarks.trees import Trees, files_in, touch


def main(options: argparse.Namespace) -> None:
    """Measure each set in the options."""
    django = peer("local", options.work)
    for name in options.sets:
        files = SETS[name]
        names = options.contestants or list(files.contestants)
        if options.before and "before" not in names:
            names.append("before")
        if "before" in names and not options.before:
            sys.exit('error: the contestant "before" needs --before COMMIT')
        variants = options.variants or files.variants
        wanted = [one for one in SCENARIOS if one in (options.scenarios or files.scenarios)]
        trees = Trees(name, options.work, django)
        facts = {one: trees.facts(one, changed="changed" in wanted) for one in variants}
        with lab(options, names) as place:
            results = place.results(name, set=facts)
            cases: dict[str, Measure] = {
                f"{contestant} {variant}": partial(
                    Runner(place, trees, CONTESTANTS[contestant], variant).round, wanted
                )
                for variant in variants
                for contestant in names
            }
            take_turns(results, cases, options.rounds)


@dataclass
class Runner:
    """Deploy a set with a contestant and variant in all scenarios."""

    lab: Lab
    trees: Trees
    contestant: Contestant
    variant: str

    def round(self, wanted: list[str], number: int) -> Iterator[dict[str, Any]]:
        """Yield a record for each scenario, starting with a new bucket."""
        self.disk, self.folder = self.lab.folder(), self.lab.folder()
        if not number:  # load the program into the page cache
            command, variables = self._command("none", self.trees.source("base"))
            quiet = subprocess.DEVNULL
            subprocess.run(
                [*command, "--help"], env=variables, stdout=quiet, stderr=quiet, check=False
            )
        name = f"bench-{os.getpid()}-{time.time_ns()}"
        with self.lab.buckets.new(name) as bucket:
            state = "base"
            for scenario in wanted:
                if scenario not in self.contestant.scenarios:
                    continue
                if scenario == "changed":
                    state = "changed"  # also for "headers", which changes only headers
                record = self._run(bucket, scenario, state)
                yield {"case": f"{self.contestant.name} {self.variant} {scenario}", **record}
                if record["exit"]:
                    return

    def _run(self, bucket: str, scenario: str, state: str) -> dict[str, Any]:
        source = self._prepare(state)
        command, variables = self._command(bucket, source, new_headers=scenario == "headers")
        for path in files_in(source):  # the same page cache for all
            path.read_bytes()
        os.sync()
        load = os.getloadavg()[0]
        self.lab.distance.take()
        record = measured(command, variables, self.folder, self.lab.options.timeout)
        record |= {"load_before": round(load, 1), **self.lab.distance.take()}
        if not self.contestant.local and record["exit"] == 0:
            record |= self._inspect(bucket, scenario, state)
        return record

    def _command(
        self, bucket: str, source: Path, *, new_headers: bool = False
    ) -> tuple[list[str], dict[str, str]]:
        scripts = self.lab.environments[self.contestant.name]
        deployment = Deployment(self.lab.far, bucket, source, self.disk, scripts, new_headers)
        return self.contestant.command(deployment, self.variant, self.folder / "project")

    def _prepare(self, state: str) -> Path:
        """Prepare the disk for the deploy, and return the source directory."""
        if self.contestant.fresh_disk:
            self.disk = self.lab.folder()
            source = self.trees.source(state)
            touch(source)
            return source
        variant = self.variant if self.contestant.tool else "plain"
        source = self.trees.ready(variant, state)
        if state == "changed":
            touch(source, self.trees.changed_names(variant))
        return source

    def _inspect(self, bucket: str, scenario: str, state: str) -> dict[str, Any]:
        """Compare the bucket with the files that Django would deploy."""
        etags = self.lab.buckets.etags(bucket, LOCATION)
        wanted = self.trees.digests(self.variant, state)
        found: dict[str, Any] = {
            "objects": len(etags),
            "missing": sorted(wanted.keys() - etags.keys())[:10],
            # the ETag of a multipart object is not an MD5
            "wrong": [
                n for n, md5 in wanted.items() if "-" not in etags.get(n, "-") and etags[n] != md5
            ][:10],
        }
        if scenario == "headers":
            names = [name for name in wanted if name.endswith(HEADERS_SUFFIX)]
            found["old_headers"] = [
                name
                for name in names[:: max(1, len(names) // 5)]
                if self.lab.buckets.cache_control(bucket, f"{LOCATION}/{name}") != CACHE_CONTROL
            ]
        return found
