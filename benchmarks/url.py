"""Measures static URLs: ``python3 benchmarks/url.py``, with all set-up.

Compares ``url()`` of herokuify's static storages with that of Django's own, and says what importing
and making them costs. Ends with status 1 when a storage takes more than 1.5 × its model's time, or
when making URLs has made an S3 client or imported one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 1.5
ROUNDS = 15


def main() -> None:
    """Run the measurement in herokuify's environment and judge it."""
    sys.path.insert(0, str(ROOT))
    from benchmarks.environments import PEERS, environment

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=ROOT / ".benchmarks")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true", help="print the raw figures")
    options = parser.parse_args()
    work = options.work.resolve()
    scripts = environment("herokuify", PEERS["herokuify"], work / "environments")
    answer = subprocess.run(
        [scripts / "python", "-m", "benchmarks.url_probe", str(work), str(options.rounds)],
        cwd=ROOT,
        env={"PATH": os.environ.get("PATH", "")},
        stdout=subprocess.PIPE,
        check=True,
    )
    figures = json.loads(answer.stdout)
    if options.json:
        print(json.dumps(figures, indent=1))
    worst = 0.0
    for pair in figures["pairs"]:
        worst = max(worst, pair["ratio"])
        print(
            f"{pair['storage']}: {pair['ours_us']:.2f} µs a URL, {pair['model']}:"
            f" {pair['theirs_us']:.2f} µs, ratio {pair['ratio']:.2f} (at most {LIMIT})"
        )
    for name, cost in figures["start_up"].items():
        print(f"start-up, {name}: {cost['ms']:.0f} ms, {cost['mb']:.1f} MB")
    print(f"S3 clients made: {figures['clients']}; sockets opened: {figures['sockets']}")
    if worst > LIMIT or figures["clients"] or figures["sockets"]:
        sys.exit("error: static URLs cost too much")


if __name__ == "__main__":
    main()
