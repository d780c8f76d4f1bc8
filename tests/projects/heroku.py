"""Heroku's build step for Django, emulated.

It follows heroku/heroku-buildpack-python v351, ``bin/compile`` and ``bin/steps/collectstatic``:
the variables for ``manage.py``, how it is found and called, and how the log of a failure is
interpreted.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from tests.project import Project, Run, clean_environment

# The variables of the build system, and those of the buildpack (``bin/compile``).
BUILD = {
    "DYNO": "run.4711",
    "REQUEST_ID": "6f2a3a4b-8a6f-4f8a-9f39-0c1f2b8f0d11",
    "SOURCE_VERSION": "5c9a6f1d2e3b4a5968778695a4b3c2d1e0f9a8b7",
    "STACK": "heroku-26",
    "LANG": "en_US.UTF-8",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PYTHONUNBUFFERED": "1",
    "BUILD_DIR": "/tmp/build_4711",
    "CACHE_DIR": "/tmp/codon/tmp/cache",
    "ENV_DIR": "/tmp/d4711",
}
RELEASE = {"DYNO": "release.4711"}
# The reason for each word; the first word in this order that the log contains decides.
REASONS = {
    "SyntaxError": "collectstatic-syntax-error",
    "ImproperlyConfigured": "collectstatic-improper-configuration",
    "The CSS file": "collectstatic-fancy-references",
    "OSError": "collectstatic-missing-file",
}
MISCONFIGURED = REASONS["ImproperlyConfigured"]
DEEPEST = 3  # parts of the path of manage.py

# Distinctive values, to search logs for them.
SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIAMARKEDKEY1",
    "AWS_SECRET_ACCESS_KEY": "marked/secret+1",
    "AWS_SESSION_TOKEN": "marked-token-1",
    "BUCKETEER_AWS_ACCESS_KEY_ID": "AKIAMARKEDKEY2",
    "BUCKETEER_AWS_SECRET_ACCESS_KEY": "marked/secret+2",
    "CLOUDCUBE_ACCESS_KEY_ID": "AKIAMARKEDKEY3",
    "CLOUDCUBE_SECRET_ACCESS_KEY": "marked/secret+3",
}


def collectstatic(project: Project, env: Mapping[str, str] | None = None) -> Run:
    """Run the step; the buildpack's log consists of both output streams."""
    script = find_manage(project.folder)
    if script is None:
        raise AssertionError("Heroku would skip collectstatic: it finds no manage.py")
    return manage(project, "collectstatic", "--noinput", "--traceback", env=env, script=script)


def manage(
    project: Project,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    script: str = "manage.py",
    sockets: bool = True,
) -> Run:
    """Run a command in the build; config vars override the build's own variables."""
    # The buildpack's default is "."; the rest is for these tests.
    path = {"PYTHONPATH": f".:{clean_environment(project.folder)['PYTHONPATH']}"}
    variables = BUILD | path | dict(project.environment) | dict(env or {})
    return project.manage(*arguments, env=variables, script=script, sockets=sockets)


def find_manage(folder: Path) -> str | None:
    """Return the path of the ``manage.py`` nearest to the app's folder."""
    found = [path.relative_to(folder) for path in folder.rglob("manage.py") if path.is_file()]
    near = [path for path in found if len(path.parts) <= DEEPEST]
    nearest = min(near, key=lambda path: (len(path.parts), path), default=None)
    return nearest.as_posix() if nearest else None


def failure_reason(log: str) -> str:
    """Return the buildpack's reason for a failure with this log."""
    return next((reason for word, reason in REASONS.items() if word in log), "collectstatic-other")


def last_error(log: str) -> str:
    """Return the last exception in a log, with its message."""
    error = r"^(?=[A-Za-z_][\w.]*(?:Error|Exception|Exit|Configured|Warning)\b)"
    return re.split(error, log, flags=re.MULTILINE)[-1]


def assert_improperly_configured(result: Run, *named: str) -> None:
    """Assert that a command failed with a clear error, which contains these parts."""
    log = result.stdout + result.stderr
    assert result.returncode != 0, log
    assert failure_reason(log) == MISCONFIGURED, log
    error = last_error(log)
    assert "ImproperlyConfigured" in error, log
    assert not error.startswith(("botocore.", "boto3.")), log
    for name in named:
        assert name in error, log
    assert not [value for value in SECRETS.values() if value in log], log
