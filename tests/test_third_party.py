"""docs/third-party.md lists the packages of the group "third-party", with their versions."""

import re
from pathlib import Path

import pytest

pytestmark = [pytest.mark.source_tree, pytest.mark.once]

ROOT = Path(__file__).resolve().parent.parent


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def rows() -> list[list[str]]:
    lines = [line for line in text("docs/third-party.md").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_each_package_of_the_group_has_a_row_with_its_pinned_version() -> None:
    group = text("pyproject.toml").partition("\nthird-party = [\n")[2].partition("\n]\n")[0]
    names = set(re.findall(r'^  "([\w-]+)', group, re.MULTILINE))
    # django-cleanup is in the group "test".
    assert {row[0] for row in rows()} == names | {"django-cleanup"}
    pins = dict(re.findall(r"^([\w-]+)==(\S+)", text("constraints.txt"), re.MULTILINE))
    assert {row[0]: row[1] for row in rows()} == {row[0]: pins[row[0]] for row in rows()}


def test_each_module_of_the_tests_is_in_the_table() -> None:
    modules = {
        f"`tests/thirdparty/{path.name}`" for path in (ROOT / "tests/thirdparty").glob("test_*")
    }
    assert modules == {name for row in rows() for name in row[3].split(", ")}


def test_the_page_and_the_session_name_one_python_and_django() -> None:
    session = text("noxfile.py").partition("def third_party")
    python = re.findall(r'python="([\d.]+)"\)\n$', session[0])
    django = re.search(r'"Django==([\d.]+)\.\*"', session[2])
    assert django
    assert f"Python {python[0]} and Django {django[1]}" in " ".join(
        text("docs/third-party.md").split()
    )
