"""gunicorn's log in the format of :mod:`herokuify.logs`, with the request's id and queue time."""

from __future__ import annotations

import logging
import os
import time
from typing import Any, Protocol

from django.utils.module_loading import import_string
from gunicorn import glogging

from herokuify import logs

#: uvicorn's lines have no times and no size.
UVICORN_LINE = 'method=%s path="%s" status=%s fwd="%s"'


class Elapsed(Protocol):
    """How long a request took: a timedelta, or what gunicorn's ASGI worker uses instead."""

    @property
    def seconds(self) -> int:
        """Whole seconds."""

    @property
    def microseconds(self) -> int:
        """The remaining microseconds."""


class Logger(glogging.Logger):
    """A gunicorn logger that writes lines in the same format as the site's."""

    def setup(self, cfg: Any) -> None:
        """Set herokuify's formatter on the handlers."""
        super().setup(cfg)
        for handler in self.access_log.handlers:
            handler.addFilter(rewrite_uvicorn_lines)
        formatter = import_string(logs.formatter_path(os.environ))()
        for log in (self.error_log, self.access_log):
            for handler in log.handlers:
                handler.setFormatter(formatter)

    def atoms(
        self, resp: Any, req: Any, environ: dict[str, Any], request_time: Elapsed
    ) -> dict[str, Any]:
        """Add ``queue``, and ``path`` without the query, which may contain secrets."""
        atoms: dict[str, Any] = super().atoms(resp, req, environ, request_time)
        atoms["path"] = environ.get("RAW_URI", "").partition("?")[0]
        atoms["queue"] = queue_time(environ.get("HTTP_X_REQUEST_START"), request_time, time.time())
        return atoms

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Elapsed) -> None:
        """Write the request's line, with its id."""
        token = logs.request_id.set(logs.checked_request_id(environ.get("HTTP_X_REQUEST_ID")))
        try:
            super().access(resp, req, environ, request_time)
        finally:
            logs.request_id.reset(token)


def rewrite_uvicorn_lines(record: logging.LogRecord) -> bool:
    """Change uvicorn's lines to the format of the others, as a filter of the access log.

    uvicorn's worker writes its own lines to gunicorn's handlers, with the query.
    """
    arguments = record.args
    if record.name == "uvicorn.access" and isinstance(arguments, tuple) and len(arguments) == 5:
        client, method, target, _, status = arguments
        path, host = str(target).partition("?")[0], str(client).rpartition(":")[0]
        record.msg, record.args = UVICORN_LINE, (method, path, status, host)
    return True


def queue_time(header: str | None, service: Elapsed, now: float) -> int | str:
    """Return the milliseconds from X-Request-Start to the start of the request, or ``-``.

    The router sets the header to its time in milliseconds since 1970 (Heroku Dev Center, "HTTP
    Routing"). The result is never negative, although clocks differ a little.
    """
    if not header or not header.isascii() or not header.isdigit() or len(header) > 15:
        return "-"
    taken = service.seconds * 1000 + service.microseconds / 1000
    return max(0, int(now * 1000 - taken) - int(header))
