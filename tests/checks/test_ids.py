import re
from pathlib import Path
from typing import Any

import pytest
from django.core.checks.registry import registry

import herokuify
import herokuify.aws  # registers the check of legacy settings
from herokuify.checks import CHECKS, TAG, Check
from herokuify.legacy import check_legacy_settings

PACKAGE = Path(herokuify.__file__).parent
DOCS = PACKAGE.parent / "docs"
IDS = re.compile(r"\bherokuify\.[CEWID]\d{3}\b")
# Projects have these IDs in SILENCED_SYSTEM_CHECKS.
ERRORS = {f"herokuify.E{number:03}" for number in range(1, 21)}
WARNINGS = {f"herokuify.W{number:03}" for number in range(1, 21)}


def sources() -> list[str]:
    return [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]


def test_ids_are_these() -> None:
    given = [found for text in sources() for found in re.findall(r'\bid="(herokuify\.\w+)"', text)]
    assert set(given) == ERRORS | WARNINGS


def test_each_check_names_its_id() -> None:
    told = [IDS.findall(str(check.load().__doc__)) for check, _ in CHECKS]
    assert all(len(one) == 1 for one in told)
    # These are raised elsewhere, or by a check that names another ID.
    others = {"herokuify.E001", "herokuify.W013", "herokuify.W016"}
    assert {one[0] for one in told} == (ERRORS | WARNINGS) - others


@pytest.mark.source_tree
def test_all_are_documented() -> None:
    rows = re.findall(
        r"^\| `(herokuify\.\w+)` \| (\w+) \| \S.+ \| \S.+ \|$",
        (DOCS / "checks.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert [row[0] for row in rows] == sorted(ERRORS | WARNINGS)
    assert all(level == {"E": "error", "W": "warning"}[name[10]] for name, level in rows)
    told = {
        name
        for path in DOCS.rglob("*.md")
        for name in IDS.findall(path.read_text(encoding="utf-8"))
    }
    assert told == ERRORS | WARNINGS


def test_all_are_registered_under_one_tag() -> None:
    registered: set[Any] = {check for check in registry.registered_checks if TAG in check.tags}
    assert registered == {check for check, _ in CHECKS}


def test_collectstatic_runs_what_matters_in_a_build() -> None:
    """It runs only the checks tagged ``staticfiles``."""
    run: set[Any] = {check for check in registry.registered_checks if "staticfiles" in check.tags}
    assert check_legacy_settings in run
    told = [str((check.load() if isinstance(check, Check) else check).__doc__) for check in run]
    names = {name for one in told for name in IDS.findall(one) if name in ERRORS}
    assert names == ERRORS
