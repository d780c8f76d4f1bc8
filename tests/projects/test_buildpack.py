"""Heroku's build step, with apps of other layouts and logs of other failures."""

from pathlib import Path

import pytest

from tests.project import MANAGE, Project, make_project
from tests.projects import heroku, shop
from tests.projects.heroku import failure_reason, find_manage
from tests.projects.site import lay_out, succeeded, tree
from tests.servers import S3Server

# The app's folder is on the path, and its variables are those of a build.
SETTINGS = (
    shop.DJANGO
    + shop.HEROKUIFY
    + shop.FRAGMENTS
    + shop.storages(shop.CACHED_MANIFEST)
    + shop.compress_storage(shop.CACHED_MANIFEST)
    + """
import os, shared
from herokuify.env import Stage, get_stage
assert get_stage(os.environ) is Stage.BUILD
"""
)


def test_a_project_in_a_folder(moto: S3Server, tmp_path: Path) -> None:
    moto.client().create_bucket(Bucket="test-in-a-folder")
    variables = moto.variables | {"AWS_STORAGE_BUCKET_NAME": "test-in-a-folder"}
    lay_out(make_project(tmp_path / "backend", SETTINGS))
    app = Project(tmp_path, variables)
    app.write({"shared.py": "", "a/b/c/manage.py": "1 / 0"})
    succeeded(heroku.collectstatic(app))
    assert "staticfiles.json" in tree(tmp_path / "backend/staticfiles")


@pytest.mark.parametrize(
    ("paths", "taken"),
    [
        (["manage.py", "a/manage.py"], "manage.py"),
        (["b/a/manage.py", "c/manage.py"], "c/manage.py"),
        (["a/b/manage.py"], "a/b/manage.py"),
        (["a/b/c/manage.py"], None),
        ([], None),
    ],
)
def test_which_manage_is_taken(paths: list[str], taken: str | None, tmp_path: Path) -> None:
    Project(tmp_path).write(dict.fromkeys(paths, MANAGE))
    assert find_manage(tmp_path) == taken


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
def test_what_a_log_is_taken_for(log: str, reason: str) -> None:
    assert failure_reason(log) == f"collectstatic-{reason}"


@pytest.mark.parametrize("config", [{}, {"AWS_ACCESS_KEY_ID": "AKIAHALF"}], ids=["sound", "broken"])
def test_the_other_buildpack_sees_that_there_is_collectstatic(
    config: dict[str, str], tmp_path: Path
) -> None:
    """heroku/buildpacks-python asks for its help, and skips it for an "Unknown command"."""
    app = make_project(tmp_path, SETTINGS, {"shared.py": ""}, env=config)
    lay_out(app)
    result = heroku.manage(app, "help", "collectstatic")
    assert result.returncode == len(config)
    assert ("--prune" in result.stdout) == (not config)
    assert "Unknown command" not in result.stdout + result.stderr
