"""The benchmarks' main program, run by ``benchmarks/run.py`` in the harness's environment."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks import report
from benchmarks.contestants import CONTESTANTS, SCENARIOS
from benchmarks.distance import distance_to
from benchmarks.environments import PEERS, environment, versions
from benchmarks.options import parse
from benchmarks.results import Results, machine
from benchmarks.runner import Runner, Stage, summary
from benchmarks.server import Buckets, chosen_server
from benchmarks.sets import SETS
from benchmarks.trees import Trees


def main() -> None:
    """Measure as the options say, then report."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # buckets are removed
    paths: list[Path] = options.report or []
    if options.report is None:
        measured = measure(options)
        # What is published stays whole when only one set was measured anew.
        paths = [] if options.publish else measured
    report.write(paths or report.newest(), publish=options.publish)


def measure(options: argparse.Namespace) -> list[Path]:
    """Run everything and return the paths of the raw figures, one for each set."""
    work: Path = options.work
    work.mkdir(parents=True, exist_ok=True)
    (work / ".gitignore").write_text("*\n")
    chosen = [CONTESTANTS[name] for name in options.contestants]
    needed = {"local", *(contestant.environment for contestant in chosen)}
    if not options.s3:
        needed.add("rclone")
    environments = {
        name: environment(name, PEERS[name], work / "environments") for name in sorted(needed)
    }
    trees = {name: Trees(name, work / "sets") for name in options.sets}
    for name, tree in trees.items():
        tree.make(SETS[name], work / "packages", environments["local"])
    paths = []
    with (
        chosen_server(
            options.s3,
            options.server_name,
            # not there, and not asked for, when a server is named
            environments.get("rclone", work),
            work / "server",
        ) as (near, server),
        distance_to(near.address, options.rtt) as distance,
        tempfile.TemporaryDirectory(dir=work, prefix="disks-") as disks,
    ):
        stage = Stage(
            work=work,
            environments=environments,
            distance=distance,
            buckets=Buckets(near),
            far=near._replace(endpoint=distance.endpoint),
            timeout=options.timeout,
            disks=Path(disks),
        )
        for name, tree in trees.items():
            results = Results.new(
                name,
                report.RESULTS if options.publish else work / "results",
                {
                    "command": _command(options),
                    "machine": machine(),
                    "server": server,
                    "rtt_ms": options.rtt,
                    "set": tree.facts,
                    "versions": {key: versions(path) for key, path in environments.items()},
                },
            )
            _run_set(options, stage, tree, results)
            paths.append(results.path)
    return paths


def _run_set(options: argparse.Namespace, stage: Stage, trees: Trees, results: Results) -> None:
    last = max(options.rounds, options.slow_rounds)
    for number in range(1, last + 1):
        # Another one begins each round: whatever drifts, it hits everybody.
        shift = (number - 1) % len(options.contestants)
        for name in options.contestants[shift:] + options.contestants[:shift]:
            contestant = CONTESTANTS[name]
            rounds, wanted = options.rounds, options.scenarios
            if contestant.slow:
                in_set = trees.name in options.slow_sets
                rounds = options.slow_rounds if in_set else 0
                wanted = [one for one in wanted if one in options.slow_scenarios]
            scenarios = [one for one in SCENARIOS if one in wanted and one in contestant.scenarios]
            begin = last - rounds + 1  # the slow ones come last: a look at the others is soon had
            if number < begin or not scenarios:
                continue
            for variant in options.variants:
                runner = Runner(stage, trees, contestant, variant)
                if number == begin:
                    runner.warm_up()
                for record in runner.round(number, scenarios):
                    results.add(record)
                    print(summary(record), flush=True)


def _command(options: argparse.Namespace) -> str:
    """The command as it was typed, without what names this machine."""
    words = sys.argv[1:-2]  # run.py appended --work
    for option in ("--work", "--s3"):
        while option in words:
            place = words.index(option)
            del words[place : place + 2]
    server = "HEROKUIFY_BENCH_S3=… " if options.s3 else ""
    return server + shlex.join(["python3", "benchmarks/run.py", *words])


if __name__ == "__main__":
    main()
