"""AWS Signature Version 4 of requests and URLs, and CloudFront's signed URLs.

Browsers cache by URL, so a new signature makes them load the image again. URLs are therefore
signed as of the beginning of a period, so that all processes and dynos return the same URL.

Sources: "AWS Signature Version 4 for API requests", "Authenticating requests: using query
parameters" (Amazon S3 API Reference); "Use signed URLs" (Amazon CloudFront Developer Guide).
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
import zlib
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from herokuify.exceptions import ConfigurationError

ALGORITHM = "AWS4-HMAC-SHA256"
#: Seconds: "The maximum is 604800 (seven days)", of X-Amz-Expires.
LONGEST_LIFE = 604_800
#: The part of a URL's lifetime for which it stays the same.
PART = 0.5
#: Lifetime in seconds below which URLs are signed as of now: a period would take too much of it.
SHORTEST = 60
#: Number of URLs that a storage keeps in a process; the oldest are dropped first.
MOST_KEPT = 4096


class Signer:
    """Signs for one region and one pair of keys; derives the signing key once per day."""

    def __init__(self, access_key: str, secret_key: str, region: str) -> None:
        self.access_key = access_key
        self._secret_key = secret_key
        self._region = region
        self._day = ""
        self._key = b""

    def __repr__(self) -> str:
        return f"Signer({self._region})"

    def scope(self, day: str) -> str:
        """Return the credential scope of a day, such as ``20261129``."""
        return f"{day}/{self._region}/s3/aws4_request"

    def _key_of(self, day: str) -> bytes:
        # At worst, two threads derive the same key.
        if day != self._day:
            key = f"AWS4{self._secret_key}".encode()
            for word in self.scope(day).split("/"):
                key = hmac.digest(key, word.encode(), "sha256")
            self._key, self._day = key, day
            return key
        return self._key

    def signature(self, stamp: str, canonical_request: str) -> str:
        """Return the signature of a canonical request as of ``stamp``, ``20261129T080000Z``."""
        day = stamp[:8]
        digest = sha256(canonical_request.encode()).hexdigest()
        text = f"{ALGORITHM}\n{stamp}\n{self.scope(day)}\n{digest}"
        return hmac.digest(self._key_of(day), text.encode(), "sha256").hex()

    def authorization(
        self, method: str, path: str, headers: Mapping[str, str], payload: str, stamp: str
    ) -> str:
        """Return the Authorization header of a request without a query string.

        ``headers`` are all headers to sign, including ``host`` and ``x-amz-date``, with names in
        lower case; ``path`` is quoted; ``payload`` is the body's hash in hex, or
        "UNSIGNED-PAYLOAD".
        """
        names = sorted(headers)
        lines = "".join([f"{name}:{' '.join(headers[name].split())}\n" for name in names])
        signed = ";".join(names)
        request = f"{method}\n{path}\n\n{lines}\n{signed}\n{payload}"
        credential = f"{self.access_key}/{self.scope(stamp[:8])}"
        return (
            f"{ALGORITHM} Credential={credential}, SignedHeaders={signed}, "
            f"Signature={self.signature(stamp, request)}"
        )


class UrlSigner:
    """Signs URLs of the objects in one bucket, without a client or a request."""

    def __init__(self, signer: Signer, base_url: str, token: str | None) -> None:
        self._signer = signer
        self._base_url = base_url
        scheme, _, rest = base_url.partition("://")
        host, _, folder = rest.partition("/")
        name, _, port = host.rpartition(":")
        is_usual = port == {"http": "80", "https": "443"}[scheme]
        self._host = (name if is_usual else host).lower()
        self._folder = f"/{folder}"
        self._token = f"&X-Amz-Security-Token={quote(token, safe='')}" if token else ""
        self._of_day = ("", "")  # a day, and the beginning of all queries of that day

    def sign(self, key: str, parameters: Mapping[str, str], start: int, life: int) -> str:
        """Return a URL to GET ``key``, valid for ``life`` seconds from ``start`` (since 1970)."""
        return self.sign_request("GET", key, parameters, {}, start, life)

    def sign_request(
        self,
        method: str,
        key: str,
        parameters: Mapping[str, str],
        headers: Mapping[str, str],
        start: int,
        life: int,
    ) -> str:
        """Return a URL for a request that must send exactly these ``headers``.

        Their names are in lower case. S3 refuses a request in which one is missing or different.
        """
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(start))
        names = sorted([*headers, "host"])
        query = (
            f"{self._beginning(stamp[:8])}{stamp}"
            f"&X-Amz-Expires={life}{self._token}&X-Amz-SignedHeaders={'%3B'.join(names)}"
        )
        if parameters:
            own = [f"{quote(name, safe='')}={quote(v, safe='')}" for name, v in parameters.items()]
            query = "&".join(sorted([*query.split("&"), *own]))
        path = quote(key, safe="/~")
        lines = "".join(
            f"{name}:{self._host if name == 'host' else ' '.join(headers[name].split())}\n"
            for name in names
        )
        request = (
            f"{method}\n{self._folder}{path}\n{query}\n{lines}\n{';'.join(names)}\nUNSIGNED-PAYLOAD"
        )
        signature = self._signer.signature(stamp, request)
        return f"{self._base_url}{path}?{query}&X-Amz-Signature={signature}"

    def _beginning(self, day: str) -> str:
        known, beginning = self._of_day
        if known != day:
            credential = quote(f"{self._signer.access_key}/{self._signer.scope(day)}", safe="")
            beginning = f"X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={credential}&X-Amz-Date="
            self._of_day = day, beginning
        return beginning


def query_name(parameter: str) -> str:
    """Return the name in the query string of a boto3 parameter: ``response-content-type``."""
    if parameter == "VersionId":
        return "versionId"
    if not parameter.startswith("Response"):
        return parameter
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", parameter).lower()


class Period:
    """The period in which a URL stays the same, in seconds since 1970.

    Each name has a different offset; otherwise all images would expire at the same time.
    """

    __slots__ = ("end", "expiry", "start")

    def __init__(self, name: str, life: int, now: float) -> None:
        length = int(life * PART) if life >= SHORTEST else 0
        offset = zlib.crc32(name.encode()) % length if length else 0
        self.start = int(now) - (int(now) + offset) % length if length else int(now)
        self.end = self.start + length
        self.expiry = self.start + life


class SignedUrls:
    """A cache of signed URLs, for the period in which they stay the same.

    Without a lock, which would stay locked in a fork: at worst, two threads sign the same URL.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[int, str]] = {}

    def __reduce__(self) -> tuple[type[SignedUrls], tuple[()]]:
        return SignedUrls, ()

    def get(self, key: Hashable, name: str, life: int, sign: Callable[[Period], str]) -> str:
        """Return the cached URL for ``key``, or let ``sign`` make it for the current period."""
        now = time.time()
        end, url = self._kept.get(key, (0, ""))
        if now < end:
            return url
        period = Period(name, life, now)
        url = sign(period)
        if period.end > now:
            while len(self._kept) >= MOST_KEPT:
                try:
                    self._kept.pop(next(iter(self._kept)), None)
                except (RuntimeError, StopIteration):  # another thread was faster
                    continue
            self._kept[key] = period.end, url
        return url


