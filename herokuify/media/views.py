"""The view behind the permanent URL of an upload."""

from __future__ import annotations

import inspect
from typing import Any

from django.apps import apps
from django.conf import DEFAULT_STORAGE_ALIAS
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from herokuify.exceptions import ConfigurationError
from herokuify.storage.permanent import is_reachable, permission_of, storage_of

#: Seconds that browsers may cache the redirect, at most. Signed URLs are valid for at least half of
#: their lifetime, so a quarter of it is safe.
LONGEST = 300
PART_OF_LIFETIME = 4


@require_safe
def redirect_to_file(
    request: HttpRequest, name: str, alias: str = DEFAULT_STORAGE_ALIAS
) -> HttpResponseBase:
    """Redirect users who may read the file to its signed URL.

    Others are redirected to the login page, or get a 403 if they are logged in. Only users who
    would be allowed to read the file get a 404 if it doesn't exist.
    """
    storage = storage_of(alias)
    is_known = storage is not None and is_reachable(storage, name)
    if not (_is_permitted(request, storage, name) if is_known else _is_logged_in(request)):
        return _refuse(request)
    if storage is None or not is_known or not storage.exists(name):
        raise Http404
    # A signature is only valid for one method.
    method = None if request.method == "GET" else request.method
    response = HttpResponseRedirect(storage.object_url(name, http_method=method))
    seconds = min(LONGEST, int(storage.querystring_expire) // PART_OF_LIFETIME)
    response["Cache-Control"] = f"private, max-age={seconds}"
    # Another user may log in with the same browser.
    patch_vary_headers(response, ["Cookie", "Authorization"])
    return response


def _is_permitted(request: HttpRequest, storage: Any, name: str) -> bool:
    permission = permission_of(storage)
    answer = permission(request, storage, name) if permission else _is_logged_in(request)
    if inspect.isawaitable(answer):  # a coroutine is always true
        raise ConfigurationError(
            "The option url_permission names a coroutine function; it must be a plain function.",
            "Write it with def instead of async def.",
        )
    return bool(answer)


def _is_logged_in(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    return user is not None and bool(user.is_authenticated)


def _refuse(request: HttpRequest) -> HttpResponseBase:
    """Do what Django's LoginRequiredMixin does."""
    if not (apps.is_installed("django.contrib.auth") and hasattr(request, "user")):
        raise PermissionDenied
    from django.contrib.auth.mixins import AccessMixin

    mixin: Any = AccessMixin()
    mixin.request = request
    response: HttpResponseBase = mixin.handle_no_permission()
    return response
