"""setup.cfg's required coverage, combined over several environments."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import Run, clean_environment

SETUP = Path(__file__).resolve().parent.parent / "setup.cfg"
UNTESTED = "def untested():\n" + "    print()\n" * 20
TESTED = "def tested(value):\n    if value:\n        return 1\n    return 2\n"

pytestmark = pytest.mark.once


def coverage(folder: Path, *arguments: str) -> Run:
    command = [sys.executable, "-m", "coverage", *arguments]
    environment = clean_environment(folder) | {"PYTHONPATH": ""}
    environment = {key: value for key, value in environment.items() if "COVERAGE" not in key}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False
    )


def measure(folder: Path, source: str, *, value: int, into: Path) -> None:
    """Run ``tested`` from a package in a folder; copy the coverage data."""
    shutil.copy(SETUP, folder)
    (folder / "herokuify").mkdir(parents=True)
    (folder / "herokuify" / "__init__.py").write_text(source)
    (folder / "use.py").write_text(f"import herokuify\nherokuify.tested({value})\n")
    result = coverage(folder, "run", "use.py")
    assert result.returncode == 0, result.stderr
    for data in folder.glob(".coverage.*"):
        shutil.copy(data, into)


@pytest.mark.parametrize(
    ("source", "status"), [(TESTED, 0), (TESTED + UNTESTED, 2)], ids=["above", "below"]
)
def test_report_fails_below_the_required_coverage(tmp_path: Path, source: str, status: int) -> None:
    data = tmp_path / "data"
    data.mkdir()
    tree, installed = tmp_path / "tree", tmp_path / "venv" / "site-packages"
    for folder in (tree, installed):
        folder.mkdir(parents=True)
        measure(folder, source, value=int(folder is tree), into=data)
    # Only both runs together cover both branches, and only if the two paths count as one file.
    coverage(tree, "combine", str(data))
    report = coverage(tree, "report")
    assert report.returncode == status, report.stdout + report.stderr
    assert ("Coverage failure" in report.stdout + report.stderr) is bool(status)
