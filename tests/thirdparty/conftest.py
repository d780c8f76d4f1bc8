"""Fixtures; tests are only collected if HEROKUIFY_TEST_THIRD_PARTY is 1."""

import os

from tests.browser.conftest import executable, playwright
from tests.services.conftest import mariadb, postgres, redis
from tests.services.test_connections import limited, make_limited

__all__ = [
    "executable",
    "limited",
    "make_limited",
    "mariadb",
    "playwright",
    "postgres",
    "redis",
]

collect_ignore_glob = [] if os.environ.get("HEROKUIFY_TEST_THIRD_PARTY") == "1" else ["test_*.py"]
