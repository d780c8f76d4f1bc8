"""Tokens for uploads: signed, valid for a day, for one field and one user or session."""

from __future__ import annotations

import secrets
from dataclasses import astuple, dataclass
from typing import Any

from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac

SALT = "herokuify.uploads"
SECONDS = 86_400
#: Where a session keeps what tells its visitor from others, and what is pending.
SESSION = "herokuify_uploads"


@dataclass(frozen=True)
class Token:
    """One upload: the object that it makes, and who may claim it for which field."""

    key: str
    field: str
    user: str  # primary key; "" of an anonymous visitor
    session: str  # of an anonymous visitor
    name: str
    type: str
    size: int
    upload_id: str = ""  # of an upload in parts

    def dumps(self) -> str:
        """Return the text that the browser gets."""
        return signing.dumps(astuple(self), salt=SALT, compress=True)

    @classmethod
    def loads(cls, text: str) -> Token | None:
        """Return what a text stands for; None when it is forged or too old."""
        try:
            return cls(*signing.loads(text, salt=SALT, max_age=SECONDS))
        except (signing.BadSignature, TypeError, ValueError):
            return None

    @property
    def mark(self) -> str:
        """What the object's metadata has: no other upload's object does."""
        value = "\n".join(map(str, astuple(self)[:-1]))
        return salted_hmac(SALT, value, algorithm="sha256").hexdigest()[:40]

    def belongs_to(self, request: Any) -> bool:
        """Return whether it was given to the user of the request."""
        user, session = owner_of(request)
        if self.user:
            return constant_time_compare(self.user, user)
        # A visitor who logs in keeps the session's contents.
        return bool(self.session) and constant_time_compare(self.session, session)


def owner_of(request: Any, *, create: bool = False) -> tuple[str, str]:
    """Return the primary key of a request's user, and the id of an anonymous visitor's session.

    ``create`` gives a session the id that it lacks.
    """
    user = getattr(request, "user", None)
    identity = str(user.pk) if user is not None and user.is_authenticated else ""
    session = getattr(request, "session", None)
    if session is None:
        return identity, ""
    found: dict[str, Any] = session.get(SESSION) or {}
    if not found and create and not identity:
        found = session[SESSION] = {"id": secrets.token_urlsafe(24), "pending": {}}
    return identity, str(found.get("id", ""))
