"""Create the project's virtual environment, with the standard library only, and run in it.

The commands in this folder start with::

    from bootstrap import ensure_environment, run

    run([ensure_environment(["--group", "test"]), "-m", "pytest"])

Up to the version check, which tells users of older Pythons what is wrong, this file must be valid
in those versions.
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

OLDEST_PYTHON = (3, 10)
ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"


def fail(message: str) -> NoReturn:
    """Stop with one line on standard error and exit status 1."""
    sys.exit("error: " + message)


if sys.version_info < OLDEST_PYTHON:
    fail(
        "herokuify needs Python {}.{} or newer, and {} is {}.{}".format(
            *OLDEST_PYTHON, sys.executable, *sys.version_info[:2]
        )
    )


def ensure_environment(requirements: Sequence[str]) -> Path:
    """Return the Python of ``.venv``, which has this project and the requirements installed.

    ``requirements`` are arguments of ``pip install``, relative to the repository:
    ``["--group", "test"]`` or ``["-r", "example_project/requirements.txt"]``. Nothing is installed
    if they were installed before, and neither their files nor pyproject.toml and constraints.txt
    have changed since. Exits with one line if the environment can't be created.
    """
    python = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not _is_usable(python):
        _create()
    stamp = ENVIRONMENT / f"installed-{_fingerprint(requirements)}"
    if not stamp.exists():
        print(f"Installing into {ENVIRONMENT} (once) …", file=sys.stderr, flush=True)
        # --group is new in pip 25.1; the pip that Python includes may be older.
        _pip(python, ["--upgrade", "pip>=25.1"])
        _pip(python, ["-c", "constraints.txt", "-e", ".", *requirements])
        stamp.touch()
    return python


def run(command: Sequence[str | Path], variables: Mapping[str, str] | None = None) -> NoReturn:
    """Replace this process with a command, which runs in the environment and the root folder."""
    environment = _variables() | dict(variables or {})
    arguments = [str(part) for part in command]
    sys.stdout.flush()
    os.chdir(ROOT)
    if os.name == "nt":  # there, execve() returns to the shell immediately
        sys.exit(subprocess.run(arguments, env=environment, check=False).returncode)
    os.execve(arguments[0], arguments, environment)


def _is_usable(python: Path) -> bool:
    """Return whether the environment works, has pip and this Python's version."""
    probe = "import sys, pip; print(*sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [python, "-I", "-c", probe], capture_output=True, text=True, check=False
        )
    except OSError:
        return False
    return answer.stdout.split() == [str(number) for number in sys.version_info[:2]]


def _create() -> None:
    version = "{}.{}".format(*sys.version_info[:2])
    if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        fail(
            f"Python {version} at {sys.executable} has no venv or ensurepip module;"
            f" on Debian and Ubuntu: apt-get install python{version}-venv"
        )
    print(f"Creating {ENVIRONMENT} with Python {version} …", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)]
    if subprocess.run(command, env=_variables(), check=False).returncode:
        fail(f"{sys.executable} -m venv could not create {ENVIRONMENT}, see above")


def _pip(python: Path, arguments: Sequence[str]) -> None:
    options = ["--quiet", "--disable-pip-version-check", "--no-input"]
    command = [str(python), "-m", "pip", "install", *options, *arguments]
    if subprocess.run(command, cwd=ROOT, env=_variables(), check=False).returncode:
        fail(f"pip could not install {' '.join(arguments)}, see above")


def _variables() -> dict[str, str]:
    """Return this process's environment, without variables that redirect Python and pip."""
    elsewhere = {"PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX"}
    return {name: value for name, value in os.environ.items() if name not in elsewhere}


def _fingerprint(requirements: Sequence[str]) -> str:
    digest = hashlib.sha256(repr([str(ROOT), *requirements]).encode())
    for path in _files(requirements):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _files(requirements: Iterable[str]) -> Iterable[Path]:
    names = ["pyproject.toml", "constraints.txt", *requirements]
    return (ROOT / name for name in names if (ROOT / name).is_file())
