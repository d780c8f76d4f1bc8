"""Begin, go on with, finish and give up an upload. No file comes this way."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST

from herokuify.exceptions import HerokuifyError
from herokuify.uploads import pending, rules
from herokuify.uploads.claims import AGAIN, find_token
from herokuify.uploads.staging import Stage, new_key
from herokuify.uploads.tokens import Token, owner_of

logger = logging.getLogger("herokuify.uploads")

#: URLs in one answer.
BATCH = 8
LONGEST_NAME = 255
View = Callable[[HttpRequest], HttpResponse]
Work = Callable[[HttpRequest], dict[str, Any]]


class _RefusedError(Exception):
    """An answer other than 200, and the reason, for people to read."""

    def __init__(self, status: int, reason: str, **more: Any) -> None:
        super().__init__(reason)
        self.status = status
        self.answer = {"error": reason, **more}


def answering(work: Work) -> View:
    """Make a view of what returns the answer's JSON."""

    @wraps(work)
    def view(request: HttpRequest) -> HttpResponse:
        try:
            return JsonResponse(work(request))
        except _RefusedError as refusal:
            return JsonResponse(refusal.answer, status=refusal.status)
        except HerokuifyError:
            logger.exception("An upload could not be continued.")
            reason = _("The storage is not responding right now.")
            return JsonResponse({"error": reason}, status=503)

    return view


def _protected(work: Work) -> View:
    return never_cache(require_POST(csrf_protect(answering(work))))


def do_begin(request: HttpRequest) -> dict[str, Any]:
    """Allow one upload: its token, and where its first parts go."""
    rule = rules.find(request.POST.get("field", ""))
    if rule is None or not rule.is_direct:
        raise _RefusedError(404, _("Nothing can be uploaded here."))
    if not rule.allows(request):
        raise _RefusedError(403, _("You may not upload here."))
    name = _clean_name(request.POST.get("name", ""))
    size = _number(request.POST.get("size", ""))
    if size is None or not name:
        raise _RefusedError(400, _("The file has no name or no size."))
    if size == 0:
        raise _RefusedError(400, _("The submitted file is empty."))
    if size > rule.max_size:
        limit = filesizeformat(rule.max_size)
        raise _RefusedError(413, _("The file is too large: at most %s are accepted.") % limit)
    content_type = rule.type_of(name, request.POST.get("type", ""))
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
    token = Token(key, rule.name, token.user, token.session, name, content_type, size, upload_id)
    stage = Stage(rule.storage, token)
    first = range(1, min(BATCH, stage.count) + 1)
    return {**_described(stage), "token": token.dumps(), "requests": stage.requests(first)}


def do_parts(request: HttpRequest) -> dict[str, Any]:
    """Say which parts have arrived; with ``numbers``, where these parts go."""
    stage = _stage(request)
    wanted = [int(one) for one in re.findall(r"\d{1,5}", request.POST.get("numbers", ""))]
    if wanted:
        numbers = [number for number in wanted[:BATCH] if 1 <= number <= stage.count]
        return {"requests": stage.requests(numbers)}
    received = stage.received()
    if received is None:
        raise _RefusedError(410, str(AGAIN))
    return {**_described(stage), "received": received}


def do_finish(request: HttpRequest) -> dict[str, Any]:
    """Complete the upload, so that the form may send its token."""
    missing = _stage(request).finish()
    if missing is None:
        raise _RefusedError(410, str(AGAIN))
    if missing:
        raise _RefusedError(409, _("The upload is not complete."), missing=missing)
    return {}


def do_abort(request: HttpRequest) -> dict[str, Any]:
    """Abort the upload."""
    stage = _stage(request)
    stage.abort()
    pending.forget(request, stage.token.key)
    return {}


begin, parts, finish, abort = map(_protected, (do_begin, do_parts, do_finish, do_abort))


def _described(stage: Stage) -> dict[str, Any]:
    return {"partSize": stage.part_size, "parts": stage.count}


def _stage(request: HttpRequest) -> Stage:
    text = request.POST.get("token", "")
    token = Token.loads(text)
    rule = None if token is None else rules.find(token.field)
    if rule is None or not rule.is_direct:
        raise _RefusedError(410, str(AGAIN))
    token = find_token(text, rule, request)
    if token is None:
        raise _RefusedError(410, str(AGAIN))
    return Stage(rule.storage, token)


def _clean_name(name: str) -> str:
    """Return the file's own name, as Django takes it from a multipart form."""
    name = re.split(r"[/\\]", name)[-1]
    name = "".join(char for char in name if char.isprintable()).strip()
    if name in {".", ".."}:
        return ""
    if len(name) <= LONGEST_NAME:
        return name
    root, dot, ending = name.rpartition(".")
    return root[: LONGEST_NAME - len(dot + ending)] + dot + ending if root else name[:LONGEST_NAME]


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,15}", text, re.ASCII) else None
