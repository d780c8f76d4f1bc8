"""Run the tests: ``python3 tools/test.py [pytest's arguments]``, with all set-up."""

import sys

from bootstrap import ensure_environment, run

if __name__ == "__main__":
    python = ensure_environment(["--group", "test"])
    run([python, "-m", "pytest", "-n", "auto", *sys.argv[1:]])
