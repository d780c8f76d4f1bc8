"""Direct uploads for API clients: ``path("api/uploads/", include("herokuify.uploads.rest"))``.

Clients send the same data as the script in pages, as JSON or as a form, with the API's usual
authentication. A token belongs to its user, regardless of how the user is authenticated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from rest_framework.authentication import SessionAuthentication
from rest_framework.renderers import JSONRenderer
from rest_framework.views import APIView

from herokuify.uploads.tokens import owner_of
from herokuify.uploads.views import ACTIONS, answer

app_name = "herokuify_uploads_rest"


@method_decorator(never_cache, name="dispatch")
class DirectUploadView(APIView):  # type: ignore[misc]  # without stubs
    """Begin, continue, finish or abort an upload, for users authenticated by REST framework.

    The project's authentication, permission and throttle classes apply, then the rule's "who".
    """

    renderer_classes = (JSONRenderer,)

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """Check the request like REST framework, and the CSRF token of anonymous visitors."""
        super().initial(request, *args, **kwargs)
        if not owner_of(request)[0]:
            # Their uploads belong to the session, so the cookie is the authentication.
            SessionAuthentication().enforce_csrf(request)

    def post(self, request: Any, action: str) -> HttpResponse:
        """Run one of the four actions."""
        if action not in ACTIONS:
            raise Http404
        data = request.data
        return answer(ACTIONS[action], request, data if isinstance(data, Mapping) else {})


urlpatterns = [path("<str:action>", DirectUploadView.as_view(), name="action")]
