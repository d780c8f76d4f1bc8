"""Servers for these tests, started once per test process."""

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
def running_in_new_folder(
    start: Callable[[Path], AbstractContextManager[Server]],
) -> Iterator[Server]:
    # Not in pytest's folder: in CI it is root's, and the servers run as another user.
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
    """Run a Redis server for one test: ``redis_with("--maxclients", "20")``."""
    return running_in_new_folder(lambda folder: daemons.redis(folder, *options))


@pytest.fixture(scope="session")
def postgres() -> Iterator[daemons.Postgres]:
    with running_in_new_folder(daemons.postgres) as server:
        yield server


@pytest.fixture(scope="session")
def redis() -> Iterator[daemons.Redis]:
    with running_in_new_folder(daemons.redis) as server:
        yield server


@pytest.fixture(scope="session")
def memcached() -> Iterator[daemons.Memcached]:
    with running_in_new_folder(daemons.memcached) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[daemons.MariaDb]:
    with running_in_new_folder(daemons.mariadb) as server:
        yield server
