"""The command line; standard library only, because it is read before anything is installed."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmarks.contestants import CONTESTANTS, SCENARIOS, VARIANTS
from benchmarks.sets import SETS

ROOT = Path(__file__).resolve().parent.parent
_EPILOG = """
scenarios, in this order, of each contestant in each round (the bucket is new at the start):
  first      everything is sent
  unchanged  the same again, from an empty disk and with new modification times, as on Heroku
  changed    10 files differ
  headers    AWS_EXTRA_HEADERS differ for the SVG files (AWS_S3_OBJECT_PARAMETERS for the others)

quick run:  python3 benchmarks/run.py --sets small --rounds 1
fast peers: python3 benchmarks/run.py --sets medium --contestants local herokuify-crt s5cmd
the server: HEROKUIFY_BENCH_S3=http://127.0.0.1:9103 (key "key", secret "secretsecret", or
            HEROKUIFY_BENCH_S3_KEY and HEROKUIFY_BENCH_S3_SECRET); without it, rclone's
"""


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        prog="python3 benchmarks/run.py",
        description="Measures deploys of static files to S3 by herokuify and by its peers.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--sets",
        nargs="+",
        choices=list(SETS),
        default=list(SETS),
        metavar="SET",
        help=", ".join(SETS),
    )
    add(
        "--contestants",
        nargs="+",
        choices=list(CONTESTANTS),
        default=list(CONTESTANTS),
        metavar="NAME",
        help=", ".join(CONTESTANTS),
    )
    add("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="VARIANT")
    add("--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS), metavar="SCENARIO")
    add("--rounds", type=int, default=3, help="of the fast contestants (default: 3)")
    add(
        "--slow-rounds",
        type=int,
        default=1,
        help="of the slow ones, collectfasta and django-storages (1)",
    )
    add(
        "--slow-sets",
        nargs="*",
        choices=list(SETS),
        default=["small", "medium"],
        metavar="SET",
        help="sets the slow contestants take part in (default: small medium)",
    )
    add(
        "--slow-scenarios",
        nargs="+",
        choices=SCENARIOS,
        default=["first", "unchanged"],
        metavar="SCENARIO",
        help="theirs (default: first unchanged)",
    )
    add("--rtt", type=float, default=20.0, help="milliseconds to the server and back (20)")
    add("--timeout", type=float, default=3600.0, help="seconds a deploy may take (3600)")
    add(
        "--s3",
        default=os.environ.get("HEROKUIFY_BENCH_S3"),
        metavar="URL",
        help="S3 server to use (default: HEROKUIFY_BENCH_S3)",
    )
    add("--server-name", default="", help="what the server is, for the report: 'Ceph 16.2'")
    add(
        "--work",
        type=Path,
        default=ROOT / ".benchmarks",
        help="folder of environments, sets and logs (default: .benchmarks)",
    )
    add(
        "--publish",
        action="store_true",
        help="keep the raw figures in benchmarks/results and write docs/benchmarks.md",
    )
    add(
        "--report",
        nargs="*",
        type=Path,
        metavar="JSON",
        help="measure nothing; print (with --publish: write) the report of these results"
        " (default: the newest of each set, and older ones with other contestants)",
    )
    return parser.parse_args(arguments)
