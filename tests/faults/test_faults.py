"""Each fault of the catalogue is found, named and mended by what is said of it."""

from pathlib import Path

import pytest

from tests.faults import bench
from tests.faults.catalogue import FAULTS
from tests.faults.servers import Servers
from tests.projects.heroku import MISCONFIGURED, failure_reason

pytestmark = [pytest.mark.once, pytest.mark.source_tree]


@pytest.mark.parametrize("title", FAULTS)
def test_is_found(title: str, servers: Servers, tmp_path: Path) -> None:
    fault = FAULTS[title]
    found = bench.find(fault, tmp_path / "app", servers)
    assert found.status == fault.status, found.log
    missing = [word for word in fault.words if word not in found.message]
    assert not missing, f"{missing} in {found.message!r}, of:\n{found.log}"
    assert not [secret for secret in bench.MARKED if secret in found.log], found.log
    if fault.command.is_build and fault.status:
        assert failure_reason(found.log) == MISCONFIGURED, found.log
    print(found.message)
