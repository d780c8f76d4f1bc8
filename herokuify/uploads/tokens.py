"""Signed tokens for uploads, valid for a day, one field, and one user or session."""

from __future__ import annotations

import secrets
from dataclasses import astuple, dataclass
from typing import Any

from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac

SALT = "herokuify.uploads"
SECONDS = 86_400
#: The session's key for the visitor's id and pending uploads.
SESSION = "herokuify_uploads"


@dataclass(frozen=True)
class Token:
    """One upload: its object, and who may use it for which field."""

    key: str
    field: str  # the rule's name
    user: str  # primary key; "" for an anonymous visitor
    session: str  # an anonymous visitor's id; "" for a user
    name: str
    type: str
    size: int  # bytes
    upload_id: str = ""  # of a multipart upload

    def dumps(self) -> str:
        """Return the signed text for the browser."""
        return signing.dumps(astuple(self), salt=SALT, compress=True)

    @classmethod
    def loads(cls, text: str) -> Token | None:
        """Return the token for a signed text; None if it is forged or too old."""
        try:
            return cls(*signing.loads(text, salt=SALT, max_age=SECONDS))
        except (signing.BadSignature, TypeError, ValueError):
            return None

    @property
    def mark(self) -> str:
        """A value in the object's metadata that no other upload has."""
        value = "\n".join(map(str, astuple(self)[:-1]))
        return salted_hmac(SALT, value, algorithm="sha256").hexdigest()[:40]

    def belongs_to(self, request: Any) -> bool:
        """Return whether the request is by the user, or from the session, of the upload."""
        user, session = owner_of(request)
        if self.user:
            return constant_time_compare(self.user, user)
        # A visitor who logs in keeps the session's contents.
        return bool(self.session) and constant_time_compare(self.session, session)


def owner_of(request: Any, *, create: bool = False) -> tuple[str, str]:
    """Return the primary key of the request's user, and the visitor's id in the session.

    Either may be "". With ``create``, an anonymous visitor without an id gets one.
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
