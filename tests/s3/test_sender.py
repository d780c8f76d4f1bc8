"""PUTs over urllib3: equal to boto3's, with as many retries."""

import hashlib
import os
import socket
import string
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from herokuify.s3.client import RetryProfile, connect
from herokuify.s3.destination import Destination
from herokuify.s3.errors import NotS3Error
from herokuify.s3.headers import http_headers
from herokuify.s3.sender import Sender
from tests import replay
from tests.replay import (
    ACCESS_DENIED,
    ERRORS,
    INTERNAL_ERROR,
    SLOW_DOWN,
    Answer,
    Document,
    Fault,
    Proxy,
    Request,
)
from tests.servers import S3Server, client_of
from tests.storage.helpers import NAMES

pytestmark = pytest.mark.no_django

#: A header that only boto3 sends.
BOTO3S = "amz-sdk-invocation-id"
QUICK = RetryProfile(attempts=3, connect_timeout=5, read_timeout=10, longest_pause=0)
#: A parameter that only boto3 can send.
NOT_SIMPLE = {"ChecksumAlgorithm": "SHA256"}


def make_destination(
    server: S3Server, bucket: str, url: str | None = None, **options: Any
) -> Destination:
    return Destination(
        storage="S3Test",
        bucket=bucket,
        region="us-east-1",
        endpoint_url=url or server.endpoint_url,
        access_key=server.access_key,
        secret_key=server.secret_key,
        addressing_style="path",
        **options,
    )


@pytest.fixture
def destination(moto: S3Server, moto_bucket: str, proxy: Proxy) -> Destination:
    """A bucket behind the proxy."""
    return make_destination(moto, moto_bucket, proxy.url)


def md5(body: bytes) -> str:
    """Return the ETag of an object that was sent in one request."""
    return hashlib.md5(body).hexdigest()


def stored(server: S3Server, bucket: str, key: str) -> bytes:
    return client_of(server).get_object(Bucket=bucket, Key=key)["Body"].read()


class TestPut:
    @pytest.mark.parametrize("name", NAMES)
    def test_any_name(self, s3: S3Server, bucket: str, name: str) -> None:
        parameters = {"ContentType": "text/x", "Metadata": {"a": "two  words"}}
        sender = Sender(make_destination(s3, bucket), QUICK)
        assert sender.put(name, b"content", parameters) == md5(b"content")
        assert stored(s3, bucket, name) == b"content"
        head = client_of(s3).head_object(Bucket=bucket, Key=name)
        assert head["ContentType"] == "text/x"
        assert list(head["Metadata"]) == ["a"]

    @pytest.mark.parametrize("size", [0, 1, 64 * 1024 - 1, 64 * 1024, 3_000_000])
    def test_sizes(self, s3: S3Server, bucket: str, size: int) -> None:
        body = os.urandom(size)
        Sender(make_destination(s3, bucket), QUICK).put("a.bin", body, {})
        assert stored(s3, bucket, "a.bin") == body

    @pytest.mark.parametrize("parameters", [{}, NOT_SIMPLE], ids=["signed", "boto3"])
    def test_existing_object_is_kept(
        self, destination: Destination, proxy: Proxy, parameters: Mapping[str, Any]
    ) -> None:
        sender = Sender(destination, QUICK)
        sender.put("a", b"1", parameters, only_new=True)
        with pytest.raises(ClientError, match="PreconditionFailed"):
            sender.put("a", b"2", parameters, only_new=True)
        sender.put("a", b"3", parameters)
        conditions = [request.headers.get("if-none-match") for request in proxy.requests]
        assert conditions == ["*", "*", None]
        is_boto3s = [BOTO3S in request.headers for request in proxy.requests]
        assert is_boto3s == [bool(parameters)] * 3

    def test_session_token(self, destination: Destination, proxy: Proxy, moto: S3Server) -> None:
        sender = Sender(
            make_destination(moto, destination.bucket, proxy.url, security_token="token"), QUICK
        )
        sender.put("a", b"1", {})
        (request,) = proxy.requests
        assert request.headers["x-amz-security-token"] == "token"
        assert "x-amz-security-token" in request.headers["authorization"]

    def test_many_threads(self, s3: S3Server, bucket: str) -> None:
        sender = Sender(make_destination(s3, bucket), QUICK._replace(connections=3))
        bodies = {str(number): os.urandom(1000 * number) for number in range(40)}
        with ThreadPoolExecutor(8) as pool:
            etags = list(pool.map(lambda key: sender.put(key, bodies[key], {}), bodies))
        assert etags == [md5(body) for body in bodies.values()]


