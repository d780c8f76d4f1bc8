"""What a PUT of boto3's looks like, read off one that never leaves the process.

So another HTTP client can send the same to the same place, whatever the settings say
about endpoint, addressing, region, signature and checksums.
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
    """What the PUTs of one client into one bucket have in common."""

    is_secure: bool
    host: str  # with the port, unless it is the scheme's own
    folder: str  # the path above the key, quoted
    region: str  # that signs
    user_agent: str
    signs_body: bool
    has_checksum: bool  # CRC32

    @classmethod
    def of(cls, client: S3Client, bucket: str) -> PutTemplate | None:
        """Return the template of ``client``'s PUTs; None where they are not simple enough.

        Simple are a signature of version 4, the checksum CRC32 or none, no proxy, no client
        certificate, no directory bucket. Credentials that are due are refreshed.
        """
        config: Any = client.meta.config
        # Signing for a directory bucket asks S3 for a session first.
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
        """Where the keys lie."""
        return f"{'https' if self.is_secure else 'http'}://{self.host}{self.folder}"

    def path(self, key: str) -> str:
        """Return the path of an object, quoted as boto3 does it."""
        return self.folder + quote(key, safe="/~")

    def payload(self, body: bytes) -> str:
        """Return what the signature covers of the body."""
        return sha256(body).hexdigest() if self.signs_body else "UNSIGNED-PAYLOAD"

    def checksum(self, body: bytes) -> dict[str, str]:
        """Return the headers of the body's checksum, if the client sends one."""
        if not self.has_checksum:
            return {}
        checksum = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
        return {_CRC32: checksum, "x-amz-sdk-checksum-algorithm": "CRC32"}


class _NoBody:
    """The body of an answer that S3 never gave."""

    def stream(self) -> Iterator[bytes]:
        return iter(())


def _unsent(client: S3Client, bucket: str) -> AWSPreparedRequest | None:
    """Return the PUT of an empty object, signed; None if boto3 doesn't come as far as that."""
    from botocore.awsrequest import AWSResponse
    from botocore.compat import HTTPHeaders
    from botocore.exceptions import BotoCoreError, ClientError

    caught: list[AWSPreparedRequest] = []

    def catch(request: AWSPreparedRequest, **_: Any) -> Any:
        if not request.url.endswith(_KEY):
            return None  # another thread's
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
