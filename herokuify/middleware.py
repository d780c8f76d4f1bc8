"""Middleware that adds the request's id to log lines, under WSGI and ASGI."""

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
    """Adds the X-Request-ID of Heroku's router to every line that is logged during a request.

    It must be first in MIDDLEWARE. A request without a valid id, as in local development, gets a
    new one.
    """

    @contextmanager
    def around(self, request: HttpRequest) -> Iterator[Finish]:
        """Set the request's id."""
        # Not reset when the view returns, but by _forget(): Django logs "Not Found" after the last
        # middleware, and streaming responses are generated even later.
        identity = logs.checked_request_id(request.headers.get("X-Request-ID")) or uuid.uuid4().hex
        logs.request_id.set(identity)
        yield unchanged


def _forget(**kwargs: Any) -> None:
    """Receive ``request_finished``, after which log lines belong to no request."""
    logs.request_id.set(None)


request_finished.connect(_forget, dispatch_uid="herokuify.middleware")
