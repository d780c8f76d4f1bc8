"""The fastest way to S3 that this installation and these settings have."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from herokuify.collect.crt import CrtTransport
from herokuify.collect.transport import Transport
from herokuify.storage.headers import http_headers

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


class _HeaderTransport:
    """AWS's C client, which takes headers, behind the interface that takes parameters."""

    def __init__(self, crt: CrtTransport) -> None:
        self._crt = crt

    def put(self, key: str, body: bytes, parameters: Mapping[str, Any]) -> Future[str]:
        return self._crt.put(key, body, http_headers(parameters))

    def close(self) -> None:
        self._crt.close()


def fast_transport(client: S3Client, bucket: str, concurrency: int) -> Transport | None:
    """AWS's C client where it is installed and can honour the settings; else None."""
    crt = CrtTransport.create(client, bucket, concurrency=concurrency)
    return None if crt is None else _HeaderTransport(crt)
