import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    SSLError,
)

from herokuify.collect import crt
from herokuify.collect.crt import CrtTransport, LeftToBotoError
from herokuify.collect.upload import is_transient
from tests.collect.recorder import Recorder, certificate, md5, recording
from tests.collect.test_blueprint import make_client, no_proxies  # noqa: F401 (a fixture)
from tests.fault_proxy import Silence, for_keys, shaky
from tests.replay import (
    ACCESS_DENIED,
    ERRORS,
    EXPIRED_TOKEN,
    INTERNAL_ERROR,
    SLOW_DOWN,
    Answer,
    Document,
    Fault,
    Proxy,
    Request,
    moved,
    replay,
    wrong_region,
)
from tests.servers import S3Server

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

awscrt = pytest.importorskip("awscrt")
pytestmark = [pytest.mark.crt, pytest.mark.no_django]

TIMEOUT = 60  # seconds; nothing here needs as much
NAMES = [
    "css/site.css",
    "with space.txt",
    "umlaut-äöü-日本-🎉.png",
    "percent%41%2F.txt",
    "plus+hash#question?and&equals=.txt",
    "~tilde-_.!*'()",
    'quote"back\\slash<pipe|caret^tick`{brace}[bracket];:@$,',
    "tab\tin the name",
    "double//slash",
]
HEADERS = {
    "content-type": "text/css",
    "cache-control": "public, max-age=31536000, immutable",
    "content-encoding": "gzip",
    "x-amz-meta-note": "two  spaces",
}


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


class Making:
    """Makes transports, and closes them at the end of the test."""

    def __init__(self) -> None:
        self.made: list[CrtTransport] = []

    def __call__(self, client: "S3Client", bucket: str = "example") -> CrtTransport:
        transport = CrtTransport.create(client, bucket, concurrency=64)
        assert transport is not None
        self.made.append(transport)
        return transport


@pytest.fixture
def make_transport() -> Iterator[Making]:
    making = Making()
    yield making
    for transport in making.made:
        transport.close()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


