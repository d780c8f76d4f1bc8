"""The messages of checks, with the commands of the current platform."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as DjangoWarning

from herokuify.platforms import adapted


class CheckWarning(DjangoWarning):
    """A warning whose hint has the commands of the current platform."""

    def __init__(self, msg: str, *, hint: str, id: str) -> None:  # noqa: A002  (Django's name)
        super().__init__(msg, hint=adapted(hint), id=id)


def error(message: str, *, hint: str, id: str) -> CheckMessage:  # noqa: A002  (Django's name)
    """Return an error whose text begins with "ImproperlyConfigured".

    Heroku's buildpack searches for this word in the output of a failed collectstatic
    (heroku-buildpack-python, ``bin/steps/collectstatic``).
    """
    if "ImproperlyConfigured" not in message:
        message = f"ImproperlyConfigured: {message}"
    return Error(message, hint=adapted(hint), id=id)


def unique(messages: Iterable[CheckMessage]) -> list[CheckMessage]:
    """Return each message once, because storages often share a fault."""
    return list({message.msg: message for message in messages}.values())
