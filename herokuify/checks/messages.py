"""What the checks report, in the words that Heroku's build looks for."""

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
    """Return an error with the text of an ImproperlyConfigured.

    Heroku's buildpack looks for the word in the log of a failed collectstatic, and Django's
    SystemCheckError lacks it (heroku-buildpack-python, ``bin/steps/collectstatic``).
    """
    if "ImproperlyConfigured" not in message:
        message = f"ImproperlyConfigured: {message}"
    return Error(message, hint=adapted(hint), id=id)


def unique(messages: Iterable[CheckMessage]) -> list[CheckMessage]:
    """Return each text once: storages often share a fault."""
    return list({message.msg: message for message in messages}.values())
