"""Middleware: the request's id for the log, under WSGI and ASGI."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.signals import request_finished
from django.http import HttpRequest, HttpResponseBase

from herokuify import logs


class RequestIdMiddleware:
    """Keep the X-Request-ID of Heroku's router for every line that is logged meanwhile.

    Must be first in MIDDLEWARE. A request without a valid id, as in local development, gets a new
    one.
    """

    sync_capable = True
    async_capable = True

    def __init__(
        self, get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]
    ) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer a request with its id set."""
        if self.is_async:
            return self.__acall__(request)
        _begin(request)
        return cast(HttpResponseBase, self.get_response(request))

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request with its id set, under ASGI."""
        _begin(request)
        return await cast(Awaitable[HttpResponseBase], self.get_response(request))


def _begin(request: HttpRequest) -> None:
    # Not taken back when the view returns: Django logs "Not Found" and the like after the
    # last middleware, and the parts of a streamed body are made after that. _forget() does it.
    identity = logs.checked_request_id(request.headers.get("X-Request-ID")) or uuid.uuid4().hex
    logs.request_id.set(identity)


def _forget(**kwargs: Any) -> None:
    """Receive ``request_finished``: the thread's next log lines belong to no request."""
    logs.request_id.set(None)


request_finished.connect(_forget, dispatch_uid="herokuify.middleware")
