"""What herokuify raises.

::

    HerokuifyError
    ├── ConfigurationError          a variable or setting is missing or wrong
    │   └── S3ConfigurationError    S3 refused: settings or permissions must change
    └── S3Error                     S3 did not do what was asked (an OSError)
        └── S3ConfigurationError

The configuration errors are Django's ``ImproperlyConfigured``, too, and their text begins
with that word, however they are reported: Heroku's Python buildpack looks for it in the
log of a build to tell the user that the configuration is at fault
(heroku-buildpack-python, ``bin/steps/collectstatic``).
"""

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from herokuify.platforms import adapted


class HerokuifyError(Exception):
    """Base of every error that herokuify raises on purpose.

    ``problem`` says what is wrong, ``hint`` what to do about it (the command or the line of
    settings that fixes it, in the commands of the platform that the code runs on; it may be
    empty). The error's text is both.
    """

    def __init__(self, problem: str, hint: str = "") -> None:
        hint = adapted(hint)
        super().__init__(f"{problem} {hint}".rstrip())
        self.problem = problem
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problem, self.hint)


class ConfigurationError(HerokuifyError, ImproperlyConfigured):
    """A variable or a setting is missing or wrong; the problem names it."""

    def __str__(self) -> str:
        return f"ImproperlyConfigured: {super().__str__()}"


class S3Error(HerokuifyError, OSError):
    """S3 failed or could not be reached; botocore's error is the ``__cause__``."""


class S3ConfigurationError(ConfigurationError, S3Error):
    """S3 refused what the settings ask for: credentials, permissions, bucket or region."""
