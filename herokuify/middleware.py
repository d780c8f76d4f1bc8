"""Middleware: the request's id for the log, under WSGI and ASGI."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.signals import request_finished
from django.http import HttpRequest

from herokuify import logs
from herokuify.conf.middleware import Finish, Middleware, unchanged


class RequestIdMiddleware(Middleware):
    """Keep the X-Request-ID of Heroku's router for every line that is logged meanwhile.

    Must be first in MIDDLEWARE. A request without a valid id, as in local development, gets a new
    one.
    """

    @contextmanager
    def around(self, request: HttpRequest) -> Iterator[Finish]:
        """Set the request's id."""
        # Not taken back when the view returns: Django logs "Not Found" and the like after the
        # last middleware, and the parts of a streamed body are made after that. _forget() does it.
        identity = logs.checked_request_id(request.headers.get("X-Request-ID")) or uuid.uuid4().hex
        logs.request_id.set(identity)
        yield unchanged


def _forget(**kwargs: Any) -> None:
    """Receive ``request_finished``: the thread's next log lines belong to no request."""
    logs.request_id.set(None)


request_finished.connect(_forget, dispatch_uid="herokuify.middleware")
