"""What the tutorial starts with: a folder, a shell, a wheel and servers."""

import os
import subprocess
import sys
from pathlib import Path

import django
import pytest

# Fixtures of other folders.
from tests.browser.conftest import executable, playwright, screenshots, visiting
from tests.project import clean_environment
from tests.services.conftest import postgres
from tests.tutorial.page import ROOT, Shell

__all__ = ["executable", "playwright", "postgres", "screenshots", "shell", "visiting", "wheel"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture
def shell(tmp_path: Path, wheel: Path) -> Shell:
    """A shell in an empty folder, with only the usual variables."""
    versions = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    ours = f"herokuify @ {wheel.as_uri()}\nDjango=={django.get_version()}\n"
    (tmp_path / "constraints.txt").write_text(versions + ours, encoding="utf-8")
    home = tmp_path / "home"
    home.mkdir()
    own = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    environment = clean_environment(home) | own
    del environment["PYTHONPATH"]
    environment |= {
        **{f"GIT_{who}_NAME": "Ada" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "ada@example.com" for who in ("AUTHOR", "COMMITTER")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}",
        "PIP_CONSTRAINT": str(tmp_path / "constraints.txt"),
        "PYTHONUNBUFFERED": "1",
    }
    return Shell(home, tmp_path / "state", environment)
