"""Where requests go: all that this package knows of a project's settings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from herokuify.conf.addresses import without_logins

#: Amazon S3 User Guide, "Amazon S3 multipart upload limits".
SMALLEST_PART = 5 * 1024 * 1024  # bytes; the last part may be smaller
MOST_PARTS = 10_000


class Transfer(NamedTuple):
    """How large objects travel: in parts of 8 MB, three at a time, one more being read."""

    threshold: int = 8 * 1024 * 1024  # bytes; what is smaller goes in one request
    part_size: int = 8 * 1024 * 1024  # bytes
    concurrency: int = 3  # parts at a time

    @classmethod
    def of(cls, config: Any) -> Transfer:
        """Return what a ``TransferConfig`` of boto3's asks for, within what S3 takes."""
        if config is None:
            return cls()
        return cls(
            threshold=config.multipart_threshold,
            part_size=max(config.multipart_chunksize, SMALLEST_PART),
            concurrency=max(1, config.max_request_concurrency) if config.use_threads else 1,
        )

    def for_size(self, size: int) -> Transfer:
        """Return the same with parts large enough for an object of ``size`` bytes."""
        return self._replace(part_size=max(self.part_size, -(-size // MOST_PARTS)))


@dataclass(frozen=True)
class Destination:
    """A bucket, and how it is reached: the options of boto3's clients, by their meaning."""

    storage: str  # the class that asks, for messages
    bucket: str
    region: str | None = None
    endpoint_url: str | None = None
    access_key: str | None = None
    secret_key: str | None = None
    security_token: str | None = None
    session_profile: str | None = None
    use_ssl: bool = True
    verify: Any = None
    addressing_style: str | None = None
    signature_version: Any = "s3v4"
    proxies: tuple[tuple[str, str], ...] = ()
    client_config: Any = None  # a botocore Config, which wins over all others
    transfer: Transfer = field(default_factory=Transfer)
    is_signed: bool = True

    def __repr__(self) -> str:
        # Tracebacks and debuggers print reprs, and the fields hold secrets.
        return f"Destination({self.storage}: {self.bucket} at {self.endpoint})"

    @property
    def endpoint(self) -> str:
        """The service, for messages: its URL without a password."""
        if not self.endpoint_url:
            return "Amazon S3"
        return without_logins(self.endpoint_url)

    @property
    def connection(self) -> Destination:
        """The same without what makes no difference to a connection."""
        return replace(self, storage="", bucket="", transfer=Transfer())
