"""Heroku's build step with other layouts of projects, and other errors."""

from pathlib import Path

import pytest

from tests.project import MANAGE, Project, make_project
from tests.projects import heroku, shop
from tests.projects.heroku import failure_reason, find_manage
from tests.projects.site import lay_out, succeeded, tree
from tests.servers import S3Server

# The app's folder must be on the path, and the variables must be those of a build.
SETTINGS = (
    shop.BASE
    + shop.HASHED_STORAGES
    + """
import os, shared
from herokuify.env import Stage, get_stage
assert get_stage(os.environ) is Stage.BUILD
"""
)


def test_project_in_a_subfolder(moto: S3Server, tmp_path: Path) -> None:
    moto.client().create_bucket(Bucket="test-in-a-folder")
    variables = moto.variables | {"AWS_STORAGE_BUCKET_NAME": "test-in-a-folder"}
    lay_out(make_project(tmp_path / "backend", SETTINGS))
    app = Project(tmp_path, variables)
    app.write({"shared.py": "", "a/b/c/manage.py": "1 / 0"})
    succeeded(heroku.collectstatic(app))
    assert "staticfiles.json" in tree(tmp_path / "backend/staticfiles")


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["manage.py", "a/manage.py"], "manage.py"),
        (["b/a/manage.py", "c/manage.py"], "c/manage.py"),
        (["a/b/manage.py"], "a/b/manage.py"),
        (["a/b/c/manage.py"], None),
        ([], None),
    ],
)
def test_find_manage(paths: list[str], found: str | None, tmp_path: Path) -> None:
    Project(tmp_path).write(dict.fromkeys(paths, MANAGE))
    assert find_manage(tmp_path) == found


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("OSError: …\nThe CSS file 'a.css' …\nImproperlyConfigured: …", "improper-configuration"),
        ("ImproperlyConfigured: …\nSyntaxError: …", "syntax-error"),
        ("OSError: …\nThe CSS file 'a.css' …", "fancy-references"),
        ("BotoSOSError", "missing-file"),
        ("CommandError: 3 files could not be sent.", "other"),
    ],
)
def test_failure_reason(log: str, reason: str) -> None:
    assert failure_reason(log) == f"collectstatic-{reason}"


@pytest.mark.parametrize("config", [{}, {"AWS_ACCESS_KEY_ID": "AKIAHALF"}], ids=["sound", "broken"])
def test_cloud_native_buildpack_finds_collectstatic(config: dict[str, str], tmp_path: Path) -> None:
    """heroku/buildpacks-python skips it if its help prints "Unknown command"."""
    app = make_project(tmp_path, SETTINGS, {"shared.py": ""}, env=config)
    lay_out(app)
    result = heroku.manage(app, "help", "collectstatic")
    assert result.returncode == len(config)
    assert ("--prune" in result.stdout) == (not config)
    assert "Unknown command" not in result.stdout + result.stderr
