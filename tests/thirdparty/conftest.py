"""Collected only where the group "third-party" is installed and the variable says so."""

import os

import pytest

from tests.browser.conftest import executable, playwright
from tests.servers import S3Server
from tests.services.conftest import mariadb, postgres, redis
from tests.services.test_connections import limited, make_site

__all__ = [
    "executable",
    "limited",
    "make_site",
    "mariadb",
    "playwright",
    "postgres",
    "redis",
]

collect_ignore_glob = [] if os.environ.get("HEROKUIFY_TEST_THIRD_PARTY") == "1" else ["test_*.py"]


@pytest.fixture(scope="session")
def s3(moto: S3Server) -> S3Server:
    """moto alone: nothing here depends on the server."""
    return moto
