"""AWS's client in C (awscrt, which ``boto3[crt]`` installs) as a transport for small objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, Future
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    SSLError,
)
from botocore.httpsession import get_cert_path
from botocore.parsers import create_parser

from herokuify.collect.blueprint import OPERATION, Blueprint

if TYPE_CHECKING:
    from awscrt.auth import AwsSigningConfig
    from awscrt.io import TlsConnectionOptions
    from awscrt.s3 import S3Client as CrtClient
    from awscrt.s3 import S3Request
    from botocore.credentials import Credentials
    from types_boto3_s3.client import S3Client

OLDEST = (0, 24)  # before, awscrt's S3 client ignored the endpoint's port
THREADS = 1  # a second event loop costs more CPU time than it saves
GBPS_PER_CONNECTION = 0.4  # awscrt opens connections for a throughput, ten at least
CLOSING = 5.0  # seconds that the client's threads have to end
#: What S3 has answered where awscrt, having tried again, says so by a name of its own alone.
_ANSWERS = {
    "AWS_ERROR_S3_SLOW_DOWN": (503, "SlowDown"),
    "AWS_ERROR_S3_INTERNAL_ERROR": (500, "InternalError"),
    "AWS_ERROR_S3_REQUEST_TIMEOUT": (400, "RequestTimeout"),
    "AWS_ERROR_S3_REQUEST_TIME_TOO_SKEWED": (403, "RequestTimeTooSkewed"),
}
_CANCELLED = "AWS_ERROR_S3_CANCELED"
_REDIRECTS = {"AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect"}


class LeftToBotoError(HTTPClientError):
    """AWS's C client can't do this, and boto3 can."""

    fmt = "AWS's C client leaves this to boto3: {error}"


class CrtTransport:
    """PUTs through awscrt's S3 client, for a sixth of the CPU time that boto3 takes.

    A body is in memory twice while it is sent. awscrt itself tries five times more after an
    answer of 500 or 503 or none at all, with pauses of 15 s at the most in all. It doesn't
    support forks: create and close this in the process that uses it.
    """

    def __init__(self, client: CrtClient, blueprint: Blueprint, credentials: Credentials) -> None:
        self._client: CrtClient | None = client
        self._blueprint = blueprint
        self._credentials = credentials
        self._under_way: dict[Future[str], S3Request] = {}

    @classmethod
    def create(cls, client: S3Client, bucket: str, *, concurrency: int) -> CrtTransport | None:
        """A transport that does as ``client`` does, with ``concurrency`` connections.

        None without awscrt, and where the client's settings ask for more than ``Blueprint``
        holds, or for certificates that awscrt can't read.
        """
        try:
            import awscrt
            from awscrt import io, s3
        except ImportError:
            return None
        if tuple(map(int, awscrt.__version__.split(".")[:2])) < OLDEST:
            return None
        blueprint = Blueprint.of(client, bucket)
        if blueprint is None:
            return None
        # botocore has the certificates and the credentials nowhere in public.
        inner: Any = client
        try:
            tls = _tls(inner._endpoint.http_session._verify) if blueprint.is_secure else None  # noqa: SLF001
        except (OSError, RuntimeError):
            return None
        loops = io.EventLoopGroup(THREADS)
        mode = s3.S3RequestTlsMode
        crt = s3.S3Client(
            bootstrap=io.ClientBootstrap(loops, io.DefaultHostResolver(loops)),
            region=blueprint.region,
            tls_mode=mode.ENABLED if blueprint.is_secure else mode.DISABLED,
            tls_connection_options=tls,
            throughput_target_gbps=concurrency * GBPS_PER_CONNECTION,
        )
        return cls(crt, blueprint, inner._get_credentials())  # noqa: SLF001

    def put(self, key: str, body: bytes, headers: Mapping[str, str]) -> Future[str]:
        """Start a PUT; the future has the ETag without quotes, or what boto3 would raise.

        That is ClientError for S3's answer, EndpointConnectionError, SSLError or
        HTTPClientError without one, LeftToBotoError where boto3 may succeed, and
        CancelledError after ``close``. The future is set in a thread of awscrt's.
        """
        done: Future[str] = Future()
        done.set_running_or_notify_cancel()
        try:
            self._start(done, key, body, headers)
        except (BotoCoreError, CancelledError) as error:
            done.set_exception(error)
        except RuntimeError as error:  # awscrt's, before it has sent anything
            # Its text alone: its traceback would keep the client alive after ``close``.
            done.set_exception(LeftToBotoError(error=str(error)))
        return done

    def close(self) -> None:
        """Cancel what is under way, and end the client's threads."""
        if self._client is not None:
            is_shut_down = self._client.shutdown_event
            self._client = None
            self._cancel()
            is_shut_down.wait(CLOSING)

    def _cancel(self) -> None:
        for request in list(self._under_way.values()):
            request.cancel()

    def _start(self, done: Future[str], key: str, body: bytes, headers: Mapping[str, str]) -> None:
        from awscrt import http, s3

        if self._client is None:
            raise CancelledError("the transport is closed")
        if not all(value.isascii() for value in headers.values()):
            raise LeftToBotoError(error="a header has other characters than ASCII")
        etags: list[str] = []

        def on_headers(headers: Sequence[tuple[str, str]], **_: Any) -> None:
            etags.extend(value for name, value in headers if name.lower() == "etag")

        def on_done(error: Exception | None, **answer: Any) -> None:
            if error is None:
                done.set_result("".join(etags).strip('"'))
            else:
                done.set_exception(_boto_error(error, self._blueprint.url, **answer))
            self._under_way.pop(done, None)

        self._under_way[done] = self._client.make_request(
            # PUT_OBJECT would ask for memory in parts, and cost more.
            type=s3.S3RequestType.DEFAULT,
            operation_name=OPERATION,
            request=http.HttpRequest(
                "PUT",
                self._blueprint.path(key),
                http.HttpHeaders([*self._blueprint.headers(body), *headers.items()]),
                BytesIO(body),
            ),
            signing_config=self._signing(body),
            on_headers=on_headers,
            on_done=on_done,
        )
        if done.done():  # before it was noted as under way
            self._under_way.pop(done, None)

    def _signing(self, body: bytes) -> AwsSigningConfig:
        from awscrt import auth

        # Asked each time, so that temporary keys are refreshed.
        keys = self._credentials.get_frozen_credentials()
        return auth.AwsSigningConfig(
            algorithm=auth.AwsSigningAlgorithm.V4,
            signature_type=auth.AwsSignatureType.HTTP_REQUEST_HEADERS,
            credentials_provider=auth.AwsCredentialsProvider.new_static(
                keys.access_key, keys.secret_key, keys.token
            ),
            region=self._blueprint.region,
            service="s3",
            use_double_uri_encode=False,
            should_normalize_uri_path=False,
            signed_body_header_type=auth.AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
            signed_body_value=sha256(body).hexdigest()
            if self._blueprint.signs_body
            else auth.AwsSignedBodyValue.UNSIGNED_PAYLOAD,
        )


