"""One boto3 connection per process and configuration."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3.session
import botocore
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from herokuify.exceptions import ConfigurationError

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.service_resource import S3ServiceResource

CONNECT_TIMEOUT = 10  # seconds
READ_TIMEOUT = 60  # seconds
#: Tries of one request. botocore's default of 3 (5 in legacy mode) gives up within a
#: second of SlowDown; ten, with its exponential pauses, outlast a minute.
ATTEMPTS = 10
POOL_SIZE = 64

#: Stands for "no AWS_S3_CLIENT_CONFIG": one object, so that equal storages share a client.
NO_CONFIG = Config()

#: For a caller that tries again by itself. The time-outs stay: on a slow line, a body of 8 MB
#: takes as long to arrive, and botocore waits for the answer from when the kernel has it.
HURRIED = Config(retries={"mode": "standard", "total_max_attempts": 5})
#: For a caller that wants to know whether it works, and not to make it work.
PROBING = Config(
    connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2}
)


class _Pool:
    """The connections of one process."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._made: dict[Hashable, Any] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        # A lock for the making only: boto3 sessions are not thread-safe, clients are.
        if key not in self._made:
            with self._lock:
                if key not in self._made:
                    self._made[key] = make()
        return self._made[key]


_pool = _Pool()
# A socket shared with the parent process mixes up both sides' answers.
os.register_at_fork(after_in_child=_pool.forget)


class Connection(NamedTuple):
    """Everything that makes one S3 client differ from another."""

    access_key: str | None
    secret_key: str | None
    security_token: str | None
    session_profile: str | None
    region_name: str | None
    endpoint_url: str | None
    use_ssl: bool
    verify: Any
    addressing_style: str | None
    signature_version: str | None
    proxies: tuple[tuple[str, str], ...]
    client_config: Config
    signed: bool
    pace: Config | None = None

    def __repr__(self) -> str:
        # The fields hold secrets, and tracebacks and debuggers print reprs.
        return f"Connection(region={self.region_name!r}, endpoint={self.endpoint_url!r})"

    def open(self) -> S3ServiceResource:
        """The boto3 resource of this process for the configuration, made at the first call."""
        resource: S3ServiceResource = _pool.get(self, lambda: self._connect("resource"))
        return resource

    def open_client(self) -> S3Client:
        """Likewise a client alone, which is made in half the time."""
        client: S3Client = _pool.get((self, "client"), lambda: self._connect("client"))
        return client

    def _connect(self, kind: str) -> Any:
        if self.session_profile:
            session = boto3.session.Session(profile_name=self.session_profile)
        else:
            session = boto3.session.Session(
                aws_access_key_id=self.access_key,
                aws_secret_access_key=self.secret_key,
                aws_session_token=self.security_token,
            )
        make = session.client if kind == "client" else session.resource
        try:
            return make(
                "s3",
                region_name=self.region_name,
                endpoint_url=self.endpoint_url,
                use_ssl=self.use_ssl,
                verify=self.verify,
                config=self._config(),
            )
        except BotoCoreError:  # some are ValueErrors, too
            raise
        except ValueError as error:
            raise ConfigurationError(
                f"AWS_S3_ENDPOINT_URL can't be used: {error}. It must be like "
                "https://s3.example.com. heroku config:set AWS_S3_ENDPOINT_URL=…"
            ) from error

    def _config(self) -> Config:
        options: dict[str, Any] = {
            "connect_timeout": CONNECT_TIMEOUT,
            "read_timeout": READ_TIMEOUT,
            "retries": {"mode": "standard", "total_max_attempts": ATTEMPTS},
            "max_pool_connections": POOL_SIZE,
            "s3": {"addressing_style": self.addressing_style},
            "signature_version": self.signature_version,
            "proxies": dict(self.proxies) or None,
        }
        if self.endpoint_url:
            # boto3 1.36 sends checksums by default that many S3-compatible services refuse.
            options["request_checksum_calculation"] = "when_required"
            options["response_checksum_validation"] = "when_required"
        config = Config(**options).merge(self.client_config)
        if self.pace:
            config = config.merge(self.pace)
        if not self.signed:
            config = config.merge(Config(signature_version=botocore.UNSIGNED))
        return config
