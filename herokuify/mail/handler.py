"""Mail to ADMINS whose failure doesn't break the site's error page."""

from __future__ import annotations

import logging

from django.utils import log

logger = logging.getLogger("herokuify.mail")


class AdminEmailHandler(log.AdminEmailHandler):
    """Django's handler, with failures logged; Django 6.1's raises them in the request."""

    def emit(self, record: logging.LogRecord) -> None:
        """Send the record, and log a warning if that fails."""
        try:
            super().emit(record)
        except Exception as error:  # noqa: BLE001 (each mail backend has its own)
            # An error would be handled here again.
            logger.warning("Mail to ADMINS failed: %s: %s", type(error).__name__, error)
