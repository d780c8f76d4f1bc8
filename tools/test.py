"""Create the environment, and run the tests: ``python3 tools/test.py [pytest's arguments]``."""

import os
import shutil
import sys

from bootstrap import ensure_environment, run

if __name__ == "__main__":
    groups = ["--group", "test"]
    browsers = (os.environ.get("HEROKUIFY_TEST_CHROMIUM", ""), "chromium", "google-chrome")
    if any(map(shutil.which, browsers)):
        groups += ["--group", "browser"]
    python = ensure_environment(groups)
    run([python, "-m", "pytest", "-n", "auto", *sys.argv[1:]])