class TestPut:
    @pytest.mark.parametrize("checksums", ["when_required", "when_supported"])
    def test_objects_are_what_boto3_makes_of_them(
        self, s3: S3Server, bucket: str, make_transport: Making, checksums: Any
    ) -> None:
        path: Any = {"addressing_style": "path"}
        client = s3.client(config=Config(s3=path, request_checksum_calculation=checksums))
        transport = make_transport(client, bucket)
        bodies = {name: os.urandom(8000) for name in NAMES} | {"empty": b"", "large": b"1" * 7**8}
        futures = {name: transport.put(name, body, HEADERS) for name, body in bodies.items()}
        etags = {name: future.result(TIMEOUT) for name, future in futures.items()}
        assert etags == {name: md5(body) for name, body in bodies.items()}
        listed = {item["Key"] for item in client.list_objects_v2(Bucket=bucket)["Contents"]}
        assert listed == set(bodies)
        for name, body in bodies.items():
            stored = client.get_object(Bucket=bucket, Key=name)
            assert stored["Body"].read() == body
            assert stored["ContentType"] == "text/css"
            assert stored["CacheControl"] == "public, max-age=31536000, immutable"
            assert stored["ContentEncoding"] == "gzip"
            assert stored["Metadata"] == {"note": "two  spaces"}

    def test_targets_are_boto3s(self, recorder: Recorder, make_transport: Making) -> None:
        client = make_client(f"{recorder.url}/below", request_checksum_calculation="when_required")
        transport = make_transport(client)
        for name in NAMES:
            client.put_object(Bucket="example", Key=name, Body=b"")
            transport.put(name, b"", {}).result(TIMEOUT)
            boto, own = recorder.puts[-2:]
            assert own.target == boto.target
            assert own.headers["host"] == boto.headers["host"]

    def test_sends_the_body_as_it_is(self, recorder: Recorder, make_transport: Making) -> None:
        transport = make_transport(
            make_client(recorder.url, request_checksum_calculation="when_required")
        )
        transport.put("name", b"body", HEADERS).result(TIMEOUT)
        (put,) = recorder.puts
        assert put.body == b"body"
        assert {name: put.headers[name] for name in HEADERS} == HEADERS
        assert put.headers["content-length"] == "4"
        assert put.headers["x-amz-content-sha256"] == sha256(b"body").hexdigest()
        unwanted = ("checksum", "trailer", "md5", "transfer-encoding", "expect")
        assert not [name for name in put.headers if any(word in name for word in unwanted)]

    def test_sends_a_checksum_where_boto3_does(
        self, recorder: Recorder, make_transport: Making
    ) -> None:
        make_transport(make_client(recorder.url)).put("name", b"123456789", {}).result(TIMEOUT)
        (put,) = recorder.puts
        assert put.headers["x-amz-checksum-crc32"] == "y/Q5Jg=="
        assert put.headers["x-amz-sdk-checksum-algorithm"] == "CRC32"
        assert "x-amz-trailer" not in put.headers

    def test_has_a_connection_for_each(self, recorder: Recorder, make_transport: Making) -> None:
        together = threading.Barrier(64)
        recorder.before_answer = lambda: together.wait(TIMEOUT)
        transport = make_transport(make_client(recorder.url))
        futures = [transport.put(f"{number}", b"body", {}) for number in range(64)]
        assert {future.result(TIMEOUT) for future in futures} == {md5(b"body")}

    @pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
    def test_goes_to_ipv6(self, make_transport: Making) -> None:
        with recording("::1") as recorder:
            make_transport(make_client(recorder.url)).put("name", b"", {}).result(TIMEOUT)
            assert recorder.puts[0].headers["host"] == recorder.netloc

    def test_takes_what_has_no_etag(self, moto: S3Server, make_transport: Making) -> None:
        with replay(moto.endpoint_url) as proxy:
            proxy.on("PutObject", Document(ERRORS, b""))
            transport = make_transport(make_client(proxy.url))
            assert transport.put("name", b"", {}).result(TIMEOUT) == ""

    @pytest.mark.parametrize("name", ["", "AWS_ERROR_S3_SLOW_DOWN"])
    def test_answers_may_come_at_once(
        self, recorder: Recorder, make_transport: Making, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """Before awscrt has returned from the call that sends."""

        def make_request(_: Any, *, on_headers: Any, on_done: Any, **__: Any) -> object:
            if name:
                error = awscrt.exceptions.AwsCrtError(code=0, name=name, message="")
                on_done(error=error, error_headers=None, error_body=None, status_code=None)
            else:
                on_headers(status_code=200, headers=[("Date", "today"), ("Etag", '"value"')])
                on_done(error=None, status_code=200)
            return object()

        transport = make_transport(make_client(recorder.url))
        monkeypatch.setattr(awscrt.s3.S3Client, "make_request", make_request)
        future = transport.put("name", b"body", {})
        assert future.done()
        if name:
            assert isinstance(future.exception(), ClientError)
        else:
            assert future.result() == "value"
        transport.close()  # has nothing to cancel


class TestTls:
    def test_trusts_what_boto3_is_told_to(self, tmp_path: Path, make_transport: Making) -> None:
        path, context = certificate(tmp_path)
        with recording(context=context) as recorder:
            for verify in (str(path), False):
                transport = make_transport(make_client(recorder.url, verify=verify))
                assert transport.put("name", b"body", {}).result(TIMEOUT) == md5(b"body")
            assert recorder.puts[0].headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"

    def test_trusts_nobody_else(
        self, tmp_path: Path, make_transport: Making, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # After a certificate that it doesn't trust, awscrt rests for 10 to 30 s on purpose.
        monkeypatch.setattr(crt, "CLOSING", 0.1)
        _, context = certificate(tmp_path)
        with recording(context=context) as recorder:
            transport = make_transport(make_client(recorder.url))
            done = transport.put("name", b"body", {})
            time.sleep(1)
            assert recorder.puts == []
            assert not done.done()

    def test_folder_of_certificates(self, tmp_path: Path, make_transport: Making) -> None:
        make_transport(make_client("https://127.0.0.1:1", verify=str(tmp_path)))

    @pytest.mark.parametrize("content", [None, "no certificate"])
    def test_unreadable_certificates_are_boto3s_to_explain(
        self, tmp_path: Path, content: str | None
    ) -> None:
        path = tmp_path / "ca.pem"
        if content is not None:
            path.write_text(content)
        # boto3 itself reads the file with its first request over TLS.
        transport = CrtTransport.create(
            make_client("https://127.0.0.1:1", verify=str(path)), "example", concurrency=1
        )
        assert transport is None


class TestCreate:
    def test_is_none_without_awscrt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "awscrt", None)
        assert CrtTransport.create(make_client(), "example", concurrency=1) is None

    def test_is_none_with_an_old_awscrt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(awscrt, "__version__", "0.23.8")
        assert CrtTransport.create(make_client(), "example", concurrency=1) is None

    def test_is_none_for_settings_it_cannot_honour(self) -> None:
        client = make_client(proxies={"https": "http://127.0.0.1:3128"})
        assert CrtTransport.create(client, "example", concurrency=1) is None


class TestCredentials:
    """Temporary ones, due for a refresh at every look."""

    @pytest.fixture
    def tokens(self) -> list[str]:
        return ["at first"]

    @pytest.fixture
    def client(self, recorder: Recorder, tokens: list[str]) -> "S3Client":
        def refresh() -> dict[str, str]:
            if not tokens:
                raise CredentialRetrievalError(provider="test", error_msg="none left")
            expiry = datetime.now(timezone.utc) + timedelta(minutes=1)
            return {
                "access_key": "key",
                "secret_key": "secret",
                "token": tokens.pop(0),
                "expiry_time": expiry.isoformat(),
            }

        credentials = RefreshableCredentials.create_from_metadata(refresh(), refresh, "test")
        client: Any = make_client(recorder.url)
        client._request_signer._credentials = credentials
        checked: S3Client = client
        return checked

    def test_are_refreshed(
        self,
        client: "S3Client",
        tokens: list[str],
        recorder: Recorder,
        make_transport: Making,
    ) -> None:
        tokens += ["for the blueprint", "second", "third"]
        transport = make_transport(client)
        for _ in range(2):
            transport.put("name", b"", {}).result(TIMEOUT)
        used = [put.headers["x-amz-security-token"] for put in recorder.puts]
        assert used == ["second", "third"]

    def test_that_cannot_be_refreshed_are_named(
        self,
        client: "S3Client",
        tokens: list[str],
        recorder: Recorder,
        make_transport: Making,
    ) -> None:
        tokens.append("for the blueprint")
        transport = make_transport(client)
        # Between 15 and 10 minutes before they expire botocore would use the old ones.
        with pytest.raises(CredentialRetrievalError, match="none left"):
            transport.put("name", b"", {}).result(TIMEOUT)
        assert recorder.puts == []


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[Proxy]:
    """Stands between the transport and each server."""
    with replay(s3.endpoint_url) as proxy:
        yield proxy


class TestFaults:
    @pytest.fixture
    def sender(
        self, s3: S3Server, bucket: str, proxy: Proxy, make_transport: Making
    ) -> CrtTransport:
        return make_transport(s3.client(endpoint_url=proxy.url), bucket)

    def test_that_pass(self, sender: CrtTransport, proxy: Proxy) -> None:
        proxy.on("PutObject", SLOW_DOWN, Fault.DROPPED, Fault.LOST, INTERNAL_ERROR, None)
        assert sender.put("name", b"body", {}).result(TIMEOUT) == md5(b"body")
        assert proxy.operations == ["PutObject"] * 5

    def test_in_numbers(
        self, s3: S3Server, bucket: str, sender: CrtTransport, proxy: Proxy
    ) -> None:
        proxy.rule = shaky(1)
        bodies = {f"{number}.txt": f"{number}".encode() for number in range(200)}
        futures = {name: sender.put(name, body, {}) for name, body in bodies.items()}
        etags = {name: future.result(TIMEOUT) for name, future in futures.items()}
        assert etags == {name: md5(body) for name, body in bodies.items()}
        listed = s3.client().list_objects_v2(Bucket=bucket)["Contents"]
        assert {item["Key"]: item["ETag"].strip('"') for item in listed} == etags
        assert len(proxy.requests) > len(bodies)


def test_missing_bucket(s3: S3Server, bucket_name: str, make_transport: Making) -> None:
    transport = make_transport(s3.client(), bucket_name)
    with pytest.raises(ClientError, match="NoSuchBucket") as caught:
        transport.put("name", b"", {}).result(TIMEOUT)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


class TestAnswers:
    """What a server that only ever refuses is made to say."""

    @pytest.fixture
    def proxy(self, moto: S3Server) -> Iterator[Proxy]:
        with replay(moto.endpoint_url) as proxy:
            yield proxy

    @pytest.fixture
    def boto(self, proxy: Proxy) -> "S3Client":
        return make_client(proxy.url)

    @pytest.fixture
    def sender(self, boto: "S3Client", make_transport: Making) -> CrtTransport:
        return make_transport(boto)

    @pytest.mark.parametrize(
        "answer",
        [
            ACCESS_DENIED,
            EXPIRED_TOKEN,
            Answer(ERRORS, 409, "OperationAborted", "Try again.", {"BucketName": "example"}),
            Answer(ERRORS, 412, "PreconditionFailed", "At least one did not hold."),
        ],
        ids=lambda answer: answer.code,
    )
    def test_refusals_are_boto3s(
        self, boto: "S3Client", sender: CrtTransport, proxy: Proxy, answer: Answer
    ) -> None:
        proxy.on("PutObject", answer)
        with pytest.raises(ClientError) as expected:
            boto.put_object(Bucket="example", Key="name", Body=b"")
        proxy.requests.clear()
        with pytest.raises(ClientError) as found:
            sender.put("name", b"", {}).result(TIMEOUT)
        assert str(found.value) == str(expected.value)
        assert found.value.operation_name == expected.value.operation_name
        assert found.value.response["Error"] == expected.value.response["Error"]
        metadata = found.value.response["ResponseMetadata"]
        assert metadata["HTTPStatusCode"] == answer.status
        assert metadata["HTTPHeaders"]["content-type"] == "application/xml"
        assert len(proxy.requests) == 1
        assert not is_transient(found.value)

    def test_success_that_turns_out_an_error(self, sender: CrtTransport, proxy: Proxy) -> None:
        proxy.on("PutObject", Answer(ERRORS, 200, "Whatever", "It went wrong."))
        with pytest.raises(ClientError, match="Whatever") as caught:
            sender.put("name", b"", {}).result(TIMEOUT)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
        assert is_transient(caught.value)

    @pytest.mark.parametrize(
        "answer",
        [moved("eu-west-1"), wrong_region("us-east-1", "eu-west-1")],
        ids=lambda answer: answer.code,
    )
    def test_redirects_are_left_to_boto3(
        self, sender: CrtTransport, proxy: Proxy, answer: Answer
    ) -> None:
        proxy.on("PutObject", answer)
        with pytest.raises(LeftToBotoError, match=answer.code) as caught:
            sender.put("name", b"", {}).result(TIMEOUT)
        assert is_transient(caught.value)

    def test_headers_beyond_ascii_are_left_to_boto3(
        self, sender: CrtTransport, proxy: Proxy
    ) -> None:
        future = sender.put("name", b"", {"content-disposition": 'filename="ü.txt"'})
        with pytest.raises(LeftToBotoError, match="ASCII"):
            future.result(TIMEOUT)
        assert proxy.requests == []

    def test_what_awscrt_refuses_is_left_to_boto3(
        self, sender: CrtTransport, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any, **__: Any) -> None:
            raise RuntimeError("34 (AWS_ERROR_INVALID_ARGUMENT)")

        monkeypatch.setattr(awscrt.s3.S3Client, "make_request", refuse)
        with pytest.raises(LeftToBotoError, match="INVALID_ARGUMENT"):
            sender.put("name", b"", {}).result(TIMEOUT)


def test_faults_that_last(moto: S3Server, make_transport: Making) -> None:
    """All at once, because awscrt takes its time to give up."""
    answers: dict[str, Any] = {
        "slow": SLOW_DOWN,
        "broken": INTERNAL_ERROR,
        "dropped": Fault.DROPPED,
    }
    rules = [for_keys([key], answer) for key, answer in answers.items()]

    def rule(request: Request) -> Any:
        return next(answer for each in rules if (answer := each(request)))

    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with replay(moto.endpoint_url) as proxy:
        proxy.rule = rule
        transport = make_transport(make_client(proxy.url))
        futures = {key: transport.put(key, b"", {}) for key in answers}
        refused = make_transport(make_client(nobody)).put("name", b"", {})
        errors = {key: future.exception(TIMEOUT) for key, future in futures.items()}
    for key, code, status in [("slow", "SlowDown", 503), ("broken", "InternalError", 500)]:
        error = errors[key]
        assert isinstance(error, ClientError)
        assert error.response["Error"]["Code"] == code
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert isinstance(errors["dropped"], HTTPClientError | EndpointConnectionError)
    assert isinstance(refused.exception(TIMEOUT), EndpointConnectionError)
    everything = [*errors.values(), refused.exception()]
    assert all(error is not None and is_transient(error) for error in everything)
    tries = [request.path.rpartition("/")[2] for request in proxy.requests]
    assert {key: tries.count(key) for key in answers} == dict.fromkeys(answers, 6)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("AWS_ERROR_S3_REQUEST_TIMEOUT", ClientError),
        ("AWS_ERROR_S3_REQUEST_TIME_TOO_SKEWED", ClientError),
        ("AWS_ERROR_S3_CANCELED", CancelledError),
        ("AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE", SSLError),
        ("AWS_IO_DNS_INVALID_NAME", EndpointConnectionError),
        ("AWS_IO_SOCKET_TIMEOUT", EndpointConnectionError),
        ("AWS_ERROR_HTTP_CHANNEL_THROUGHPUT_FAILURE", HTTPClientError),
    ],
)
def test_names_of_errors(name: str, kind: type[Exception]) -> None:
    error = awscrt.exceptions.AwsCrtError(code=0, name=name, message="what happened")
    assert type(crt._boto_error(error, "https://s3.test/")) is kind


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, b"<Error><Code>AccessDenied</Code></Error>", ClientError),
        (502, b"<html>Bad gateway</html>", ClientError),
        (403, b"", ClientError),
        (307, b"", LeftToBotoError),
        (400, b"<Error><Code>AuthorizationHeaderMalformed</Code></Error>", LeftToBotoError),
    ],
)
def test_answers(status: int, body: bytes, kind: type[Exception]) -> None:
    error = awscrt.exceptions.AwsCrtError(code=0, name="AWS_ERROR_S3_ANY", message="")
    found = crt._boto_error(
        error, "https://s3.test/", status_code=status, error_headers=[], error_body=body
    )
    assert type(found) is kind


