"""Benchmarks of herokuify and other packages; see ``python3 -m benchmarks --help``."""