def _tls(verify: Any) -> TlsConnectionOptions:
    """Options that trust what boto3's ``verify`` says: its bundle, a path's, or anyone."""
    from awscrt import io

    options = io.TlsContextOptions()
    path = get_cert_path(verify)
    if not path:
        options.verify_peer = False
    elif Path(path).is_dir():
        options.override_default_trust_store_from_path(ca_dirpath=path)
    else:
        options.override_default_trust_store_from_path(ca_filepath=path)
    return io.ClientTlsContext(options).new_connection_options()


def _boto_error(
    error: Exception,
    url: str,
    *,
    status_code: int | None = None,
    error_headers: Sequence[tuple[str, str]] | None = None,
    error_body: bytes | None = None,
    **_: Any,
) -> Exception:
    """What boto3 would raise for an error of awscrt's."""
    name = str(getattr(error, "name", ""))
    if status_code is not None and error_headers is not None:
        return _answered(status_code, dict(error_headers), error_body or b"")
    if name in _ANSWERS:
        status, code = _ANSWERS[name]
        return _answered(status, {}, f"<Error><Code>{code}</Code></Error>".encode())
    if name == _CANCELLED:
        return CancelledError()
    if name.startswith("AWS_IO_TLS_"):
        return SSLError(endpoint_url=url, error=error)
    if name.startswith(("AWS_IO_DNS_", "AWS_IO_SOCKET_")):
        return EndpointConnectionError(endpoint_url=url, error=error)
    return HTTPClientError(error=error)


def _answered(status: int, headers: dict[str, str], body: bytes) -> Exception:
    # S3 may say 200 and add an error; botocore takes that for a 500.
    answer = {"status_code": status if status > 300 else 500, "headers": headers, "body": body}
    parser: Any = create_parser("rest-xml")
    parsed = parser.parse(answer, None)  # the shape of a success, which errors don't have
    if status in {301, 302, 307, 308} or parsed["Error"]["Code"] in _REDIRECTS:
        return LeftToBotoError(error=f"a redirect, {status} {parsed['Error']['Code']}")
    return ClientError(parsed, OPERATION)