def test_exceptions_of_pythons_own() -> None:
    error = crt._boto_error(MemoryError("no more"), "https://s3.test/")
    assert isinstance(error, HTTPClientError)
    assert "no more" in str(error)


class TestClose:
    @pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
    def test_ends_the_threads(self, recorder: Recorder) -> None:
        def threads() -> int:
            return len(list(Path("/proc/self/task").iterdir()))

        client = make_client(recorder.url)
        before = threads()
        transport = CrtTransport.create(client, "example", concurrency=64)
        assert transport is not None
        assert before < threads() <= before + 4
        transport.close()
        deadline = time.monotonic() + 10
        while threads() > before and time.monotonic() < deadline:
            time.sleep(0.01)
        assert threads() <= before

    def test_cancels_what_hangs(self, moto: S3Server) -> None:
        silence = Silence(0)
        with replay(moto.endpoint_url) as proxy:
            proxy.rule = silence
            transport = CrtTransport.create(make_client(proxy.url), "example", concurrency=64)
            assert transport is not None
            futures = [transport.put(f"{number}", b"body", {}) for number in range(64)]
            while len(proxy.requests) < len(futures):
                time.sleep(0.01)
            start = time.monotonic()
            transport.close()
            assert time.monotonic() - start < crt.CLOSING
            errors = [future.exception(TIMEOUT) for future in futures]
            silence.end()
        assert {type(error) for error in errors} == {CancelledError}
        assert not any(is_transient(error) for error in errors if error)

    def test_is_final(self, recorder: Recorder, make_transport: Making) -> None:
        transport = make_transport(make_client(recorder.url))
        transport.close()
        transport.close()
        with pytest.raises(CancelledError):
            transport.put("name", b"", {}).result(TIMEOUT)
        assert recorder.puts == []


