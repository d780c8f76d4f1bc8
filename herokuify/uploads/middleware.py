"""Make the current request available to forms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.http import HttpRequest

from herokuify.conf.middleware import Finish, Middleware, unchanged

_request: ContextVar[Any] = ContextVar("herokuify_uploads_request", default=None)


def current_request() -> Any:
    """Return the request that is being processed, or None."""
    return _request.get()


class DirectUploadMiddleware(Middleware):
    """Let forms know whose uploads they may claim. Its position in MIDDLEWARE doesn't matter."""

    @contextmanager
    def around(self, request: HttpRequest) -> Iterator[Finish]:
        """Make this the current request in the block."""
        before = _request.set(request)
        try:
            yield unchanged
        finally:
            _request.reset(before)
