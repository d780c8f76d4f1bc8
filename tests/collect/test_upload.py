"""The uploader by itself, on fakes: what is bounded, what is tried again, what is kept."""

import hashlib
import io
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from herokuify.collect import silence, upload
from herokuify.collect.local import LARGE, ChangedError, Content, LocalFile, Stage
from herokuify.collect.silence import SilentError
from herokuify.collect.upload import GaveUpError, Sent, Uploader, is_transient

pytestmark = pytest.mark.no_django


def local_file(
    name: str, content: bytes | Content = b"content", *, is_gzipped: bool = False
) -> LocalFile:
    return LocalFile(
        name=name,
        key=f"static/{name}",
        stage=Stage.PLAIN,
        content=content if isinstance(content, Content) else Content.of_bytes(content),
        parameters={"ContentType": "text/css"},
        is_gzipped=is_gzipped,
    )


def client_error(code: str, status: int) -> ClientError:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "PutObject")


SLOW_DOWN = client_error("SlowDown", 503)
DENIED = client_error("AccessDenied", 403)
CUT = EndpointConnectionError(endpoint_url="http://127.0.0.1")


def etag(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()


class FakeTransport:
    """Holds each PUT until it is answered by hand, or answers with ``plan`` at once."""

    def __init__(self, plan: Callable[[str, int], Exception | None] | None = None) -> None:
        self.plan = plan
        self.puts: list[tuple[str, bytes, Mapping[str, Any]]] = []
        self.open: dict[str, Future[str]] = {}
        self.is_closed = False

    def put(self, key: str, body: bytes, parameters: Mapping[str, Any]) -> Future[str]:
        self.puts.append((key, body, parameters))
        future: Future[str] = Future()
        if self.plan is None:
            self.open[key] = future
            return future
        error = self.plan(key, sum(put[0] == key for put in self.puts))
        if error is None:
            future.set_result(etag(body))
        else:
            future.set_exception(error)
        return future

    def close(self) -> None:
        self.is_closed = True


class FakeClient:
    """boto3's part: what the uploader asks it instead of the transport."""

    def __init__(self) -> None:
        self.puts: list[dict[str, Any]] = []
        self.heads: list[str] = []
        self.head: Any = client_error("404", 404)
        self.failures: list[Exception] = []

    def put_object(self, **parameters: Any) -> Any:
        if self.failures:
            raise self.failures.pop(0)
        parameters["Body"] = parameters["Body"].read()
        self.puts.append(parameters)
        return {"ETag": f'"{etag(parameters["Body"])}"'}

    def head_object(self, **parameters: Any) -> Any:
        self.heads.append(parameters["Key"])
        if isinstance(self.head, Exception):
            raise self.head
        return self.head

    def upload_fileobj(self, body: Any, bucket: str, key: str, **options: Any) -> None:
        if self.failures:
            raise self.failures.pop(0)
        data = body.read()
        options["Callback"](len(data))
        self.puts.append({"Bucket": bucket, "Key": key, "Body": data, **options["ExtraArgs"]})
        self.head = {"ETag": f'"{etag(data)}-2"'}


Make = Callable[..., Uploader]


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def make(client: FakeClient, no_pauses: None) -> Iterator[Make]:
    made: list[Uploader] = []

    def make(transport: FakeTransport | None = None, concurrency: int = 64) -> Uploader:
        fake: Any = client
        uploader = Uploader(
            fake, "bucket", concurrency=concurrency, make_transport=lambda: transport
        )
        made.append(uploader)
        return uploader

    yield make
    for uploader in made:
        uploader.close()


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class TestBounds:
    def test_by_count(self, make: Make) -> None:
        transport = FakeTransport()
        uploader = make(transport, concurrency=3)
        thread = in_thread(
            lambda: [uploader.submit(local_file(f"{number}")) for number in range(7)]
        )
        wait_for(lambda: len(transport.puts) == 3)
        time.sleep(0.05)
        assert len(transport.puts) == 3
        transport.open["static/1"].set_result("e")
        wait_for(lambda: len(transport.puts) == 4)
        for number in (0, 2, 3, 4, 5, 6):
            wait_for(lambda key=f"static/{number}": key in transport.open)  # type: ignore[misc]
            transport.open[f"static/{number}"].set_result("e")
        thread.join(5)
        uploader.drain()
        assert len(uploader.sent) == 7

    def test_by_bytes(self, make: Make) -> None:
        transport = FakeTransport()
        uploader = make(transport)
        third = bytes(upload.BYTES_IN_FLIGHT // 3)
        thread = in_thread(
            lambda: [uploader.submit(local_file(f"{number}", third)) for number in range(5)]
        )
        wait_for(lambda: len(transport.puts) == 3)
        time.sleep(0.05)
        assert len(transport.puts) == 3
        transport.open["static/0"].set_result("e")
        wait_for(lambda: len(transport.puts) == 4)
        for number in (1, 2, 3, 4):
            wait_for(lambda key=f"static/{number}": key in transport.open)  # type: ignore[misc]
            transport.open[f"static/{number}"].set_result("e")
        thread.join(5)
        assert len(uploader.sent) == 5

    def test_a_large_file_travels_alone(self, make: Make, client: FakeClient) -> None:
        transport = FakeTransport()
        uploader = make(transport)
        uploader.submit(local_file("small"))
        opened = threading.Event()

        def opener() -> io.BytesIO:
            opened.set()
            return io.BytesIO(bytes(3 * LARGE))

        large = local_file("large", Content.of_file(opener))
        opened.clear()
        thread = in_thread(lambda: [uploader.submit(large), uploader.submit(local_file("next"))])
        assert not opened.wait(0.1)
        transport.open["static/small"].set_result("e")
        assert opened.wait(5)
        wait_for(lambda: "static/next" in transport.open)
        transport.open["static/next"].set_result("e")
        thread.join(5)
        uploader.drain()
        assert len(client.puts[0]["Body"]) == 3 * LARGE
        assert uploader.sent["static/large"] == Sent(f"{etag(bytes(3 * LARGE))}-2", 3 * LARGE)


TRANSIENT = [
    SLOW_DOWN,
    client_error("InternalError", 500),
    client_error("ServiceUnavailable", 503),
    client_error("BadGateway", 502),
    client_error("GatewayTimeout", 504),
    client_error("TooManyRequests", 429),
    client_error("RequestTimeout", 400),
    CUT,
    ConnectionClosedError(endpoint_url="http://127.0.0.1"),
    ReadTimeoutError(endpoint_url="http://127.0.0.1"),
]
LASTING = [
    DENIED,
    client_error("NoSuchBucket", 404),
    client_error("ExpiredToken", 400),
    client_error("RequestTimeTooSkewed", 403),
    NoCredentialsError(),
    ParamValidationError(report="x"),
    FileNotFoundError("x"),
]


class TestRetries:
    @pytest.mark.parametrize("error", TRANSIENT, ids=str)
    def test_passing_errors(self, make: Make, client: FakeClient, error: Exception) -> None:
        assert is_transient(error)
        transport = FakeTransport(lambda key, attempt: error)
        client.failures = [error] * 2
        uploader = make(transport)
        uploader.submit(local_file("a"))
        uploader.drain()
        assert uploader.failures == {}
        assert uploader.sent == {"static/a": Sent(etag(b"content"), 7)}
        # Once by the transport, then by boto3, which may know another way.
        assert len(transport.puts) == 1
        assert len(client.puts) == 1
        assert uploader.requests == 4

    @pytest.mark.parametrize("error", LASTING, ids=str)
    def test_lasting_errors(self, make: Make, client: FakeClient, error: Exception) -> None:
        assert not is_transient(error)
        transport = FakeTransport(lambda key, attempt: error if key == "static/a" else None)
        uploader = make(transport)
        for name in "abc":
            uploader.submit(local_file(name))
        uploader.drain()
        assert uploader.failures == {"static/a": error}
        assert uploader.sent.keys() == {"static/b", "static/c"}
        assert client.puts == []

    def test_end(self, make: Make, client: FakeClient) -> None:
        transport = FakeTransport(lambda key, attempt: SLOW_DOWN)
        client.failures = [SLOW_DOWN] * 100
        uploader = make(transport)
        uploader.submit(local_file("a"))
        uploader.drain()
        assert uploader.failures == {"static/a": SLOW_DOWN}
        assert 100 - len(client.failures) == upload.ATTEMPTS - 1

    def test_large_files(self, make: Make, client: FakeClient) -> None:
        client.failures = [SLOW_DOWN, CUT]
        uploader = make()
        data = bytes(LARGE)
        large = local_file("large", Content.of_file(lambda: io.BytesIO(data)))
        uploader.submit(large)
        uploader.drain()
        assert uploader.sent == {"static/large": Sent(f"{etag(data)}-2", LARGE)}

    def test_large_file_that_changed(self, make: Make) -> None:
        uploader = make()
        large = Content(LARGE, "of what it was", None, lambda: io.BytesIO(bytes(LARGE)))
        uploader.submit(local_file("large", large))
        uploader.drain()
        assert isinstance(uploader.failures["static/large"], ChangedError)

    def test_pauses_grow_up_to_a_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Timer:
            def __init__(self, pause: float, work: Callable[[], None]) -> None:
                pauses.append(pause)
                self.work = work

            def start(self) -> None:
                self.work()

        pauses: list[float] = []
        monkeypatch.setattr(upload.threading, "Timer", Timer)
        monkeypatch.setattr(upload.random, "uniform", lambda low, high: high)
        monkeypatch.setattr(upload, "ATTEMPTS", 9)
        fake: Any = FakeClient()
        fake.failures = [SLOW_DOWN] * 9
        uploader = Uploader(fake, "bucket", concurrency=1)
        uploader.submit(local_file("a"))
        uploader.drain()
        uploader.close()
        assert pauses == [0.25, 0.5, 1, 2, 4, 8, 8, 8]

    def test_file_that_cannot_be_read(self, make: Make) -> None:
        def opener() -> Any:
            raise PermissionError("no")

        uploader = make(FakeTransport(lambda key, attempt: None))
        uploader.submit(local_file("a", Content(7, "d", None, opener)))
        uploader.submit(local_file("b"))
        uploader.submit(local_file("large", Content(LARGE, "d", None, opener)))
        uploader.drain()
        assert uploader.sent.keys() == {"static/b"}
        assert {type(error) for error in uploader.failures.values()} == {PermissionError}


class TestGivingUp:
    def test_after_many_failures(self, make: Make) -> None:
        transport = FakeTransport(lambda key, attempt: DENIED)
        uploader = make(transport, concurrency=4)
        for number in range(upload.FAILURES + 50):
            uploader.submit(local_file(f"{number}"))
        uploader.drain()
        assert len(transport.puts) == upload.FAILURES
        assert len(uploader.failures) == upload.FAILURES + 50
        gave_up = [e for e in uploader.failures.values() if isinstance(e, GaveUpError)]
        assert len(gave_up) == 50

    def test_after_silence(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(silence, "SILENCE", 0.3)
        transport = FakeTransport()
        uploader = make(transport, concurrency=2)
        started = time.monotonic()
        for number in range(6):
            uploader.submit(local_file(f"{number}"))
        uploader.drain()
        assert time.monotonic() - started < 3  # one silence for all, not one for each
        assert len(transport.puts) == 2
        assert [type(error) for error in uploader.failures.values()] == [
            *[SilentError] * 2,
            *[GaveUpError] * 4,
        ]
        # An answer that comes too late changes nothing.
        transport.open["static/0"].set_result("e")
        transport.open["static/1"].set_exception(SLOW_DOWN)
        time.sleep(0.05)
        assert uploader.sent == {}
        assert len(transport.puts) == 2

    def test_not_while_anything_is_heard(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(silence, "SILENCE", 0.5)
        transport = FakeTransport()
        uploader = make(transport)
        for number in range(5):
            uploader.submit(local_file(f"{number}"))
        thread = in_thread(uploader.drain)
        for number in range(5):
            time.sleep(0.25)
            transport.open[f"static/{number}"].set_result("e")
        thread.join(5)
        assert len(uploader.sent) == 5

    def test_not_for_the_time_without_work(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(silence, "SILENCE", 0.3)
        transport = FakeTransport()
        uploader = make(transport)
        time.sleep(0.5)
        uploader.submit(local_file("a"))
        thread = in_thread(uploader.drain)
        time.sleep(0.05)
        transport.open["static/a"].set_result("e")
        thread.join(5)
        assert uploader.failures == {}

    def test_a_slow_line_is_not_silent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """All that is under way arrives at once, at the end: it must not be too much."""
        monkeypatch.setattr(silence, "SILENCE", 1.5)
        rate = 8 * 1024 * 1024  # bytes a second; the bound must be seen against SILENCE
        lock = threading.Lock()
        pending = 0

        class Line(FakeClient):
            def put_object(self, **parameters: Any) -> Any:
                nonlocal pending
                size = len(parameters["Body"].getvalue())
                with lock:
                    pending += size
                time.sleep(0.1)
                time.sleep(pending / rate)
                with lock:
                    pending -= size
                return {"ETag": '"e"'}

        fake: Any = Line()
        uploader = Uploader(fake, "bucket", concurrency=64)
        for number in range(40):
            uploader.submit(local_file(f"{number}", bytes(500_000)))
        uploader.drain()
        uploader.close()
        assert uploader.failures == {}


class TestAsking:
    def head(self, body: bytes, **more: Any) -> dict[str, Any]:
        return {"ETag": f'"{etag(body)}"', "ContentType": "text/css", "Metadata": {}, **more}

    def test_same_object_is_kept(self, make: Make, client: FakeClient) -> None:
        client.head = self.head(b"content")
        uploader = make()
        uploader.submit(local_file("a"), ask=True)
        uploader.drain()
        assert uploader.sent == {"static/a": Sent(etag(b"content"), 0, is_kept=True)}
        assert (client.heads, client.puts, uploader.requests) == (["static/a"], [], 1)

    @pytest.mark.parametrize(
        "head",
        [
            {"ETag": '"f"', "ContentType": "text/css"},
            {"ETag": f'"{etag(b"content")}"', "ContentType": "text/html"},
            client_error("404", 404),
        ],
    )
    def test_other_object_is_sent(self, make: Make, client: FakeClient, head: Any) -> None:
        client.head = head
        uploader = make()
        uploader.submit(local_file("a"), ask=True)
        uploader.drain()
        assert uploader.sent == {"static/a": Sent(etag(b"content"), 7)}
        assert len(client.puts) == 1
        assert uploader.requests == 2

    def test_refusal_fails(self, make: Make, client: FakeClient) -> None:
        client.head = client_error("403", 403)
        uploader = make()
        uploader.submit(local_file("a"), ask=True)
        uploader.drain()
        assert uploader.failures == {"static/a": client.head}
        assert client.puts == []

    def test_gzipped_object_is_kept(self, make: Make, client: FakeClient) -> None:
        body = b"a { color: red }\n" * 100
        first = make()
        first.submit(local_file("a", body, is_gzipped=True))
        first.drain()
        (put,) = client.puts
        assert put["ContentEncoding"] == "gzip"
        assert len(put["Body"]) < len(body)
        client.head = self.head(put["Body"], ContentEncoding="gzip")
        second = make()
        second.submit(local_file("a", body, is_gzipped=True), ask=True)
        second.drain()
        assert second.sent["static/a"].is_kept
        assert first.sent["static/a"].size == len(put["Body"])


class TestGzip:
    def test_small_file_that_gains_nothing(self, make: Make, client: FakeClient) -> None:
        uploader = make()
        uploader.submit(local_file("a", b"short", is_gzipped=True))
        uploader.drain()
        assert client.puts[0]["Body"] == b"short"
        assert "ContentEncoding" not in client.puts[0]

    @pytest.mark.parametrize("is_gzipped", [True, False])
    def test_large_file(self, make: Make, client: FakeClient, is_gzipped: bool) -> None:
        data = bytes(LARGE + 1)
        content = Content.of_file(lambda: io.BytesIO(data))
        uploader = make()
        uploader.submit(local_file("a", content, is_gzipped=is_gzipped))
        uploader.drain()
        (put,) = client.puts
        assert (put.get("ContentEncoding") == "gzip") == is_gzipped
        assert (len(put["Body"]) == len(data)) != is_gzipped
        assert uploader.sent["static/a"].size == len(put["Body"])


def test_close_closes_the_transport(make: Make) -> None:
    transport = FakeTransport(lambda key, attempt: None)
    uploader = make(transport)
    uploader.submit(local_file("a"))
    uploader.drain()
    uploader.close()
    assert transport.is_closed