class TestRetries:
    @pytest.mark.parametrize(
        "fault",
        [
            *(SLOW_DOWN, INTERNAL_ERROR, Fault.DROPPED, Fault.LOST),
            Answer(ERRORS, 429, "TooManyRequests", "Slow down."),
            Answer(ERRORS, 400, "RequestTimeout", "The socket was not read from in time."),
            # S3 may have sent the status 200 before the error occurred.
            Document(ERRORS, INTERNAL_ERROR.body),
        ],
        ids=["503", "500", "dropped", "lost", "429", "400", "200"],
    )
    @pytest.mark.parametrize("size", [7, 200_000])
    def test_temporary_errors_are_retried(
        self, destination: Destination, proxy: Proxy, moto: S3Server, fault: Any, size: int
    ) -> None:
        proxy.on("PutObject", fault, fault, None)
        body = os.urandom(size)
        assert Sender(destination, QUICK).put("a", body, {}) == md5(body)
        assert [request.body for request in proxy.requests] == [body] * 3
        assert not any(BOTO3S in request.headers for request in proxy.requests)
        assert stored(moto, destination.bucket, "a") == body

    @pytest.mark.parametrize(
        ("fault", "error"),
        [(SLOW_DOWN, ClientError), (Fault.DROPPED, ConnectionClosedError)],
        ids=["503", "dropped"],
    )
    def test_gives_up_after_the_last_attempt(
        self, destination: Destination, proxy: Proxy, fault: Any, error: type[Exception]
    ) -> None:
        proxy.on("PutObject", fault)
        with pytest.raises(error) as caught:
            Sender(destination, QUICK).put("a", b"1", {})
        assert len(proxy.requests) == QUICK.attempts
        if isinstance(caught.value, ClientError):
            metadata = caught.value.response["ResponseMetadata"]
            assert (metadata["HTTPStatusCode"], metadata["RetryAttempts"]) == (503, 2)

    @pytest.mark.parametrize("answer", [ACCESS_DENIED, replay.TAKEN, replay.NOT_IMPLEMENTED])
    def test_permanent_errors_are_not_retried(
        self, destination: Destination, proxy: Proxy, answer: Answer
    ) -> None:
        proxy.on("PutObject", answer)
        with pytest.raises(ClientError) as caught:
            Sender(destination, QUICK).put("a", b"1", {})
        assert caught.value.response["Error"]["Code"] == answer.code
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == answer.status
        assert caught.value.operation_name == "PutObject"
        assert len(proxy.requests) == 1

    def test_pauses_grow_and_are_bounded(
        self, destination: Destination, proxy: Proxy, no_pauses: list[float]
    ) -> None:
        profile = QUICK._replace(attempts=10, longest_pause=8)
        proxy.on("PutObject", *[SLOW_DOWN] * 9, None)
        Sender(destination, profile).put("a", b"1", {})
        limits = [0.5, 1, 2, 4, 8, 8, 8, 8, 8]
        assert len(no_pauses) == len(limits)
        assert all(0 <= pause <= most for pause, most in zip(no_pauses, limits, strict=True))

    def test_closed_port(self, moto: S3Server) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        sender = Sender(make_destination(moto, "bucket", f"http://127.0.0.1:{port}"), QUICK)
        with pytest.raises(EndpointConnectionError):
            sender.put("a", b"1", {})

    def test_silent_server(self, moto: S3Server) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = f"http://127.0.0.1:{server.getsockname()[1]}"
            sender = Sender(
                make_destination(moto, "bucket", url), QUICK._replace(read_timeout=0.1, attempts=2)
            )
            with pytest.raises(ReadTimeoutError):
                sender.put("a", b"1", {})

    def test_on_answer_is_called_for_responses_only(
        self, destination: Destination, proxy: Proxy
    ) -> None:
        proxy.on("PutObject", SLOW_DOWN, Fault.DROPPED, ACCESS_DENIED)
        answers: list[int] = []
        sender = Sender(destination, QUICK, on_answer=lambda: answers.append(1))
        with pytest.raises(ClientError):
            sender.put("a", b"1", {})
        assert len(answers) == 2


