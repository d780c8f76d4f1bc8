"""Count, in the session, what an anonymous visitor has uploaded without submitting a form."""

from __future__ import annotations

import time
from typing import Any

from herokuify.uploads.tokens import SECONDS, SESSION


def add(request: Any, key: str, size: int, limit: int) -> bool:
    """Record an upload of ``size`` bytes; return False if it would exceed the limit."""
    kept: dict[str, Any] = request.session[SESSION]
    now = int(time.time())
    pending = {k: one for k, one in kept["pending"].items() if one[1] > now - SECONDS}
    if sum(one[0] for one in pending.values()) + size > limit:
        return False
    request.session[SESSION] = {**kept, "pending": {**pending, key: [size, now]}}
    return True


def forget(request: Any, key: str) -> None:
    """Remove an upload that was saved or aborted."""
    session: Any = getattr(request, "session", None)
    kept = None if session is None else session.get(SESSION)
    if kept and key in kept["pending"]:
        pending = {k: one for k, one in kept["pending"].items() if k != key}
        session[SESSION] = {**kept, "pending": pending}
