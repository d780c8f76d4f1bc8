"""Where requests go: the project's settings, as far as `herokuify.s3` uses them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from herokuify.conf.addresses import without_logins

#: Amazon S3 User Guide, "Amazon S3 multipart upload limits".
SMALLEST_PART = 5 * 1024 * 1024  # bytes; the last part may be smaller
MOST_PARTS = 10_000


class Transfer(NamedTuple):
    """How large objects are sent: in parts, with one more part in memory than ``concurrency``."""

    threshold: int = 8 * 1024 * 1024  # bytes; smaller objects are sent in one request
    part_size: int = 8 * 1024 * 1024  # bytes
    concurrency: int = 3  # parts at a time

    @classmethod
    def of(cls, config: Any) -> Transfer:
        """Return boto3's ``TransferConfig`` within S3's limits; the defaults for None."""
        if config is None:
            return cls()
        return cls(
            threshold=config.multipart_threshold,
            part_size=max(config.multipart_chunksize, SMALLEST_PART),
            concurrency=max(1, config.max_request_concurrency) if config.use_threads else 1,
        )

    def for_size(self, size: int) -> Transfer:
        """Return a copy with parts large enough for an object of ``size`` bytes."""
        return self._replace(part_size=max(self.part_size, -(-size // MOST_PARTS)))


@dataclass(frozen=True)
class Destination:
    """A bucket and the options of boto3's clients for it."""

    storage: str  # the name of the storage's class, for messages
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
        """A copy with only the fields that connections depend on."""
        return replace(self, storage="", bucket="", transfer=Transfer())
