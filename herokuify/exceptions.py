"""The exceptions that herokuify raises.

::

    HerokuifyError
    ├── ConfigurationError          a variable or setting is missing or wrong
    │   └── S3ConfigurationError    S3 refused: settings or permissions must change
    └── S3Error                     S3 did not do what was asked (an OSError)
        └── S3ConfigurationError

Configuration errors are subclasses of Django's ``ImproperlyConfigured``, and their text begins
with that word, by which Heroku's Python buildpack recognizes configuration errors in the log of a
build (heroku-buildpack-python, ``bin/steps/collectstatic``).
"""

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from herokuify.platforms import adapted


class HerokuifyError(Exception):
    """The base class of herokuify's exceptions.

    ``problem`` says what is wrong. ``hint`` is the command or the line of settings that fixes it,
    with the commands of the current platform; it may be empty. The text is both.
    """

    def __init__(self, problem: str, hint: str = "") -> None:
        hint = adapted(hint)
        super().__init__(f"{problem} {hint}".rstrip())
        self.problem = problem
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problem, self.hint)


class ConfigurationError(HerokuifyError, ImproperlyConfigured):
    """A variable or setting is missing or wrong."""

    def __str__(self) -> str:
        return f"ImproperlyConfigured: {super().__str__()}"


class S3Error(HerokuifyError, OSError):
    """S3 failed or could not be reached; botocore's error is the ``__cause__``."""


class S3ConfigurationError(ConfigurationError, S3Error):
    """S3 refused a request because of credentials, permissions, the bucket or the region."""
