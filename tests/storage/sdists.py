"""Other projects' own tests, from the source distributions of the installed releases.

pip downloads them when a test needs them, in a separate process, because the process of the tests
may only connect to loopback. Without a network the test is skipped, which CI counts as a failure.
"""

import json
import subprocess
import sys
import tarfile
from collections.abc import Collection
from importlib import metadata
from pathlib import Path

import pytest

from tests.project import clean_environment


def unpacked_tests(package: str, folder: Path, config: pytest.Config) -> Path:
    """Unpack a package's folder ``tests`` below ``folder``; return the folder above it."""
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


def djangos_tests(
    module: str,
    *labels: str,
    config: pytest.Config,
    folder: Path,
    variables: dict[str, str],
    inapplicable: Collection[str],
) -> set[str]:
    """Run Django's own tests with a module such as `django_suite`; return the ids that passed.

    ``inapplicable`` holds the ends of the ids of tests that can't pass.
    """
    root = unpacked_tests("Django", folder / "unpacked", config)
    result = folder / "result.json"
    process = subprocess.run(
        [sys.executable, "-m", module, str(root / "tests"), str(result), *labels],
        cwd=folder,
        env={**clean_environment(folder), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert result.is_file(), process.stderr
    outcomes: dict[str, str] = json.loads(result.read_text())
    passed = {name for name, outcome in outcomes.items() if outcome == "passed"}
    unexpected = {
        name: outcome
        for name, outcome in outcomes.items()
        if outcome != "passed"
        and not outcome.startswith("skipped: ")
        and not name.endswith(tuple(inapplicable))
    }
    assert not unexpected, process.stderr
    # Exceptions for tests that now pass.
    needless = [
        end
        for end in inapplicable
        if (found := {name for name in outcomes if name.endswith(end)}) and found <= passed
    ]
    assert not needless
    return passed