class CloudFrontSigner:
    """Signs URLs of a CloudFront distribution with a canned policy, as botocore's signer does.

    Can be pickled and copied. Raises ConfigurationError when the key can't be used.
    """

    def __init__(self, key_id: str, key: str | bytes) -> None:
        self.key_id = key_id
        self._pem = key.encode("ascii") if isinstance(key, str) else key
        self._sign: Callable[[bytes], bytes] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_sign": None}

    def generate_presigned_url(self, url: str, date_less_than: datetime) -> str:
        """Return the signed URL, valid until ``date_less_than``."""
        expiry = int(date_less_than.timestamp())
        statement = {
            "Resource": url,
            "Condition": {"DateLessThan": {"AWS:EpochTime": expiry}},
        }
        policy = json.dumps({"Statement": [statement]}, separators=(",", ":")).encode()
        signature = base64.b64encode(self.load()(policy)).decode()
        signature = signature.translate({ord("+"): "-", ord("="): "_", ord("/"): "~"})
        separator = "&" if "?" in url else "?"
        return f"{url}{separator}Expires={expiry}&Signature={signature}&Key-Pair-Id={self.key_id}"

    def load(self) -> Callable[[bytes], bytes]:
        """Return a function that signs with the key, which is read once: RSA with SHA-1."""
        if self._sign is None:
            self._sign = self._load()
        return self._sign

    def _load(self) -> Callable[[bytes], bytes]:
        try:
            return _sign_with_cryptography(self._pem)
        except ImportError:
            pass
        except (ValueError, TypeError) as error:
            raise self._unusable() from error
        try:
            return _sign_with_rsa(self._pem)
        except ImportError as error:
            raise ConfigurationError(
                "AWS_CLOUDFRONT_KEY is set, and signing with it needs the package cryptography.",
                "pip install cryptography",
            ) from error
        except ValueError as error:
            raise self._unusable() from error

    def _unusable(self) -> ConfigurationError:
        return ConfigurationError(
            "AWS_CLOUDFRONT_KEY is not a private RSA key in PEM format.",
            'heroku config:set AWS_CLOUDFRONT_KEY="$(cat private_key.pem)"',
        )


def _sign_with_cryptography(pem: bytes) -> Callable[[bytes], bytes]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key: Any = load_pem_private_key(pem, password=None)
    # CloudFront takes no other hash.
    return lambda message: bytes(key.sign(message, padding.PKCS1v15(), hashes.SHA1()))  # noqa: S303


def _sign_with_rsa(pem: bytes) -> Callable[[bytes], bytes]:
    import rsa  # type: ignore[import-not-found]

    key = rsa.PrivateKey.load_pkcs1(pem)
    return lambda message: bytes(rsa.sign(message, key, "SHA-1"))
