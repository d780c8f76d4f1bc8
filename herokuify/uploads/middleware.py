"""The current request, for forms, which don't know it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

_request: ContextVar[Any] = ContextVar("herokuify_uploads_request", default=None)


def current_request() -> Any:
    """Return the request that is being answered; None outside of one."""
    return _request.get()


class DirectUploadMiddleware:
    """Let forms know whose uploads they may claim. Its position in MIDDLEWARE doesn't matter."""

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
        """Answer a request, which is the current one meanwhile."""
        if self.is_async:
            return self.__acall__(request)
        before = _request.set(request)
        try:
            return self.get_response(request)
        finally:
            _request.reset(before)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request, under ASGI."""
        before = _request.set(request)
        try:
            return await cast(Awaitable[HttpResponseBase], self.get_response(request))
        finally:
            _request.reset(before)
