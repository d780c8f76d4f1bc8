"""Broken references in static files: report all at once, or leave them unchanged."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import unquote, urldefrag, urlsplit

from django.conf import settings

from herokuify.storage.static import NamePatterns

Converter = Callable[[re.Match[str]], str]


class Reference(NamedTuple):
    """A reference to a missing file."""

    name: str  # the file with the reference
    line: int
    text: str
    target: str  # the missing file's name, relative to the location

    def __str__(self) -> str:
        # Heroku's buildpack (bin/steps/collectstatic) explains missing references to users if the
        # log contains "The CSS file".
        kind = "The CSS file" if self.name.endswith(".css") else "The CSS file or script"
        return (
            f"{kind} {self.name!r} refers to {self.target!r}, which no static files finder has "
            f"found (line {self.line}: {self.text})."
        )


class DanglingReferencesError(ValueError):
    """Files refer to missing files."""

    def __init__(self, references: list[Reference]) -> None:
        self.references = references
        example = re.escape(references[0].target)
        super().__init__(
            "\n".join(str(reference) for reference in references)
            + "\nAdd the files or remove the references. Files that may be missing are listed in "
            f'settings.py: HEROKUIFY_MISSING_OK = [r"{example}"]'
        )


class References:
    """Collects the broken references of one run of ``post_process``.

    It wraps the storage's ``url_converter``, including one that a subclass overrides.
    """

    def __init__(self, storage: Any, missing_ok: NamePatterns) -> None:
        self._storage = storage
        self._missing_ok = missing_ok
        self._found: dict[Reference, None] = {}
        self._reported = 0

    @contextmanager
    def watched(self, paths: Mapping[str, Any]) -> Iterator[None]:
        """Leave broken references unchanged in the block, and record them."""
        make: Callable[..., Converter] = self._storage.url_converter
        seen: Counter[tuple[str, str]] = Counter()

        def url_converter(name: str, *args: Any, **kwargs: Any) -> Converter:
            converter = make(name, *args, **kwargs)

            def convert(match: re.Match[str]) -> str:
                try:
                    return converter(match)
                except ValueError:
                    target = self._target(name, match)
                    if target is None or self._storage.exists(target):
                        raise
                    text = match.group()
                    if target not in self._missing_ok:
                        line = _line(paths[name], match, seen[name, text])
                        seen[name, text] += 1
                        self._found[Reference(name, line, " ".join(text.split()), target)] = None
                    return text

            return convert

        self._storage.url_converter = url_converter
        try:
            yield
        finally:
            del self._storage.url_converter

    def _target(self, name: str, match: re.Match[str]) -> str | None:
        """Return the name that Django looks for; None if the pattern doesn't capture a URL."""
        url = match.groupdict().get("url")
        if url is None:
            return None
        path = urlsplit(unquote(urldefrag(url)[0])).path.strip()
        if path.startswith("/"):
            return path.removeprefix(settings.STATIC_URL)
        folder = posixpath.dirname(name.replace("\\", "/"))
        return posixpath.normpath(posixpath.join(folder, path))

    def error(self) -> DanglingReferencesError | None:
        """Return an error for the references found since the last call; None without any."""
        new = list(self._found)[self._reported :]
        self._reported = len(self._found)
        return DanglingReferencesError(new) if new else None


def _line(source: tuple[Any, str], match: re.Match[str], number: int) -> int:
    """Return the line in the original file of the ``number``-th reference with this text.

    The matched content may differ from the original, because earlier references are replaced.
    """
    storage, path = source
    with storage.open(path) as file:
        content: str = file.read().decode()
    start = -1
    for _ in range(number + 1):
        start = content.find(match.group(), start + 1)
    if start < 0:
        content, start = match.string, match.start()
    return content.count("\n", 0, start + match.start("url") - match.start()) + 1
