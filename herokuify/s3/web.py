"""Requests without credentials, as browsers send them."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

TIMEOUT = 5  # seconds
_MOST_BYTES = 65_536


class UnreachableError(Exception):
    """There was no response; ``hint`` says what to do about it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Page:
    """A response, with the beginning of its body (64 kB)."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def description(self) -> str:
        """The status, and S3's error code if there is one."""
        code = re.search(rb"<Code>(\w+)</Code>", self.body)
        return f"{self.status} {code[1].decode()}" if code else str(self.status)


def fetch(
    url: str,
    *,
    origin: str = "",
    ca_file: str | None = None,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Page:
    """Request a URL without credentials, as a browser on a page of ``origin`` does.

    Follows redirects. Raises UnreachableError if there is no HTTP response.
    """
    url = f"https:{url}" if url.startswith("//") else url
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        raise UnreachableError(f"{_shown(url)} is not an HTTP URL.", "Fix STATIC_URL.")
    sent = {"User-Agent": "herokuify"} | ({"Origin": origin} if origin else {})
    sent |= headers or {}
    request = Request(url, body, sent, method=method)  # noqa: S310 (checked above)
    context = ssl.create_default_context(cafile=ca_file) if parts.scheme == "https" else None
    try:
        with urlopen(request, timeout=TIMEOUT, context=context) as answer:  # noqa: S310
            return _page(answer)
    except HTTPError as error:
        with error:
            return _page(error)
    except (OSError, HTTPException) as error:
        raise _unreachable(url, error) from error


def _page(answer: Any) -> Page:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Page(answer.status, headers, answer.read(_MOST_BYTES))


def _unreachable(url: str, error: Exception) -> UnreachableError:
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, ssl.SSLError):
        return UnreachableError(
            f"Browsers don't trust the TLS certificate at {_shown(url)}: {cause}.",
            "Give the host a certificate that covers its name; a bucket with dots in its name "
            "needs AWS_S3_ADDRESSING_STYLE=path, or a CDN: heroku config:set "
            "AWS_S3_CUSTOM_DOMAIN=…",
        )
    return UnreachableError(
        f"{_shown(url)} could not be reached: {cause}.",
        "Check the host in STATIC_URL: heroku config:set AWS_S3_CUSTOM_DOMAIN=…, "
        "AWS_S3_ENDPOINT_URL=… or AWS_S3_REGION_NAME=…",
    )


def _shown(url: str) -> str:
    """Return the URL without the query string, which may contain a signature."""
    return url.partition("?")[0]
