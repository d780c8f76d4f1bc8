"""Check the tokens that forms submit, and return their files."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, router, transaction
from django.utils.translation import gettext_lazy as _

from herokuify.exceptions import ConfigurationError, S3Error
from herokuify.storage.files import StagedFile
from herokuify.uploads import pending, rules
from herokuify.uploads.rules import Rule
from herokuify.uploads.staging import Stage
from herokuify.uploads.tokens import Token

logger = logging.getLogger("herokuify.uploads")

MIDDLEWARE = "herokuify.uploads.middleware.DirectUploadMiddleware"
AGAIN = _("This upload can't be used any more. Please upload the file again.")
LATER = _("The upload can't be checked right now. Please try again in a moment.")


def stage_of(text: str, request: Any, field: str = "") -> Stage | None:
    """Return the staged object of a token; None if the request's user may not use it.

    With ``field``, the token must be for this field. The current rule and permissions apply, not
    those at the time of the upload. Raises ConfigurationError without the middleware.
    """
    if request is None:
        raise ConfigurationError(
            f"{MIDDLEWARE} is not in MIDDLEWARE. Without it, forms can't check whose upload they "
            "get.",
            f'In settings.py: MIDDLEWARE = [..., "{MIDDLEWARE}"]',
        )
    token = Token.loads(text)
    if token is None or field not in {"", token.field} or not token.belongs_to(request):
        return None
    rule = rules.find(token.field)
    if rule is None or not rule.is_direct or not rule.allows(request):
        return None
    is_accepted = token.size <= rule.max_size and rule.type_of(token.name, token.type)
    return Stage(rule.storage, token) if is_accepted else None


def claim(text: str, rule: Rule, request: Any) -> StagedFile:
    """Return the file of a token; raise ValidationError if it can't be used."""
    stage = stage_of(text, request, rule.name)
    try:
        stored = None if stage is None else stage.find()
    except S3Error:
        logger.exception("An upload to %s could not be checked.", rule.name)
        raise ValidationError(LATER, code="direct_upload_unknown") from None
    if stage is None or stored is None:
        raise ValidationError(AGAIN, code="direct_upload")
    model = None if rule.field is None else rule.field.model
    using = DEFAULT_DB_ALIAS if model is None else router.db_for_write(model)
    discard = partial(_discard, stage, request, using)
    return StagedFile(stored, stage.token.name, stage.token.type, discard)


def _discard(stage: Stage, request: Any, using: str) -> None:
    """Remove the staged object when the transaction that saves its copy is committed."""

    def remove() -> None:
        pending.forget(request, stage.token.key)
        try:
            stage.abort()
        except S3Error as error:
            logger.warning(
                "The upload %s was saved, but the original could not be removed (%s). A lifecycle "
                "rule removes it: manage.py herokuify bucket --apply",
                stage.token.key,
                error,
            )

    transaction.on_commit(remove, using=using, robust=True)
