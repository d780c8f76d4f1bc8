"""Run the benchmarks: ``python3 -m benchmarks``."""

from benchmarks.run import main

main()
