"""Django's own tests of static files, on the Cached classes and under the engine's command.

They come from the source distribution of the Django that is installed: tests.storage.sdists.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import clean_environment
from tests.servers import S3Server, client_of
from tests.storage.sdists import unpacked_tests

#: Django's tests that can't apply, by the end of their ids, and why.
INAPPLICABLE: dict[str, str] = {}


@pytest.mark.ends
def test_passes(pytestconfig: pytest.Config, moto: S3Server, tmp_path: Path) -> None:
    client_of(moto).create_bucket(Bucket="staticfiles-tests")
    root = unpacked_tests("Django", tmp_path / "unpacked", pytestconfig)
    result = tmp_path / "result.json"
    process = subprocess.run(
        [sys.executable, "-m", "tests.collect.django_suite", str(root / "tests"), str(result)],
        cwd=tmp_path,
        env={
            **clean_environment(tmp_path),
            **moto.variables,
            "AWS_STORAGE_BUCKET_NAME": "staticfiles-tests",
            "DJANGO_SUITE_LEFT_OUT": "",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
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
        and not name.endswith(tuple(INAPPLICABLE))
    }
    assert not unexpected, process.stderr
    assert len(passed) > 150
    # A reason that is none any more.
    needless = [
        end
        for end in INAPPLICABLE
        if (found := {name for name in outcomes if name.endswith(end)}) and found <= passed
    ]
    assert not needless
