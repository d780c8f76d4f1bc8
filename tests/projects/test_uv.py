"""A project with pyproject.toml and uv.lock, built as the buildpack does.

It follows ``lib/uv.sh`` of heroku/heroku-buildpack-python. The tutorial uses requirements.txt.
"""

import os
import shutil
import sys
from pathlib import Path

import django
import pytest

from tests.project import WARNINGS, clean_environment, make_project
from tests.projects import heroku, shop
from tests.projects.site import lay_out, tree
from tests.servers import S3Server
from tests.tutorial.conftest import wheel
from tests.tutorial.page import run

__all__ = ["wheel"]
pytestmark = [pytest.mark.once, pytest.mark.source_tree]

PYPROJECT = """\
[project]
name = "site"
version = "1"
requires-python = "=={python}.*"
dependencies = ["Django=={django}", "herokuify"]

[dependency-groups]
dev = ["pytest"]

[tool.uv.sources]
herokuify = {{ path = "{wheel}" }}
"""


def test_project_with_a_uv_lock(wheel: Path, moto: S3Server, tmp_path: Path) -> None:
    uv = pytest.importorskip("uv").find_uv_bin()
    moto.client().create_bucket(Bucket="test-uv")
    app = make_project(tmp_path / "app", shop.BASE + shop.HASHED_STORAGES)
    lay_out(app)
    python = "{}.{}".format(*sys.version_info[:2])
    app.write(
        {
            ".gitignore": ".venv/\n",
            ".python-version": f"{python}\n",
            "pyproject.toml": PYPROJECT.format(
                python=python, django=django.get_version(), wheel=wheel.name
            ),
        }
    )
    shutil.copy(wheel, app.folder)
    environment = _environment(tmp_path)

    lock(uv, app.folder, environment)
    repository = tmp_path / "heroku.git"
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    commit = ["git", *author, "commit", "-qm", "1"]
    for command in (["git", "init", "-q"], ["git", "add", "."], commit):
        run(command, app.folder, environment)
    run(["git", "clone", "-q", "--bare", str(app.folder), str(repository)], tmp_path, environment)

    build = tmp_path / "build"
    run(["git", "clone", "-q", str(repository), str(build)], tmp_path, environment)
    # The buildpack would refuse these.
    assert not (build / ".venv").exists()
    assert not (build / "requirements.txt").exists()
    home = build / ".heroku" / "python"
    environment |= {
        **heroku.BUILD,
        "UV_NO_MANAGED_PYTHON": "1",
        "UV_PROJECT_ENVIRONMENT": str(home),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    run([uv, "sync", "--locked", "--no-default-groups"], build, environment)
    assert not list(home.glob("lib/*/site-packages/pytest"))

    environment |= moto.variables | {
        "AWS_STORAGE_BUCKET_NAME": "test-uv",
        "PYTHONWARNINGS": ",".join(WARNINGS),
    }
    command = [str(home / "bin" / "python"), "manage.py", "collectstatic"]
    printed = run([*command, "--noinput", "--traceback"], build, environment)
    assert "0 failed" in printed
    assert "staticfiles.json" in tree(build / "staticfiles")


def lock(uv: str, folder: Path, environment: dict[str, str]) -> None:
    """Create uv.lock with this machine's package index."""
    try:
        run([uv, "lock", "-q", f"--python={sys.executable}"], folder, environment)
    except AssertionError as error:
        if "Failed to fetch" in str(error):
            pytest.skip(f"no package index: {str(error)[-500:]}")
        raise


def _environment(home: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_"))}
    environment = clean_environment(home) | own
    del environment["PYTHONPATH"]
    # uv looks for the interpreter there.
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return environment
