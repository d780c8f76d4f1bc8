"""Each fault of the catalogue is found, with a message that contains the cause and the hint."""

import dataclasses
from pathlib import Path

import django
import pytest

from tests.faults import bench, page
from tests.faults.catalogue import FAULTS
from tests.faults.fault import BUILD, COMPRESS, Means
from tests.faults.servers import Servers
from tests.projects.heroku import MISCONFIGURED, failure_reason
from tests.projects.site import tree

pytestmark = pytest.mark.once


@pytest.mark.parametrize("title", FAULTS)
def test_is_found(
    title: str, servers: Servers, tmp_path: Path, written: dict[str, str] | None
) -> None:
    fault = FAULTS[title]
    found = bench.find(fault, tmp_path / "app", servers)
    check(found)
    if not fault.is_alike and django.VERSION < (6, 1):
        return
    if written is None:
        shown = "docs/troubleshooting.md is outdated: run python3 tools/troubleshooting.py"
        assert page.entry(fault, found.message) in page.current(), shown
    else:
        written[title] = found.message


@pytest.mark.parametrize("title", [title for title, fault in FAULTS.items() if fault.alone])
def test_is_found_without_the_app(title: str, servers: Servers, tmp_path: Path) -> None:
    fault = dataclasses.replace(FAULTS[title], app="", means=Means.COMMAND)
    check(bench.find(fault, tmp_path / "app", servers))
    assert "staticfiles.json" not in tree(tmp_path / "app/staticfiles")


# No system check reports these before compress runs.
@pytest.mark.parametrize(
    "title",
    ["No bucket name", "STATIC_URL contains `None`", "STATIC_URL is relative"],
)
def test_is_found_by_compress(title: str, servers: Servers, tmp_path: Path) -> None:
    check(bench.find(dataclasses.replace(FAULTS[title], command=COMPRESS), tmp_path, servers))


# Up to Django 6.0, collectstatic creates its storage before the checks run.
@pytest.mark.parametrize("title", ["Unknown header", "Invalid regular expression"])
def test_is_found_by_the_build(title: str, servers: Servers, tmp_path: Path) -> None:
    check(bench.find(dataclasses.replace(FAULTS[title], command=BUILD), tmp_path, servers))


def test_page_contains_exactly_these_faults() -> None:
    text = page.current()
    assert list(page.entries(text)) == list(FAULTS)
    assert page.render(page.entries(text)) == text


def check(found: bench.Finding) -> None:
    fault, log = found.fault, found.log
    assert found.status == fault.status, log
    missing = [word for word in fault.words if word not in found.message]
    assert not missing, f"{missing} in {found.message!r}, of:\n{log}"
    assert not [secret for secret in bench.MARKED if secret in log], log
    if fault.command.is_build and fault.status and fault.is_configuration:
        assert failure_reason(log) == MISCONFIGURED, log
    if fault.means.is_offline:
        assert not found.files
