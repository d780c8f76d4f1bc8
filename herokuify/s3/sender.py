"""Send an object in one request: a signed PUT over urllib3, or one through boto3.

A PUT through boto3 takes about three times as much CPU. The template is a request prepared by
boto3; anything that is not simple goes through boto3.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from herokuify.s3.answers import confirm
from herokuify.s3.client import RetryProfile, connect, per_process, session_of
from herokuify.s3.destination import Destination
from herokuify.s3.errors import is_transient
from herokuify.s3.headers import http_headers
from herokuify.s3.signing import Signer
from herokuify.s3.template import OPERATION, PutTemplate

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

#: Bytes; a larger body is sent in blocks, so that the timeout applies to each block.
BLOCKS_FROM = 64 * 1024
_REDIRECTS = {"AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect"}


class Sender:
    """Puts objects into one bucket, with the retries of the profile; thread-safe.

    Don't share it across a fork. It is cheap to create, because all senders of a process share
    their connections. ``on_answer`` is called for each error response: S3 is reachable.
    """

    def __init__(
        self,
        destination: Destination,
        profile: RetryProfile,
        on_answer: Callable[[], None] = lambda: None,
    ) -> None:
        self._destination = destination
        self._profile = profile
        self._on_answer = on_answer

    def put(
        self, key: str, body: bytes, parameters: Mapping[str, Any], *, only_new: bool = False
    ) -> str:
        """Put an object; return its ETag without quotes.

        ``parameters`` are those of boto3's ``put_object``. With ``only_new`` the request is
        conditional: S3 responds with 412 if the object exists. Raises botocore's errors, and
        NotS3Error for a response that doesn't come from S3.
        """
        headers = http_headers(parameters)
        signed = self._signed if headers is not None else None
        if signed is None or headers is None:
            return self._put_by_boto3(key, body, parameters, only_new=only_new)
        if only_new:
            headers["if-none-match"] = "*"
        # Imported only now: a process that writes nothing doesn't need botocore.
        from botocore.exceptions import ClientError

        for attempt in range(1, self._profile.attempts + 1):
            try:
                return signed.put(key, body, headers)
            except _RedirectError:
                return self._put_by_boto3(key, body, parameters, only_new=only_new)
            except Exception as error:
                if isinstance(error, ClientError):
                    self._on_answer()
                if attempt == self._profile.attempts or not is_transient(error):
                    _count(error, attempt)
                    raise
            time.sleep(self._profile.pause(attempt))
        raise AssertionError("unreachable: there is at least one attempt")

    def _put_by_boto3(
        self, key: str, body: bytes, parameters: Mapping[str, Any], *, only_new: bool
    ) -> str:
        condition = {"IfNoneMatch": "*"} if only_new else {}
        # Bytes would be sent in one call, to which the timeout for connecting applies.
        answer: Any = connect(self._destination, self._profile).put_object(
            Bucket=self._destination.bucket,
            Key=key,
            Body=io.BytesIO(body),
            **cast(Any, {**parameters, **condition}),
        )
        return str(answer["ETag"]).strip('"')

    @cached_property
    def _signed(self) -> _SignedPut | None:
        destination, profile = self._destination, self._profile
        key = "signed put", destination.connection, destination.bucket, profile
        found: _SignedPut | None = per_process(key, lambda: _SignedPut.of(destination, profile))
        return found


class _RedirectError(Exception):
    """S3 redirects this request; boto3 can follow."""


def _count(error: Exception, attempts: int) -> None:
    """Record the number of attempts where boto3 does, for the error's message."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):
        response.setdefault("ResponseMetadata", {})["RetryAttempts"] = attempts - 1


