"""Views that begin, continue, finish and abort an upload. The file itself goes to S3."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParser
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST

from herokuify.exceptions import HerokuifyError
from herokuify.uploads import pending, rules
from herokuify.uploads.claims import AGAIN, stage_of
from herokuify.uploads.staging import Stage, new_key
from herokuify.uploads.tokens import Token, owner_of

logger = logging.getLogger("herokuify.uploads")

#: URLs in one response.
BATCH = 8
#: Called with a request and its data, from a form or JSON; returns the response's data.
Work = Callable[[Any, Mapping[str, Any]], dict[str, Any]]


class _RefusedError(Exception):
    """An error response, with the reason for the user."""

    def __init__(self, status: int, reason: str, **more: Any) -> None:
        super().__init__(reason)
        self.status = status
        self.answer = {"error": reason, **more}


def answer(work: Work, request: Any, data: Mapping[str, Any]) -> HttpResponse:
    """Return a JSON response with the result of ``work``, or with the reason for a refusal."""
    try:
        return JsonResponse(work(request, data))
    except _RefusedError as refusal:
        return JsonResponse(refusal.answer, status=refusal.status)
    except HerokuifyError:
        logger.exception("An upload could not be continued.")
        reason = _("The storage is not responding right now.")
        return JsonResponse({"error": reason}, status=503)


def _view(work: Work) -> Callable[[HttpRequest], HttpResponse]:
    @wraps(work)
    def view(request: HttpRequest) -> HttpResponse:
        return answer(work, request, request.POST)

    return never_cache(require_POST(csrf_protect(view)))


def do_begin(request: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """Allow an upload: return its token, and the requests for the first parts."""
    rule = rules.find(_text(data, "field"))
    if rule is None or not rule.is_direct:
        raise _RefusedError(404, _("Nothing can be uploaded here."))
    if not rule.allows(request):
        raise _RefusedError(403, _("You may not upload here."))
    name = _file_name(_text(data, "name"))
    size = _number(_text(data, "size"))
    if size is None or not name:
        raise _RefusedError(400, _("The file has no name or no size."))
    if size == 0:
        raise _RefusedError(400, _("The submitted file is empty."))
    if size > rule.max_size:
        limit = filesizeformat(rule.max_size)
        raise _RefusedError(413, _("The file is too large: at most %s are accepted.") % limit)
    content_type = rule.type_of(name, _text(data, "type"))
    if content_type is None:
        raise _RefusedError(415, _("Files of this type are not accepted."))
    user, session = owner_of(request, create=True)
    key = new_key()
    if not user:
        if not session:
            raise _RefusedError(403, _("You may not upload here."))
        if not pending.add(request, key, size, rule.max_pending):
            raise _RefusedError(
                429,
                _("You have uploaded too much without submitting a form. Please try again later."),
            )
    token = Token(key, rule.name, user, "" if user else session, name, content_type, size)
    upload_id = Stage(rule.storage, token).start()
    stage = Stage(rule.storage, replace(token, upload_id=upload_id))
    first = range(1, min(BATCH, stage.count) + 1)
    return {**_described(stage), "token": stage.token.dumps(), "requests": stage.requests(first)}


def do_parts(request: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return which parts S3 has received; with ``numbers``, the requests for these parts."""
    stage = _stage(request, data)
    wanted = [int(one) for one in re.findall(r"\d{1,5}", _text(data, "numbers"))]
    if wanted:
        numbers = [number for number in wanted[:BATCH] if 1 <= number <= stage.count]
        return {"requests": stage.requests(numbers)}
    received = stage.received()
    if received is None:
        raise _RefusedError(410, str(AGAIN))
    return {**_described(stage), "received": received}


def do_finish(request: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """Complete the upload, so that the form can submit its token."""
    missing = _stage(request, data).finish()
    if missing is None:
        raise _RefusedError(410, str(AGAIN))
    if missing:
        raise _RefusedError(409, _("The upload is not complete."), missing=missing)
    return {}


def do_abort(request: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """Abort the upload."""
    stage = _stage(request, data)
    stage.abort()
    if stage.token.upload_id:
        # The URL of a single PUT remains valid, so the file still counts.
        pending.forget(request, stage.token.key)
    return {}


ACTIONS = {"begin": do_begin, "parts": do_parts, "finish": do_finish, "abort": do_abort}
begin, parts, finish, abort = map(_view, ACTIONS.values())


def _described(stage: Stage) -> dict[str, Any]:
    return {"partSize": stage.part_size, "parts": stage.count}


def _stage(request: Any, data: Mapping[str, Any]) -> Stage:
    stage = stage_of(_text(data, "token"), request)
    if stage is None:
        raise _RefusedError(410, str(AGAIN))
    return stage


def _text(data: Mapping[str, Any], name: str) -> str:
    return str(data.get(name, ""))


def _file_name(name: str) -> str:
    """Return the file's name, sanitized and shortened as in Django's multipart forms."""
    parser: Any = MultiPartParser
    clean: str | None = parser.sanitize_file_name(None, name)
    return UploadedFile(name=clean).name or ""


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,15}", text, re.ASCII) else None
