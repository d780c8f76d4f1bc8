"""Masking secrets in texts."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.views.debug import SafeExceptionReporterFilter

MASK = SafeExceptionReporterFilter.cleansed_substitute
_SHORTEST = 4  # characters; shorter secrets would mask too much of the table
#: Names whose values are secrets, in settings and their dictionaries, and in the environment.
_NAME = re.compile(r"(^|_)(token|secret|password|passwd|pass|keys?|login)(_|$)", re.IGNORECASE)
_HARMLESS = re.compile(
    r".*KEY_(PREFIX|FUNCTION)|PASSWORD_(HASHERS|RESET_TIMEOUT)|AUTH_PASSWORD_VALIDATORS|.*_URL",
    re.IGNORECASE,
)
#: Secrets in the messages of drivers: users and passwords in URLs and connection strings, and
#: signatures.
_SHAPES = (
    (re.compile(r"(?<=://)[^/@\s]*@"), f"{MASK}@"),
    (re.compile(r"\b(password|passwd)=('[^']*'|\S+)", re.IGNORECASE), rf"\1={MASK}"),
    (re.compile(r"\b(X-Amz-Signature|X-Amz-Credential|Signature)=[^&\s]+"), rf"\1={MASK}"),
)


class Secrets:
    """The secrets of a project; calling it returns a text without them."""

    def __init__(self, values: Iterable[str]) -> None:
        spellings = {
            spelling
            for value in values
            for spelling in (value, quote(value, safe=""), unquote(value), repr(value)[1:-1])
            if len(spelling) >= _SHORTEST
        }
        self._spellings = sorted(spellings, key=len, reverse=True)

    @classmethod
    def of(cls, environ: Mapping[str, str], *more: str | None) -> Secrets:
        """Collect the secrets in the settings, in an environment, and in ``more``."""
        found = {*_values(dict(_explicit())), *_values(environ), *filter(None, more)}
        return cls(found)

    def __call__(self, text: str) -> str:
        """Return the text with each secret masked."""
        for shape, substitute in _SHAPES:
            text = shape.sub(substitute, text)
        for spelling in self._spellings:
            text = text.replace(spelling, MASK)
        return text


def _explicit() -> Iterator[tuple[str, object]]:
    """Yield the settings that are not Django's defaults."""
    holder: Any = settings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Django's deprecation warnings
        for name in dir(holder):
            if name.isupper() and holder.is_overridden(name):
                with suppress(ImproperlyConfigured):  # a SECRET_KEY that is missing
                    yield name, getattr(holder, name)


def _values(value: object, *, is_secret: bool = False) -> Iterator[str]:
    """Yield secrets, recognized by their names, and passwords in URLs."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            name = str(key)
            is_named = bool(_NAME.search(name)) and not _HARMLESS.fullmatch(name)
            yield from _values(item, is_secret=is_secret or is_named)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _values(item, is_secret=is_secret)
    elif isinstance(value, str):
        if is_secret:
            yield value
        try:
            password = urlsplit(value).password
        except ValueError:
            password = None
        if password:
            yield password
