"""The base class of herokuify's middleware, for WSGI and ASGI."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase

    Response = HttpResponseBase | Awaitable[HttpResponseBase]
#: Processes a response.
Finish = Callable[["HttpResponseBase"], "HttpResponseBase"]


class Middleware:
    """Middleware that runs code around each request, in the request's own thread or task."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Response]) -> None:
        self.get_response: Callable[[HttpRequest], Any] = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Response:
        """Handle a request."""
        if self.is_async:
            return self.__acall__(request)
        with self.around(request) as finish:
            return finish(self.get_response(request))

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        """Handle a request under ASGI."""
        with self.around(request) as finish:
            return finish(await self.get_response(request))

    @abstractmethod
    def around(self, request: HttpRequest) -> AbstractContextManager[Finish]:
        """Return a context manager that surrounds the view and yields the response's processor."""


def unchanged(response: HttpResponseBase) -> HttpResponseBase:
    """Return the response."""
    return response
