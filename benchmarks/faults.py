"""Deploy a second release through the tests' fault proxy, and inspect the result."""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.contestants import CONTESTANTS, LOCATION, VARIANTS, Contestant, Deployment
from benchmarks.environments import ROOT, peer, versions
from benchmarks.lab import Lab, command_line, lab
from benchmarks.server import Buckets
from benchmarks.text import TITLES, replace_section, table
from benchmarks.trees import Trees, touch
from tests import fault_proxy
from tests.replay import ACCESS_DENIED, EXPIRED_TOKEN, Fault, Proxy, Request, replay

NAMES = ("herokuify", "django-storages", "collectfasta")
PAGE = ROOT / "docs" / "faults.md"
MANIFEST = "staticfiles.json"
LONGEST = 300  # seconds


@dataclass
class Killer:
    """A rule that kills the deploy at one of its PUTs, which never arrives."""

    moment: int
    process: subprocess.Popen[bytes] | None = None
    _seen: int = 0

    def __call__(self, request: Request) -> Fault | None:
        """Kill the deploy at the PUT, and drop every connection from then on."""
        self._seen += fault_proxy.is_put(request)
        if self._seen < self.moment or self.process is None:
            return None
        self.process.kill()
        return Fault.DROPPED


#: Title → a rule for the proxy, which depends on the round.
FAULTS: dict[str, Callable[[int, str], Any]] = {
    "10 % SlowDown, 5 % dropped connections": lambda number, key: fault_proxy.shaky(number),
    "one file permanently refused (403)": lambda number, key: fault_proxy.for_keys(
        [f"{LOCATION}/{key}"], ACCESS_DENIED
    ),
    "credentials expire midway": lambda number, key: fault_proxy.after(3 + number, EXPIRED_TOKEN),
    "network cut midway": lambda number, key: fault_proxy.after(3 + number, Fault.DROPPED),
    "killed midway": lambda number, key: Killer(3 + number),
}


class Broken:
    """A contestant's deploys of a variant to a bucket, through the proxy."""

    def __init__(
        self,
        contestant: Contestant,
        variant: str,
        trees: Trees,
        deployment: Deployment,
        folder: Path,
    ) -> None:
        self.contestant, self.variant, self.trees = contestant, variant, trees
        self.deployment, self.folder = deployment, folder

    def deploy(self, rule: Any = None) -> int | None:
        """Deploy from an empty disk, as a build does; return the exit code, None if killed."""
        touch(self.deployment.source)
        shutil.rmtree(self.deployment.static_root, ignore_errors=True)
        command, variables = self.contestant.command(self.deployment, self.variant, self.folder)
        with (self.folder / "deploy.log").open("ab") as log:
            process = subprocess.Popen(
                command, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            if isinstance(rule, Killer):
                rule.process = process
            try:
                status = process.wait(LONGEST)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                return LONGEST
        return None if status == -signal.SIGKILL else status

    def lost(self, buckets: Buckets) -> str:
        """Return what visitors of the running release can't load, or "".

        Its pages need the files in the manifest; with a plain class, every file.
        """
        there = buckets.etags(self.deployment.bucket, LOCATION)
        if self.variant == "plain":
            gone = self.trees.digests("plain", "base").keys() - there.keys()
        elif MANIFEST not in there:
            return "the manifest is gone"
        else:
            key = f"{LOCATION}/{MANIFEST}"
            answer = buckets.client.get_object(Bucket=self.deployment.bucket, Key=key)
            gone = set(json.loads(answer["Body"].read())["paths"].values()) - there.keys()
        verb = "is" if len(gone) == 1 else "are"
        return f"{_files(len(gone))} of the running site {verb} gone" if gone else ""

    def incomplete(self, buckets: Buckets) -> int:
        """Count the files of the second release that are missing or have the wrong content."""
        there = buckets.etags(self.deployment.bucket, LOCATION)
        wanted = self.trees.digests(self.variant, "changed")
        return sum(1 for name, md5 in wanted.items() if there.get(name) != md5)


def main(options: argparse.Namespace) -> None:
    """Deploy with each fault, and print or write the tables."""
    django = peer("local", options.work)
    trees = Trees("small", options.work, django)
    cells: dict[tuple[str, str, str], list[str]] = {}
    with lab(options, NAMES) as place, replay(place.near.endpoint) as proxy:
        far = place.near._replace(endpoint=proxy.url)
        for number in range(options.rounds):
            for name, variant, fault in itertools.product(NAMES, VARIANTS, FAULTS):
                with place.buckets.new(f"faults-{time.time_ns()}") as bucket:
                    source, folder = trees.source("base"), place.folder()
                    root, scripts = place.folder(), place.environments[name]
                    deployment = Deployment(far, bucket, source, root, scripts)
                    broken = Broken(CONTESTANTS[name], variant, trees, deployment, folder)
                    result = _break(broken, proxy, place.buckets, fault, number)
                cells.setdefault((fault, variant, name), []).append(result)
                print(f"{fault} | {variant} | {name} | {result}", flush=True)
        report = _report(cells, place)
    if options.publish:
        replace_section(PAGE, report)
    else:
        print(report)


def _break(broken: Broken, proxy: Proxy, buckets: Buckets, fault: str, number: int) -> str:
    """Deploy a release, then another with the fault; describe the result."""
    proxy.rule = None
    proxy.requests.clear()
    if broken.deploy() != 0:
        return "the first release failed"
    broken.deployment = replace(broken.deployment, source=broken.trees.source("changed"))
    names = [name for name in broken.trees.changed_names(broken.variant) if name != MANIFEST]
    proxy.rule = rule = FAULTS[fault](number, names[number])
    began = time.monotonic()
    status = broken.deploy(rule)
    elapsed = time.monotonic() - began
    proxy.rule = None
    proxy.requests.clear()
    lost, incomplete = broken.lost(buckets), broken.incomplete(buckets)
    parts = [_outcome(status, incomplete)]
    if lost:
        parts.append(f"**{lost}**")
    if status is not None and elapsed > 60:
        parts.append(f"{elapsed:.0f} s")
    if status != 0:
        again = broken.deploy()
        left = broken.incomplete(buckets)
        if again or left:
            parts.append(f"**next run: exit {again}, {_files(left)} wrong**")
    return ", ".join(parts)


def _outcome(status: int | None, incomplete: int) -> str:
    if status is None:
        return "killed"
    if status == 0:
        return f"**success, {_files(incomplete)} wrong**" if incomplete else "all sent"
    return "gave up" if status == LONGEST else "error"


def _files(number: int) -> str:
    return f"{number} file{'' if number == 1 else 's'}"


def _report(cells: dict[tuple[str, str, str], list[str]], place: Lab) -> str:
    lines = []
    for variant in VARIANTS:
        rows = [
            [fault, *(_cell(cells[fault, variant, name]) for name in NAMES)] for fault in FAULTS
        ]
        head = [f"{variant} class", *(TITLES[name] for name in NAMES)]
        lines.append(table(head, rows).replace("--:", ":--"))
    releases = versions(place.environments["collectfasta"])
    lines.append(
        f"{place.options.rounds} rounds on {place.server}, with django-storages "
        f"{releases['django-storages']} and collectfasta {releases['Collectfasta']}: "
        f"`{command_line(place.options)}`."
    )
    return "\n".join(lines)


def _cell(results: list[str]) -> str:
    return "; ".join(
        f"{count} × {text}" if (count := results.count(text)) < len(results) else text
        for text in dict.fromkeys(results)
    )
