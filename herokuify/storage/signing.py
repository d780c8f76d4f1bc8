"""Signed URLs that stay the same for part of their life, so that browsers keep what they show.

A page of a hundred images would be signed a hundred times, and loaded anew each time: to a
browser, another signature is another image. A URL is therefore signed as of the beginning of
the period that it is asked in; each process and each dyno makes the same one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
import zlib
from collections.abc import Callable, Hashable
from datetime import datetime, timezone
from urllib.parse import quote, unquote, urlsplit

#: Of a URL's life, the part for which it stays the same.
PART = 0.5
#: Seconds of life below which a URL is signed as of now: rounding would cost too much of it.
SHORTEST = 60
#: URLs that a process remembers.
MOST_KEPT = 4096
_ALGORITHM = "AWS4-HMAC-SHA256"


class Period:
    """The stretch of time in which a URL stays the same, in seconds since 1970.

    Each name has another offset, or all images of a site would be loaded anew at once.
    """

    def __init__(self, name: str, life: int, now: float) -> None:
        length = int(life * PART) if life >= SHORTEST else 0
        offset = zlib.crc32(name.encode()) % length if length else 0
        self.start = int(now) - (int(now) + offset) % length if length else int(now)
        self.end = self.start + length
        self.expiry = self.start + life


class SignedUrls:
    """The URLs that a storage has signed and that are still the same.

    Without a lock, which a fork could leave closed: two threads sign the same URL at worst.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[int, str]] = {}

    def __reduce__(self) -> tuple[type[SignedUrls], tuple[()]]:
        return SignedUrls, ()

    def get(
        self, key: Hashable, name: str, life: int, sign: Callable[[Period], str | None]
    ) -> str | None:
        """The URL of this key, which ``sign`` makes; None when it makes none."""
        now = time.time()
        end, url = self._kept.get(key, (0, ""))
        if now < end:
            return url
        period = Period(name, life, now)
        signed = sign(period)
        if signed is not None and period.end > now:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[key] = period.end, signed
        return signed


def signed_at(url: str, start: int, *, access_key: str, secret_key: str) -> str | None:
    """A URL that botocore has signed, as it would have at another time; None if it can't be.

    It can't when other credentials than these have signed it, or in another way than with
    version 4 (AWS Signature Version 4 for API requests, "Authenticating requests: using
    query parameters").
    """
    parts = urlsplit(url)
    pairs = dict(pair.partition("=")[::2] for pair in parts.query.split("&"))
    key, _, scope = unquote(pairs.get("X-Amz-Credential", "")).partition("/")
    _, _, place = scope.partition("/")
    is_known = (
        pairs.get("X-Amz-Algorithm") == _ALGORITHM
        and pairs.get("X-Amz-SignedHeaders") == "host"
        and "X-Amz-Signature" in pairs
        and key == access_key
    )
    if not is_known:
        return None
    moment = datetime.fromtimestamp(start, timezone.utc)
    day, stamp = moment.strftime("%Y%m%d"), moment.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{day}/{place}"
    pairs |= {"X-Amz-Credential": quote(f"{key}/{scope}", safe=""), "X-Amz-Date": stamp}
    del pairs["X-Amz-Signature"]
    query = "&".join(f"{name}={value}" for name, value in sorted(pairs.items()))
    is_usual = parts.port in {None, {"http": 80, "https": 443}.get(parts.scheme)}
    host = parts.hostname if is_usual else f"{parts.hostname}:{parts.port}"
    request = f"GET\n{parts.path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    digest = hashlib.sha256(request.encode()).hexdigest()
    signing_key = f"AWS4{secret_key}".encode()
    for word in scope.split("/"):
        signing_key = _hmac(signing_key, word)
    signature = _hmac(signing_key, f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}").hex()
    return f"{url.partition('?')[0]}?{query}&X-Amz-Signature={signature}"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def query_name(parameter: str) -> str:
    """S3's query parameter for one of boto3's: ``response-content-type`` for its camel case."""
    if not parameter.startswith("Response"):
        return parameter
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", parameter).lower()
