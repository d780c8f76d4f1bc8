"""Measures uploads and downloads of media: ``python3 benchmarks/media.py``, with all set-up.

Needs Python ≥ 3.10, curl, and the network to PyPI; see ``--help``, and docs/benchmarks.md. Ends
with status 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

OLDEST_PYTHON = (3, 10)
ROOT = Path(__file__).resolve().parent.parent


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        prog="python3 benchmarks/media.py",
        description="Measures saving and reading media on S3 by herokuify and by its peers.",
    )
    add = parser.add_argument
    add(
        "--sizes",
        nargs="+",
        type=int,
        default=[1, 64, 1024],
        metavar="MB",
        help="of the files; the goals are about 64 and the largest (default: 1 64 1024)",
    )
    add("--rounds", type=int, default=3, help="of the measurements of time and memory (3)")
    add("--rtt", type=float, default=20.0, help="milliseconds away when bytes are counted (20)")
    add(
        "--s3",
        default=os.environ.get("HEROKUIFY_BENCH_S3"),
        metavar="URL",
        help="S3 server to use (default: HEROKUIFY_BENCH_S3; without it, rclone's)",
    )
    add("--server-name", default="", help="what the server is, for the report: 'Ceph 16.2'")
    add("--work", type=Path, default=ROOT / ".benchmarks", help="folder of environments and files")
    add("--publish", action="store_true", help="write the table into docs/benchmarks.md")
    return parser.parse_args(arguments)


def main() -> None:
    """Make the harness's virtual environment and go on in it."""
    sys.path.insert(0, str(ROOT))
    from benchmarks.environments import HARNESS, environment

    options = parse()
    work = str(options.work.resolve())
    python = environment("harness", HARNESS, Path(work) / "environments") / "python"
    command = [str(python), "-m", "benchmarks.media_main", *sys.argv[1:], "--work", work]
    os.chdir(ROOT)
    os.execv(command[0], command)


if __name__ == "__main__":
    if sys.version_info < OLDEST_PYTHON:
        sys.exit("error: the benchmarks need Python {}.{} or newer".format(*OLDEST_PYTHON))
    main()
