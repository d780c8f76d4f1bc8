"""Connections: how a storage reaches S3, and what must be set before it can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.functional import cached_property
from storages.backends.s3 import S3Storage

from herokuify.classic import complaint, ignored_settings
from herokuify.exceptions import ConfigurationError
from herokuify.storage.client import HURRIED, NO_CONFIG, PROBING, Connection
from herokuify.storage.errors import Target

if TYPE_CHECKING:
    from botocore.config import Config
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.service_resource import Bucket, S3ServiceResource


class ConnectedStorage(S3Storage):
    """django-storages' backend over the connections of the process, which all storages share."""

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        if self.client_config is NO_CONFIG:
            del state["client_config"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({"client_config": NO_CONFIG, **state})

    @property
    def connection(self) -> S3ServiceResource:
        """The process's boto3 resource for this configuration."""
        return self._connect(signed=True)

    @property
    def unsigned_connection(self) -> S3ServiceResource:
        """A boto3 resource that signs nothing, for public URLs."""
        return self._connect(signed=False)

    @property
    def client(self) -> S3Client:
        """The process's boto3 client for this configuration; thread-safe."""
        return self.connection.meta.client

    @property
    def bucket(self) -> Bucket:
        """A boto3 resource of the bucket, made anew: it must not outlive a fork."""
        return self.connection.Bucket(self.bucket_name)

    def check_configuration(self) -> None:
        """Raise ConfigurationError when the settings show that this storage can't work.

        Offline. Runs as a system check, and again before S3 is asked for anything:
        `compress` runs no system checks.
        """
        name = type(self).__name__
        if ignored := ignored_settings():
            message, hint = complaint(ignored)
            raise ConfigurationError(f"{message} {hint}")
        if not self.bucket_name:
            raise ConfigurationError(
                f"AWS_STORAGE_BUCKET_NAME is not set, and {name} needs it to reach S3. "
                "heroku config:set AWS_STORAGE_BUCKET_NAME=…"
            )
        if bool(self.access_key) != bool(self.secret_key):
            missing = "AWS_SECRET_ACCESS_KEY" if self.access_key else "AWS_ACCESS_KEY_ID"
            raise ConfigurationError(
                f"{missing} is not set, and {name} needs both parts of the key to reach S3. "
                f"heroku config:set {missing}=…"
            )

    @property
    def hurried_client(self) -> S3Client:
        """A client that gives up early, for a caller that retries by itself."""
        return self._connection(signed=True, pace=HURRIED).open_client()

    @property
    def probing_client(self) -> S3Client:
        """A client that answers within seconds, be it with an error."""
        return self._connection(signed=True, pace=PROBING).open_client()

    def _connect(self, *, signed: bool) -> S3ServiceResource:
        return self._connection(signed=signed).open()

    def _connection(self, *, signed: bool, pace: Config | None = None) -> Connection:
        self.check_configuration()
        return Connection(
            access_key=self.access_key,
            secret_key=self.secret_key,
            security_token=self.security_token,
            session_profile=self.session_profile,
            region_name=self.region_name,
            endpoint_url=self.endpoint_url,
            use_ssl=self.use_ssl,
            verify=self.verify,
            addressing_style=self.addressing_style or self._usual_addressing_style(),
            signature_version=self.signature_version,
            proxies=tuple(sorted((self.proxies or {}).items())),
            client_config=self.client_config,
            signed=signed,
            pace=pace,
        )

    def _usual_addressing_style(self) -> str | None:
        # botocore's "auto" signs URLs for the host without a region, which redirects
        # browsers away from the signature. TLS certificates don't cover buckets with dots.
        return None if self.endpoint_url or "." in self.bucket_name else "virtual"

    @cached_property
    def target(self) -> Target:
        """Where this storage's requests go, for messages."""
        return Target(
            storage=type(self).__name__,
            bucket=str(self.bucket_name),
            endpoint=self.endpoint_url or "Amazon S3",
            region=self.region_name,
        )
