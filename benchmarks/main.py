"""The benchmarks' main program, which ``run.py`` starts in the harness's environment."""

from __future__ import annotations

import importlib
import signal
import sys

from benchmarks import report
from benchmarks.run import parse


def main() -> None:
    """Run the benchmark and write its report."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # to remove buckets
    if options.command != "report":
        importlib.import_module(f"benchmarks.{options.command.replace('-', '_')}").main(options)
    if options.command not in {"faults", "oracle"}:
        report.write(options)


if __name__ == "__main__":
    main()
