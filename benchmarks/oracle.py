"""Holds collectstatic against Django's own: ``python3 benchmarks/oracle.py``, with all set-up.

Deploys each set with herokuify under each Django that this Python runs, and compares every name
and content in the bucket, the manifest's included, with what that Django's
ManifestStaticFilesStorage and StaticFilesStorage write to the disk.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: Django → the oldest Python that it runs on (its release notes).
DJANGOS = {"4.2": (3, 8), "5.2": (3, 10), "6.0": (3, 12), "6.1": (3, 12)}
#: Django 4.2 was not made for newer ones.
NEWEST = {"4.2": (3, 12)}
SETS = ("small", "medium", "large")


def main() -> None:
    """Make the harness's virtual environment and go on in it."""
    sys.path.insert(0, str(ROOT))
    from benchmarks.environments import HARNESS, environment

    here = sys.version_info[:2]
    usual = [d for d, oldest in DJANGOS.items() if oldest <= here <= NEWEST.get(d, here)]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=ROOT / ".benchmarks")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--djangos", nargs="+", choices=list(DJANGOS), default=usual)
    options = parser.parse_args()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    python = environment("harness", HARNESS, work / "environments") / "python"
    command = [str(python), "-m", "benchmarks.oracle_runs", str(work), *options.djangos, "--"]
    os.chdir(ROOT)
    os.execv(command[0], [*command, *options.sets])


if __name__ == "__main__":
    main()
