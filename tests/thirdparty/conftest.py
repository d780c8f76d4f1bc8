"""Collected only where the group "third-party" is installed and the variable says so."""

import os

from tests.services.conftest import redis

__all__ = ["redis"]

collect_ignore_glob = [] if os.environ.get("HEROKUIFY_TEST_THIRD_PARTY") == "1" else ["test_*.py"]
