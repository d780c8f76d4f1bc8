"""Mail to ADMINS that can't take the site's error page with it."""

from __future__ import annotations

import logging

from django.utils import log

logger = logging.getLogger("herokuify.mail")


class AdminEmailHandler(log.AdminEmailHandler):
    """Django's handler, which logs its own failures; Django 6.1's raises them in the request."""

    def emit(self, record: logging.LogRecord) -> None:
        """Send the record; where that fails, say so in the log."""
        try:
            super().emit(record)
        except Exception as error:  # noqa: BLE001 (each mail backend has its own)
            # No error, which would come back here.
            logger.warning("Mail to ADMINS failed: %s: %s", type(error).__name__, error)
