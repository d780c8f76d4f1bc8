"""The benchmarks' main program, run by ``benchmarks/run.py`` in the harness's environment."""

from __future__ import annotations

import importlib
import signal
import sys

from benchmarks import report
from benchmarks.run import parse


def main() -> None:
    """Measure as the options say, then report."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # buckets are removed
    if options.command != "report":
        importlib.import_module(f"benchmarks.{options.command.replace('-', '_')}").main(options)
    if options.command not in {"faults", "oracle"}:
        report.write(options)


if __name__ == "__main__":
    main()
