"""Servers for the tests of this folder, started once in each process that needs them."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from tests.services import daemons

Server = TypeVar("Server")


@contextmanager
def served(
    start: Callable[[Path], AbstractContextManager[Server]],
) -> Iterator[Server]:
    # Not below pytest's own folder, where only its user may look, and that is root in CI.
    folder = Path(tempfile.mkdtemp(prefix="herokuify-"))
    daemons.hand_over(folder)
    try:
        with start(folder) as server:
            yield server
    except daemons.MissingProgramError as error:
        pytest.skip(str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def redis_with(*options: str) -> AbstractContextManager[daemons.Redis]:
    """Run a server of the test's own: ``redis_with("--maxclients", "20")``."""
    return served(lambda folder: daemons.redis(folder, *options))


@pytest.fixture(scope="session")
def postgres() -> Iterator[daemons.Postgres]:
    with served(daemons.postgres) as server:
        yield server


@pytest.fixture(scope="session")
def redis() -> Iterator[daemons.Redis]:
    with served(daemons.redis) as server:
        yield server


@pytest.fixture(scope="session")
def memcached() -> Iterator[daemons.Memcached]:
    with served(daemons.memcached) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[daemons.MariaDb]:
    with served(daemons.mariadb) as server:
        yield server
