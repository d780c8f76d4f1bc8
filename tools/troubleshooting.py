"""Create the environment, and write docs/troubleshooting.md: ``python3 tools/troubleshooting.py``.

It reproduces every fault in tests/faults/, and writes its message. Faults whose server is missing
keep their messages.
"""

from bootstrap import ensure_environment, run

if __name__ == "__main__":
    python = ensure_environment(["--group", "test"])
    # In one process, which writes the page at its end.
    faults = ["-m", "pytest", "tests/faults/test_faults.py::test_is_found"]
    run([python, *faults], {"HEROKUIFY_TEST_WRITE_DOCS": "1"})