SCRIPT = """
import re, sys, threading
import django.conf, django.core.management, compressor, storages.backends.s3
import boto3
from herokuify.collect.crt import CrtTransport
url, count, size, ending = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
client = boto3.client(
    "s3", endpoint_url=url, region_name="us-east-1",
    aws_access_key_id="key", aws_secret_access_key="secret",
)
transport = CrtTransport.create(client, "example", concurrency=64)
slots = threading.Semaphore(64)
for number in range(count):
    slots.acquire()
    future = transport.put(f"{number}.css", bytes([number % 256]) * size, {})
    future.add_done_callback(lambda done: (done.result(), slots.release()))
if ending != "at once":
    for _ in range(64):
        slots.acquire()
if ending == "close":
    transport.close()
# Not getrusage's: that counts the process that started this one.
with open("/proc/self/status") as status:
    print(re.search(r"VmHWM:\\s+(\\d+) kB", status.read())[1])
"""


def run(url: str, *arguments: str) -> float:
    """Run the script in a process of its own; returns its peak memory in MB."""
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, url, *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stderr == ""
    assert process.returncode == 0
    return int(process.stdout) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
class TestProcess:
    @pytest.mark.parametrize(("count", "size"), [(2000, 8000), (200, 512 * 1024)])
    def test_is_small(self, recorder: Recorder, count: int, size: int) -> None:
        recorder.before_answer = recorder.puts.clear
        under_way = 64 * size / 1024**2
        # 68 MB are Django and boto3; a body is there twice.
        assert run(recorder.url, str(count), str(size), "close") < 100 + 2 * under_way

    @pytest.mark.parametrize("ending", ["close", "drained", "at once"])
    def test_ends(self, recorder: Recorder, ending: str) -> None:
        run(recorder.url, "40", "8000", ending)

    def test_ends_while_requests_hang(self, recorder: Recorder) -> None:
        end = threading.Event()
        recorder.before_answer = end.wait
        run(recorder.url, "40", "8000", "at once")
        end.set()
