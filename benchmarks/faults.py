"""Breaks deploys on purpose: ``python3 benchmarks/faults.py``, with all set-up.

Shows what herokuify and its peers leave behind when the network, S3 or the build fails in the
middle of a second release; see ``--help``, and docs/faults.md, which ``--publish`` writes.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Make the harness's virtual environment and go on in it."""
    sys.path.insert(0, str(ROOT))
    from benchmarks.environments import HARNESS, environment

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=ROOT / ".benchmarks")
    parser.add_argument(
        "--s3",
        default=os.environ.get("HEROKUIFY_BENCH_S3"),
        metavar="URL",
        help="S3 server to use (default: HEROKUIFY_BENCH_S3, or rclone's)",
    )
    parser.add_argument("--server-name", default="", help="what it is: 'Ceph 16.2'")
    parser.add_argument("--rounds", type=int, default=3, help="of each fault (default: 3)")
    parser.add_argument("--publish", action="store_true", help="write docs/faults.md")
    options = parser.parse_args()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    python = environment("harness", HARNESS, work / "environments") / "python"
    command = [
        *(str(python), "-m", "benchmarks.fault_runs", str(work), str(options.rounds)),
        *("publish" if options.publish else "print", options.s3 or "", options.server_name),
    ]
    os.chdir(ROOT)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