class TestAnswers:
    @pytest.mark.parametrize("parameters", [{}, NOT_SIMPLE], ids=["signed", "boto3"])
    def test_success_without_an_etag_is_an_error(
        self, destination: Destination, proxy: Proxy, parameters: Mapping[str, Any]
    ) -> None:
        proxy.on("PutObject", Document(ERRORS, b"<html>Welcome!</html>"))
        with pytest.raises(NotS3Error, match=r"without a valid ETag.*AWS_S3_ENDPOINT_URL"):
            Sender(destination, QUICK).put("a", b"1", parameters)
        assert len(proxy.requests) == 1

    @pytest.mark.parametrize(
        "answer",
        [replay.wrong_region("us-east-1", "eu-west-1"), replay.moved("eu-west-1")],
        ids=["400", "301"],
    )
    def test_boto3_follows_redirects(
        self, destination: Destination, proxy: Proxy, moto: S3Server, answer: Answer
    ) -> None:
        """To the bucket's region, and with the condition."""

        def rule(request: Request) -> Answer | None:
            is_right = "/eu-west-1/s3/" in request.headers["authorization"]
            return None if is_right else answer

        proxy.rule = rule
        etag = Sender(destination, QUICK).put("a", b"content", {}, only_new=True)
        assert etag == md5(b"content")
        assert BOTO3S not in proxy.requests[0].headers
        last = proxy.requests[-1]
        assert last.operation == "PutObject"
        assert BOTO3S in last.headers
        assert last.headers["if-none-match"] == "*"
        assert stored(moto, destination.bucket, "a") == b"content"


AWS = Destination(
    storage="S3Test",
    bucket="my-bucket",
    region="eu-west-1",
    access_key="AKIDEXAMPLE",
    secret_key="marked-secret",
    addressing_style="virtual",
)
VISIBLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40).filter(str.strip)
METADATA = st.dictionaries(
    st.text(string.ascii_letters + string.digits + "-_.", min_size=1, max_size=12),
    VISIBLE,
    max_size=4,
)
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "CacheControl": VISIBLE,
        "ContentDisposition": VISIBLE,
        "ContentEncoding": st.sampled_from(["gzip", "br", "identity"]),
        "ContentType": VISIBLE,
        "Metadata": METADATA,
    },
)


def sent_by_boto3(key: str, body: bytes, parameters: Mapping[str, Any]) -> AWSPreparedRequest:
    """Return the request that boto3 would send."""
    client = connect(AWS, QUICK)
    caught: list[AWSPreparedRequest] = []

    class NoBody:
        def stream(self) -> Iterator[bytes]:
            return iter(())

    def catch(request: AWSPreparedRequest, **_: Any) -> Any:
        caught.append(request)
        headers = HTTPHeaders.from_pairs([("ETag", f'"{"0" * 32}"')])
        return AWSResponse(request.url, 200, headers, NoBody())

    handler: Any = catch
    client.meta.events.register_first("before-send.s3.PutObject", handler)
    try:
        client.put_object(Bucket=AWS.bucket, Key=key, Body=body, **parameters)
    finally:
        client.meta.events.unregister("before-send.s3.PutObject", handler)
    return caught[0]


@pytest.mark.usefixtures("no_sockets")
class TestSignature:
    @hypothesis_settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60),
        body=st.binary(max_size=50),
        parameters=PARAMETERS,
        token=st.none() | st.text(string.ascii_letters + "/+=", min_size=1),
    )
    @example(key="//a/../b/./%2F ~+*'", body=b"", parameters={}, token=None)
    @example(key="a", body=b"", parameters={"Metadata": {"B": " x   y "}}, token="t")
    def test_equals_botocores(
        self, key: str, body: bytes, parameters: Mapping[str, Any], token: str | None
    ) -> None:
        signed = Sender(AWS, QUICK)._signed  # one for all examples
        assert signed is not None
        credentials = Credentials("AKIDEXAMPLE", "marked-secret", token)
        signed._credentials = credentials
        own = http_headers(parameters)
        assert own is not None
        path = signed._template.path(key)
        headers = signed._headers(path, body, own)

        expected: Any = sent_by_boto3(key, body, parameters)
        assert expected.url == f"https://{signed._template.host}{path}"
        for name, value in own.items():
            found = expected.headers[name]
            text = found.decode() if isinstance(found, bytes) else found
            # boto3 sends the checksum after the body, in chunks; Sender sends it before.
            assert text.removesuffix(",aws-chunked").strip() == value.strip()

        # All headers except those that are not signed.
        unsigned = {"authorization", "content-length", "user-agent"}
        request = AWSRequest("PUT", expected.url, data=body)
        for name, value in headers.items():
            if name not in unsigned:
                request.headers[name] = value
        request.context["timestamp"] = headers["x-amz-date"]
        auth = S3SigV4Auth(credentials, "s3", "eu-west-1")
        canonical = auth.canonical_request(request)
        signature = auth.signature(auth.string_to_sign(request, canonical), request)
        assert headers["authorization"] == (
            f"AWS4-HMAC-SHA256 Credential={auth.scope(request)}, "
            f"SignedHeaders={auth.signed_headers(auth.headers_to_sign(request))}, "
            f"Signature={signature}"
        )
        assert headers["content-length"] == str(len(body))
