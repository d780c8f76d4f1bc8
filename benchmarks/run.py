"""Measures deploys of static files to S3: ``python3 benchmarks/run.py``, with all set-up.

Needs Python ≥ 3.10 and the network to PyPI; see ``--help``, and docs/benchmarks.md.
"""

import os
import sys
from pathlib import Path

OLDEST_PYTHON = (3, 10)
ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Make the harness's virtual environment and go on in it."""
    sys.path.insert(0, str(ROOT))
    from benchmarks.environments import HARNESS, environment
    from benchmarks.options import parse

    options = parse()
    python = environment("harness", HARNESS, options.work.resolve() / "environments") / "python"
    command = [
        str(python),
        "-m",
        "benchmarks.main",
        *sys.argv[1:],
        "--work",
        str(options.work.resolve()),
    ]
    os.chdir(ROOT)
    os.execv(command[0], command)


if __name__ == "__main__":
    if sys.version_info < OLDEST_PYTHON:
        sys.exit("error: the benchmarks need Python {}.{} or newer".format(*OLDEST_PYTHON))
    main()
