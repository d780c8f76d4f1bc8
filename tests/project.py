"""Temporary Django projects, which run in their own processes as a user's do."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import herokuify
from tests.sandbox import loopback_only

Run = subprocess.CompletedProcess[str]

#: Warnings are errors, except for a function of django-compressor 4.6 that Python 3.14 deprecates.
WARNINGS = (
    "error",
    "ignore:codecs.open() is deprecated:DeprecationWarning:compressor.base",
)

TESTS = Path(__file__).resolve().parent
EXAMPLE = TESTS.parent / "example_project"
#: Files of the example that aren't deployed.
LEFT_BEHIND = shutil.ignore_patterns("__pycache__", "*.sqlite3", "media", "staticfiles")
MANAGE = """\
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
SNIPPET = """\
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
import django
django.setup()
"""


@dataclass(frozen=True)
class Project:
    """A folder with a manage.py and a settings module; runs Python in it.

    Subprocesses see only the variables in ``environment`` and those that a call adds, like
    config vars on Heroku, and never those of this machine.
    """

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 300  # seconds; no command needs nearly as long

    def write(self, files: Mapping[str, str]) -> None:
        """Write files by their paths relative to the project."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def manage(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        sockets: bool = True,
        script: str = "manage.py",
    ) -> Run:
        """Run ``python manage.py …``; ``sockets=False`` forbids all connections."""
        return self._python(script, *arguments, env=env, sockets=sockets)

    def snippet(
        self, source: str, env: Mapping[str, str] | None = None, sockets: bool = True
    ) -> Run:
        """Run Python source after ``django.setup()``."""
        return self._python("-c", SNIPPET + source, env=env, sockets=sockets)

    def _python(self, *arguments: str, env: Mapping[str, str] | None, sockets: bool) -> Run:
        variables = clean_environment(self.folder) | dict(self.environment) | dict(env or {})
        if not sockets:
            variables[loopback_only.FORBID_ALL] = "1"
        return subprocess.run(
            [sys.executable, *(f"-W{action}" for action in WARNINGS), *arguments],
            cwd=self.folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=self.timeout,
            check=False,
        )


def make_project(
    folder: Path,
    settings: str,
    files: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
) -> Project:
    """Write a project; ``files`` are its apps, templates and assets besides the settings."""
    project = Project(folder, dict(env or {}))
    project.write({"manage.py": MANAGE, "settings.py": settings, **(files or {})})
    return project


def clean_environment(home: Path) -> dict[str, str]:
    """Return the variables of a new machine on which the tests' packages can be imported."""
    paths = [TESTS / "sandbox", TESTS.parent]
    package = Path(herokuify.__file__).resolve().parent.parent
    if package.name != "site-packages":  # a source tree that only this process has in its path
        paths.append(package)
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in {"PATH", "SYSTEMROOT", "TMPDIR"} or name.startswith("COVERAGE_")
    }
    return kept | {
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
    }
