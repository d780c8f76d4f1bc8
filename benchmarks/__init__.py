"""Benchmarks of herokuify against its peers; ``python3 benchmarks/run.py --help`` tells more."""
