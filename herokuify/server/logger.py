"""gunicorn's log in the form of :mod:`herokuify.logs`, the request's id and queue time in it."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import Any

from django.utils.module_loading import import_string
from gunicorn import glogging

from herokuify import logs


class Logger(glogging.Logger):
    """Writes gunicorn's lines as all others are written."""

    def setup(self, cfg: Any) -> None:
        """Give the handlers herokuify's formatter."""
        super().setup(cfg)
        formatter = import_string(logs.formatter_path(os.environ))()
        for log in (self.error_log, self.access_log):
            for handler in log.handlers:
                handler.setFormatter(formatter)

    def atoms(
        self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta
    ) -> dict[str, Any]:
        """Add ``path`` without the query, where secrets may be, and ``queue``."""
        atoms: dict[str, Any] = super().atoms(resp, req, environ, request_time)
        atoms["path"] = environ.get("RAW_URI", "").partition("?")[0]
        atoms["queue"] = queue_time(environ.get("HTTP_X_REQUEST_START"), request_time, time.time())
        return atoms

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        """Write the request's line, with its id."""
        token = logs.request_id.set(logs.checked_request_id(environ.get("HTTP_X_REQUEST_ID")))
        try:
            super().access(resp, req, environ, request_time)
        finally:
            logs.request_id.reset(token)


def queue_time(header: str | None, service: timedelta, now: float) -> int | str:
    """Return the milliseconds from X-Request-Start to the start of the request, or ``-``.

    The router writes its clock into the header, in milliseconds since 1970 (Heroku Dev
    Center, "HTTP Routing"); clocks differ a little, so that it could be negative.
    """
    if not header or not header.isascii() or not header.isdigit() or len(header) > 15:
        return "-"
    return max(0, int(now * 1000 - service.total_seconds() * 1000) - int(header))
