"""A template of boto3's PUT requests, taken from one that boto3 prepares but doesn't send.

With it, another HTTP client sends the same requests, whatever the settings are for endpoint,
addressing, region, signature and checksums.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from types_boto3_s3.client import S3Client

OPERATION = "PutObject"
_KEY = "herokuify-template"
_CRC32 = "x-amz-checksum-crc32"
_SCOPE = re.compile(r"AWS4-HMAC-SHA256 Credential=[^,]*/\d{8}/([^/,]+)/s3/aws4_request,")
_PORTS = {"http": 80, "https": 443}


class PutTemplate(NamedTuple):
    """What all PUTs of one client into one bucket have in common."""

    is_secure: bool
    host: str  # with the port, unless it is the scheme's own
    folder: str  # the path above the key, quoted
    region: str  # for the signature
    user_agent: str
    signs_body: bool
    has_checksum: bool  # CRC32

    @classmethod
    def of(cls, client: S3Client, bucket: str) -> PutTemplate | None:
        """Return the template of ``client``'s PUTs; None if they are not simple.

        Simple means: signature version 4, CRC32 or no checksum, no proxy, no client certificate,
        no directory bucket. Refreshes credentials that are about to expire.
        """
        config: Any = client.meta.config
        # For a directory bucket, boto3 first requests a session from S3.
        if config.proxies or config.client_cert or bucket.endswith("--x-s3"):
            return None
        request = _unsent(client, bucket)
        return None if request is None else cls._read(request)

    @classmethod
    def _read(cls, request: AWSPreparedRequest) -> PutTemplate | None:
        from botocore.utils import get_environ_proxies

        prepared: Any = request.headers
        headers = {
            name.lower(): value.decode() if isinstance(value, bytes) else str(value)
            for name, value in prepared.items()
        }
        url = urlsplit(request.url)
        scope = _SCOPE.match(headers.get("authorization", ""))
        # As a header, or after the body as a trailer.
        checksums = {name for name in headers if name.startswith("x-amz-checksum-")}
        checksums |= {headers["x-amz-trailer"]} if "x-amz-trailer" in headers else set()
        proxies: Any = get_environ_proxies(request.url)
        if scope is None or url.query or checksums - {_CRC32} or url.scheme in proxies:
            return None
        host = url.netloc.rpartition("@")[2]
        if url.port == _PORTS.get(url.scheme):
            host = host.removesuffix(f":{url.port}")
        return cls(
            is_secure=url.scheme == "https",
            host=host,
            folder=url.path.removesuffix(_KEY),
            region=scope[1],
            user_agent=headers["user-agent"],
            signs_body=headers["x-amz-content-sha256"] == sha256(b"").hexdigest(),
            has_checksum=bool(checksums),
        )

    @property
    def url(self) -> str:
        """The URL of the bucket, to which keys are appended."""
        return f"{'https' if self.is_secure else 'http'}://{self.host}{self.folder}"

    def path(self, key: str) -> str:
        """Return the path of an object, quoted as by boto3."""
        return self.folder + quote(key, safe="/~")

    def payload(self, body: bytes) -> str:
        """Return the value of ``x-amz-content-sha256``."""
        return sha256(body).hexdigest() if self.signs_body else "UNSIGNED-PAYLOAD"

    def checksum(self, body: bytes) -> dict[str, str]:
        """Return the headers of the body's checksum; none if the client sends no checksum."""
        if not self.has_checksum:
            return {}
        checksum = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
        return {_CRC32: checksum, "x-amz-sdk-checksum-algorithm": "CRC32"}


class _NoBody:
    """The empty body of a fake response."""

    def stream(self) -> Iterator[bytes]:
        return iter(())


def _unsent(client: S3Client, bucket: str) -> AWSPreparedRequest | None:
    """Return a signed PUT of an empty object; None if boto3 can't prepare it."""
    from botocore.awsrequest import AWSResponse
    from botocore.compat import HTTPHeaders
    from botocore.exceptions import BotoCoreError, ClientError

    caught: list[AWSPreparedRequest] = []

    def catch(request: AWSPreparedRequest, **_: Any) -> Any:
        if not request.url.endswith(_KEY):
            return None  # another thread's request
        caught.append(request)
        headers = HTTPHeaders.from_pairs([("ETag", f'"{"0" * 32}"')])
        return AWSResponse(request.url, 200, headers, _NoBody())

    event = f"before-send.s3.{OPERATION}"
    client.meta.events.register_first(event, catch)
    try:
        client.put_object(Bucket=bucket, Key=_KEY)
    except (BotoCoreError, ClientError):
        return None
    finally:
        client.meta.events.unregister(event, catch)
    return caught[0]
