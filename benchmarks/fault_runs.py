"""Deploys a second release through the tests' fault proxy, and looks at what is left."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.access import Access
from benchmarks.contestants import CONTESTANTS, LOCATION, VARIANTS, Contestant, Deployment
from benchmarks.environments import PEERS, environment, versions
from benchmarks.server import Buckets, chosen_server
from benchmarks.sets import SETS
from benchmarks.text import TITLES, table
from benchmarks.trees import Trees, touch
from tests import fault_proxy
from tests.replay import ACCESS_DENIED, EXPIRED_TOKEN, Fault, Proxy, Request, replay

NAMES = ("herokuify-crt", "herokuify", "django-storages", "collectfasta")
PAGE = Path(__file__).resolve().parent.parent / "docs" / "faults.md"
MANIFEST = "staticfiles.json"
LONGEST = 300  # seconds
_SECTION = re.compile(r"(<!-- results: begin[^>]*-->\n).*(<!-- results: end -->)", re.DOTALL)


@dataclass
class Killer:
    """A rule that ends the deploy at one of its writes, which never arrives."""

    moment: int
    process: subprocess.Popen[bytes] | None = None
    _seen: int = 0

    def __call__(self, request: Request) -> Fault | None:
        """Kill at the moment, and cut every connection from then on."""
        self._seen += fault_proxy.is_put(request)
        if self._seen < self.moment or self.process is None:
            return None
        self.process.kill()
        return Fault.DROPPED


#: Title → a rule for the proxy; the number tells the rounds apart.
FAULTS: dict[str, Callable[[int, str], Any]] = {
    "10 % SlowDown, 5 % dropped connections": lambda number, key: fault_proxy.shaky(number),
    "one file refused for ever (403)": lambda number, key: fault_proxy.for_keys(
        [f"{LOCATION}/{key}"], ACCESS_DENIED
    ),
    "credentials expire midway": lambda number, key: fault_proxy.after(3 + number, EXPIRED_TOKEN),
    "network cut midway": lambda number, key: fault_proxy.after(3 + number, Fault.DROPPED),
    "killed midway": lambda number, key: Killer(3 + number),
}


class Broken:
    """One contestant's deploys of one variant to one bucket, behind the proxy."""

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
        """Deploy on an empty disk, as a build does; returns the exit status, None for "killed"."""
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
        """What visitors of the running release ask for in vain; "" for nothing.

        Its pages ask for what the manifest names or, of a plain class, for every file.
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
        return f"{len(gone)} files of the running site are gone" if gone else ""

    def incomplete(self, buckets: Buckets) -> int:
        """How many files of the second release are missing or have another content."""
        there = buckets.etags(self.deployment.bucket, LOCATION)
        wanted = self.trees.digests(self.variant, "changed")
        return sum(1 for name, md5 in wanted.items() if there.get(name) != md5)


def main() -> None:
    """Break each deploy in each way, and print or write the table."""
    work, rounds, output = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    environments = {
        name: environment(name, PEERS[name], work / "environments")
        for name in (*NAMES, "local", "rclone")
    }
    trees = Trees("small", work / "sets")
    trees.make(SETS["small"], work / "packages", environments["local"])
    cells: dict[tuple[str, str, str], list[str]] = {}
    with chosen_server(sys.argv[4], sys.argv[5], environments["rclone"], work / "server") as (
        near,
        server,
    ):
        buckets = Buckets(near)
        with replay(near.endpoint) as proxy:
            far = near._replace(endpoint=proxy.url)
            for number in range(rounds):
                for name in NAMES:
                    for variant in VARIANTS:
                        for fault in FAULTS:
                            place = work / "runs" / f"faults-{name}"
                            with _deployment(buckets, far, trees, place, environments[name]) as it:
                                broken = Broken(
                                    CONTESTANTS[name], variant, trees, it, place / "project"
                                )
                                told = _break(broken, proxy, buckets, fault, number)
                            cells.setdefault((fault, variant, name), []).append(told)
                            print(f"{fault} | {variant} | {name} | {told}", flush=True)
    report = _report(cells, rounds, server, environments)
    if output == "publish":
        page = PAGE.read_text()
        PAGE.write_text(_SECTION.sub(lambda match: f"{match[1]}\n{report}\n{match[2]}", page))
    else:
        print(report)


@contextlib.contextmanager
def _deployment(
    buckets: Buckets, far: Access, trees: Trees, place: Path, scripts: Path
) -> Iterator[Deployment]:
    shutil.rmtree(place, ignore_errors=True)
    (place / "project").mkdir(parents=True)
    with buckets.new(f"faults-{time.time_ns()}") as bucket:
        yield Deployment(far, bucket, trees.source("base"), place / "root", scripts)


def _break(broken: Broken, proxy: Proxy, buckets: Buckets, fault: str, number: int) -> str:
    """Deploy one release, break the next, and say what a visitor and the builder see."""
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
    told = [_said(status, incomplete)]
    if lost:
        told.append(f"**{lost}**")
    if status is not None and elapsed > 60:
        told.append(f"{elapsed:.0f} s")
    if status != 0:
        again = broken.deploy()
        left = broken.incomplete(buckets)
        if again or left:
            told.append(f"**next run: exit {again}, {left} files wrong**")
    return ", ".join(told)


def _said(status: int | None, incomplete: int) -> str:
    if status is None:
        return "killed"
    if status == 0:
        return f"**success, {incomplete} files wrong**" if incomplete else "all sent"
    return "gave up" if status == LONGEST else "error"


def _report(
    cells: dict[tuple[str, str, str], list[str]],
    rounds: int,
    server: str,
    environments: dict[str, Path],
) -> str:
    lines = []
    for variant in VARIANTS:
        rows = [
            [fault, *(_cell(cells[fault, variant, name]) for name in NAMES)] for fault in FAULTS
        ]
        head = [f"{variant} class", *(TITLES[name] for name in NAMES)]
        lines.append(table(head, rows).replace("--:", ":--"))
    releases = {name: versions(environments[name]) for name in ("django-storages", "collectfasta")}
    lines.append(
        f"{rounds} rounds on {server}, with django-storages "
        f"{releases['django-storages']['django-storages']} and collectfasta "
        f"{releases['collectfasta']['Collectfasta']}: `python3 benchmarks/faults.py --publish`."
    )
    return "\n".join(lines)


def _cell(told: list[str]) -> str:
    return "; ".join(
        f"{count} × {text}" if (count := told.count(text)) < len(told) else text
        for text in dict.fromkeys(told)
    )


if __name__ == "__main__":
    main()
