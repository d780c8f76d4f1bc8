"""Throw-away Django projects, run in processes of their own like a user's."""

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

#: Warnings are errors, but for what django-compressor 4.6 does that Python 3.14 deprecates.
WARNINGS = (
    "error",
    "ignore:codecs.open() is deprecated:DeprecationWarning:compressor.base",
)

TESTS = Path(__file__).resolve().parent
EXAMPLE = TESTS.parent / "example_project"
#: What of the example a deployment does not have.
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
    """A folder with a manage.py and a settings module, and ways to run Python in it.

    Subprocesses see only ``environment`` and what a call adds: config vars, like on
    Heroku, and never those of this machine.
    """

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 300  # seconds, far beyond what any of these commands needs

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
        """Run ``python manage.py …``; ``sockets=False`` forbids even loopback."""
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
    """Write a project with this settings source; ``files`` adds apps, templates and assets."""
    project = Project(folder, dict(env or {}))
    project.write({"manage.py": MANAGE, "settings.py": settings, **(files or {})})
    return project


def clean_environment(home: Path) -> dict[str, str]:
    """Return the environment of a fresh machine where the tests' packages can be imported."""
    paths = [TESTS / "sandbox", TESTS.parent]
    package = Path(herokuify.__file__).resolve().parent.parent
    if package.name != "site-packages":  # a source tree, on the path of this process only
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
