"""How heroku-buildpack-python reads the log of a failed collectstatic."""

import re

from tests.projects.site import Run

# Marked, so that a log can be searched for them.
SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIAMARKEDKEY1",
    "AWS_SECRET_ACCESS_KEY": "marked/secret+1",
    "AWS_SESSION_TOKEN": "marked-token-1",
    "BUCKETEER_AWS_ACCESS_KEY_ID": "AKIAMARKEDKEY2",
    "BUCKETEER_AWS_SECRET_ACCESS_KEY": "marked/secret+2",
}


def failure_reason(log: str) -> str:
    """Return what the buildpack makes of a failure (``bin/steps/collectstatic``)."""
    reasons = {
        "SyntaxError": "collectstatic-syntax-error",
        "ImproperlyConfigured": "collectstatic-improper-configuration",
        "The CSS file": "collectstatic-fancy-references",
        "OSError": "collectstatic-missing-file",
    }
    return next((reason for word, reason in reasons.items() if word in log), "collectstatic-other")


def last_error(log: str) -> str:
    """Return the last exception of a log, with its message."""
    error = r"^(?=[A-Za-z_][\w.]*(?:Error|Exception|Exit|Configured|Warning)\b)"
    return re.split(error, log, flags=re.MULTILINE)[-1]


def assert_improperly_configured(result: Run, *named: str) -> None:
    """Assert that a command failed with one clear error, which names these things."""
    log = result.stdout + result.stderr
    assert result.returncode != 0, log
    assert failure_reason(log) == "collectstatic-improper-configuration", log
    error = last_error(log)
    assert "ImproperlyConfigured" in error, log
    assert not error.startswith(("botocore.", "boto3.")), log
    for name in named:
        assert name in error, log
    assert not [value for value in SECRETS.values() if value in log], log