class _SignedPut:
    """Sends PUTs as in a template, over urllib3; one attempt each."""

    def __init__(
        self, destination: Destination, pool: Any, template: PutTemplate, credentials: Any
    ) -> None:
        self._destination = destination
        self._pool = pool
        self._template = template
        self._credentials = credentials
        self._signer: Signer | None = None

    @classmethod
    def of(cls, destination: Destination, profile: RetryProfile) -> _SignedPut | None:
        """Return one for the destination; None if only boto3 can send there."""
        client = connect(destination, profile)
        template = PutTemplate.of(client, destination.bucket)
        if template is None:
            return None
        pool = _pool(template, _verify(destination), client)
        return cls(
            destination.connection, pool, template, session_of(destination).get_credentials()
        )

    def put(self, key: str, body: bytes, own: Mapping[str, str]) -> str:
        """Send a PUT; return the ETag. Raise botocore's errors, and NotS3Error."""
        from botocore import exceptions as botos
        from urllib3 import exceptions as urllib3s

        template = self._template
        path = template.path(key)
        headers = self._headers(path, body, own)
        data: Any = body if len(body) < BLOCKS_FROM else io.BytesIO(body)
        url = template.url
        try:
            answer = self._pool.urlopen(
                "PUT", path, body=data, headers=headers, retries=False, redirect=False
            )
        except urllib3s.SSLError as error:
            if _is_untrusted(error):
                raise botos.SSLError(endpoint_url=url, error=error) from error
            raise botos.ConnectionClosedError(endpoint_url=url, error=error) from error
        except urllib3s.NewConnectionError as error:
            raise botos.EndpointConnectionError(endpoint_url=url, error=error) from error
        except urllib3s.ConnectTimeoutError as error:
            raise botos.ConnectTimeoutError(endpoint_url=url, error=error) from error
        except urllib3s.ReadTimeoutError as error:
            raise botos.ReadTimeoutError(endpoint_url=url, error=error) from error
        except urllib3s.ProtocolError as error:
            raise botos.ConnectionClosedError(
                endpoint_url=url, error=error, request=None
            ) from error
        except (urllib3s.HTTPError, OSError) as error:
            raise botos.HTTPClientError(error=error) from error
        confirm(self._destination, OPERATION, answer.status, answer.headers, answer.data)
        if answer.status == 200 and not answer.data.strip():
            return str(answer.headers["ETag"]).strip('"')
        raise _refusal(answer.status, dict(answer.headers), answer.data)

    def _headers(self, path: str, body: bytes, own: Mapping[str, str]) -> dict[str, str]:
        template = self._template
        # Each time, so that temporary keys are refreshed.
        keys = self._credentials.get_frozen_credentials()
        signer = self._signer
        if signer is None or signer.access_key != keys.access_key:
            signer = self._signer = Signer(keys.access_key, keys.secret_key, template.region)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        payload = template.payload(body)
        headers = {
            "host": template.host,
            "x-amz-content-sha256": payload,
            "x-amz-date": stamp,
            **template.checksum(body),
            **own,
        }
        if keys.token:
            headers["x-amz-security-token"] = keys.token
        headers["authorization"] = signer.authorization("PUT", path, headers, payload, stamp)
        headers["content-length"] = str(len(body))
        headers["user-agent"] = template.user_agent
        return headers


def _pool(template: PutTemplate, verify: Any, client: S3Client) -> Any:
    """Return a connection pool with the client's timeouts, certificates and size."""
    import urllib3
    from botocore.httpsession import create_urllib3_context, get_cert_path

    config: Any = client.meta.config
    options: dict[str, Any] = {
        "maxsize": config.max_pool_connections,
        "block": True,
        "timeout": urllib3.Timeout(connect=config.connect_timeout, read=config.read_timeout),
    }
    host, port = _host_and_port(template.host)
    if not template.is_secure:
        return urllib3.HTTPConnectionPool(host, port, **options)
    context = create_urllib3_context()
    path = get_cert_path(verify)
    if not path:
        context.check_hostname = False
        context.verify_mode = 0
        options["cert_reqs"] = "CERT_NONE"
    else:
        # Once for all connections, because reading a bundle of certificates takes 20 ms.
        is_folder = os.path.isdir(path)  # noqa: PTH112
        context.load_verify_locations(**{"capath" if is_folder else "cafile": path})
        options["cert_reqs"] = "CERT_REQUIRED"
    return urllib3.HTTPSConnectionPool(host, port, ssl_context=context, **options)


def _host_and_port(address: str) -> tuple[str, int | None]:
    host, separator, port = address.rpartition(":")
    if separator and port.isdigit():
        return host, int(port)
    return address, None


def _verify(destination: Destination) -> Any:
    """Return boto3's ``verify``: the option, the configured bundle, or True for its default."""
    if destination.verify is not None:
        return destination.verify
    bundle = session_of(destination).get_config_variable("ca_bundle")
    return bundle or os.environ.get("REQUESTS_CA_BUNDLE") or True


def _is_untrusted(error: BaseException | None) -> bool:
    """Return whether a certificate was not trusted; else the connection broke."""
    import ssl

    while error is not None:
        reason = error.args[0] if error.args else None
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        if isinstance(reason, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _refusal(status: int, headers: Mapping[str, str], body: bytes) -> Exception:
    """Return the error that boto3 would raise for a response."""
    from botocore.exceptions import ClientError
    from botocore.parsers import create_parser

    # S3 may respond with 200 and an error in the body; botocore turns that into a 500.
    answer = {"status_code": status if status > 300 else 500, "headers": headers, "body": body}
    parser: Any = create_parser("rest-xml")
    parsed = parser.parse(answer, None)  # the shape of a success, which errors don't have
    if status in {301, 302, 307, 308} or parsed["Error"]["Code"] in _REDIRECTS:
        return _RedirectError()
    return ClientError(parsed, OPERATION)
