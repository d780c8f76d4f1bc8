"""Tests of other projects, from the source distributions of the releases that are installed.

pip downloads them when a test asks: in a process of its own, because the tests' own may talk to
loopback only. Without the network the test is skipped with pip's reason; in CI that is a failure.
"""

import subprocess
import sys
import tarfile
from importlib import metadata
from pathlib import Path

import pytest


def unpacked_tests(package: str, folder: Path, config: pytest.Config) -> Path:
    """Unpack a package's folder ``tests`` below ``folder``; returns the folder above it."""
    version = metadata.version(package)
    cache: pytest.Cache | None = getattr(config, "cache", None)  # None with -p no:cacheprovider
    name = f"sdist-{package}-{version}"
    kept = cache.mkdir(name) if cache else folder.parent / name
    if not list(kept.glob("*.tar.gz")):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        process = subprocess.run(
            [*command, "--no-binary=:all:", f"--dest={kept}", f"{package}=={version}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if process.returncode:
            pytest.skip(f"{package}'s source distribution: {process.stderr[-500:]}")
    (path,) = kept.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        members = [one for one in archive if one.name.split("/")[1:2] == ["tests"]]
        archive.extractall(folder, members, filter="data")
    (root,) = folder.iterdir()
    return root
