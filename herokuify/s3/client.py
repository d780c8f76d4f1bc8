"""One boto3 client per process, configuration and retry profile."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, NamedTuple

from herokuify.exceptions import ConfigurationError
from herokuify.s3.answers import refuse_others
from herokuify.s3.destination import Destination

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.service_resource import S3ServiceResource


#: Seconds. Two attempts end before the router's 30 seconds.
COPY_TIMEOUT = 12


class RetryProfile(NamedTuple):
    """Timeouts, and the number of attempts.

    The limits apply to each request; AWS_S3_CLIENT_CONFIG overrides them.
    """

    attempts: int
    connect_timeout: float  # seconds
    read_timeout: float  # seconds without a byte
    longest_pause: float  # seconds between two attempts
    #: Whether a read is resumed after a timeout, instead of failing at once.
    resumes: bool = True
    connections: int = 64

    def pause(self, attempt: int) -> float:
        """Return the seconds to wait after a failed attempt; the first attempt is 1."""
        return random.uniform(0, min(self.longest_pause, 0.25 * 2**attempt))  # noqa: S311

    def for_copies(self) -> RetryProfile:
        """Return the profile for copies within S3: the response comes when the copy is done."""
        return self._replace(read_timeout=max(self.read_timeout, COPY_TIMEOUT))


#: In a web process: a request must end before the router's 30 s and gunicorn's timeout, and blocks
#: a thread meanwhile. An S3 that doesn't respond takes 9 s at most.
WEB = RetryProfile(attempts=2, connect_timeout=3, read_timeout=4, longest_pause=0.5, resumes=False)
#: In commands and workers: S3 recovers from SlowDown within seconds, and from a restart within a
#: minute.
PATIENT = RetryProfile(attempts=10, connect_timeout=10, read_timeout=60, longest_pause=20)
#: For collectstatic, which itself detects a dead network. The timeouts are long: waiting for the
#: response starts when the kernel has the body, and 8 MB can take that long on a slow line.
COLLECT = RetryProfile(attempts=10, connect_timeout=10, read_timeout=60, longest_pause=8)
#: For checking whether S3 works.
PROBE = RetryProfile(attempts=2, connect_timeout=3, read_timeout=5, longest_pause=1)


_serves_web = False


def serve_web(**_: Any) -> None:
    """Note that this process answers web requests; a receiver of ``request_started``."""
    global _serves_web  # noqa: PLW0603
    _serves_web = True


def current_profile() -> RetryProfile:
    """Return the profile of this process: WEB once it has answered a web request."""
    return WEB if _serves_web else PATIENT


class _Pool:
    """The connections of one process."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._made: dict[Hashable, Any] = {}
        self._lock = threading.RLock()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        # The lock is only for creation: boto3 sessions are not thread-safe, clients are.
        if key not in self._made:
            with self._lock:
                if key not in self._made:
                    self._made[key] = make()
        return self._made[key]


_pool = _Pool()
# On a socket shared with the parent process, each could read the other's responses.
os.register_at_fork(after_in_child=_pool.forget)


def connect(destination: Destination, profile: RetryProfile = PATIENT) -> S3Client:
    """Return the process's client for the destination, created at the first call; thread-safe."""
    client: S3Client = _connection("client", destination, profile)
    return client


def connect_resource(
    destination: Destination, profile: RetryProfile = PATIENT
) -> S3ServiceResource:
    """Return the process's boto3 resource, which takes longer to create than a client."""
    resource: S3ServiceResource = _connection("resource", destination, profile)
    return resource


def method_of(client: S3Client, operation: str) -> Callable[..., Any]:
    """Return the client's method for an operation, such as ``PutBucketPolicy``."""
    from botocore import xform_name

    method: Callable[..., Any] = getattr(client, xform_name(operation))
    return method


def session_of(destination: Destination) -> Any:
    """Return the process's botocore session with the destination's credentials."""
    kept = destination.connection
    return _pool.get(("session", kept), lambda: _make_session(kept))


def per_process(key: Hashable, make: Callable[[], Any]) -> Any:
    """Return the process's object for the key, created by ``make``; forks create their own."""
    return _pool.get(key, make)


def _connection(kind: str, destination: Destination, profile: RetryProfile) -> Any:
    kept = destination.connection
    return _pool.get((kind, kept, profile), lambda: _make(kind, kept, profile))


def _make_session(destination: Destination) -> Any:
    import botocore.session

    session = botocore.session.Session(profile=destination.session_profile)
    if destination.access_key and destination.secret_key and not destination.session_profile:
        session.set_credentials(
            destination.access_key, destination.secret_key, destination.security_token
        )
    return session


def _make_boto3_session(destination: Destination) -> Any:
    import boto3.session

    return boto3.session.Session(botocore_session=session_of(destination))


def _make(kind: str, destination: Destination, profile: RetryProfile) -> Any:
    from botocore.exceptions import BotoCoreError

    # One for all profiles: each boto3 session registers its handlers with botocore's session.
    session = _pool.get(("boto3", destination), lambda: _make_boto3_session(destination))
    try:
        made = getattr(session, kind)(
            "s3",
            region_name=destination.region,
            endpoint_url=destination.endpoint_url,
            use_ssl=destination.use_ssl,
            verify=destination.verify,
            config=_config(destination, profile),
        )
    except BotoCoreError:  # some are ValueErrors, too
        raise
    except ValueError as error:
        raise ConfigurationError(
            f"AWS_S3_ENDPOINT_URL can't be used: {error}. It must look like https://s3.example.com.",
            "heroku config:set AWS_S3_ENDPOINT_URL=…",
        ) from error
    client = made if kind == "client" else made.meta.client
    refuse_others(client.meta.events, destination)
    return made


def _config(destination: Destination, profile: RetryProfile) -> Any:
    import botocore
    from botocore.config import Config

    options: dict[str, Any] = {
        "connect_timeout": profile.connect_timeout,
        "read_timeout": profile.read_timeout,
        "retries": {"mode": "standard", "total_max_attempts": profile.attempts},
        "max_pool_connections": profile.connections,
        "s3": {"addressing_style": destination.addressing_style},
        "signature_version": destination.signature_version,
        "proxies": dict(destination.proxies) or None,
    }
    if destination.endpoint_url:
        # boto3 1.36 sends checksums by default that many S3-compatible services refuse.
        options["request_checksum_calculation"] = "when_required"
        options["response_checksum_validation"] = "when_required"
    config = Config(**options)
    if destination.client_config:
        config = config.merge(destination.client_config)
    if not destination.is_signed:
        config = config.merge(Config(signature_version=botocore.UNSIGNED))
    return config
