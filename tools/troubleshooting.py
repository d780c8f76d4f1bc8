"""Write docs/troubleshooting.md: ``python3 tools/troubleshooting.py``, with all set-up.

Makes every fault that tests/faults/ lists, and writes down what is said of it. What needs a
server that is not there keeps the message it has.
"""

from bootstrap import ensure_environment, run

if __name__ == "__main__":
    python = ensure_environment(["--group", "test"])
    # One process: it writes the page at its end.
    bench = ["-m", "pytest", "tests/faults/test_faults.py::test_is_found"]
    run([python, *bench], {"HEROKUIFY_TEST_WRITE_DOCS": "1"})
