"""What a probe has found."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from herokuify.exceptions import HerokuifyError

#: Where the mend begins in a message of herokuify's that does not tell it apart.
_MEND = re.compile(
    r"(?<=[.:] )(heroku [\w:-]+|In settings\.py|pip install|python manage\.py)", re.ASCII
)


class State(enum.Enum):
    """How a probe ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """One probe of one thing: how it ended, what was seen, and how to mend it."""

    probe: str  # such as "s3.put"
    subject: str  # what was probed: an alias of the settings, or a bucket
    state: State
    message: str
    mend: str = ""


@dataclass(frozen=True)
class Subject:
    """Something that is probed; its methods make findings about it."""

    name: str

    def ok(self, probe: str, message: str) -> Finding:
        """All is well."""
        return Finding(probe, self.name, State.OK, message)

    def skipped(self, probe: str, reason: str) -> Finding:
        """Nothing was asked."""
        return Finding(probe, self.name, State.SKIPPED, reason)

    def warning(self, probe: str, message: str, mend: str = "") -> Finding:
        """It works, but not as it should."""
        return Finding(probe, self.name, State.WARNING, message, mend)

    def failed(self, probe: str, message: str, mend: str) -> Finding:
        """It does not work."""
        return Finding(probe, self.name, State.FAILED, message, mend)

    def refused(self, probe: str, error: Exception, mend: str = "") -> Finding:
        """It does not work, and the error says why; ``mend`` stands in for one that is silent."""
        message, known = _split(error)
        return self.failed(probe, message, known or mend)


def _split(error: Exception) -> tuple[str, str]:
    """An error's text and its mend; herokuify's errors end with it."""
    text = str(error) or type(error).__name__
    if not isinstance(error, HerokuifyError):
        return text, ""
    text = text.removeprefix("ImproperlyConfigured: ")
    mend = error.mend
    if not mend and (found := _MEND.search(text)):
        mend = text[found.start() :]
    return text.removesuffix(mend).strip(), mend
