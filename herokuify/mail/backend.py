"""The mail backend for a dyno without a mail service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from herokuify.exceptions import ConfigurationError
from herokuify.mail.config import MISSING_HINT


class MissingBackend(BaseEmailBackend):
    """A backend that raises an error with a hint, so that mail is not lost silently."""

    def __init__(self, fail_silently: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fail_silently = fail_silently

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Raise ConfigurationError, unless ``fail_silently`` is set."""
        if email_messages and not self.fail_silently:
            raise ConfigurationError(
                "Mail can't be sent, because no mail service is attached.", MISSING_HINT
            )
        return 0
