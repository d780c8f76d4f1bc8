"""The uploader alone: its limits, failures and unchanged objects."""

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
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
)

from herokuify.collect import inactivity, upload
from herokuify.collect.inactivity import InactivityError
from herokuify.collect.local import LocalFile, Stage
from herokuify.collect.upload import GaveUpError, Sent, Uploader
from herokuify.s3.client import COLLECT, RetryProfile
from herokuify.storage.content import LARGE, ChangedError, Content
from tests.collect.conftest import destination_of
from tests.fault_proxy import always, recorded, sink
from tests.processes import wait_until
from tests.replay import ACCESS_DENIED, SLOW_DOWN, Fault, Proxy, Request
from tests.servers import S3Server, client_of

pytestmark = pytest.mark.no_django

BUCKET = "uploads"


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


def large_file(name: str, data: bytes, *, is_gzipped: bool = False) -> LocalFile:
    content = Content.of_file(lambda: io.BytesIO(data))
    return local_file(name, content, is_gzipped=is_gzipped)


def client_error(code: str, status: int) -> ClientError:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "PutObject")


DENIED = client_error("AccessDenied", 403)


def etag(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()


class Recording(Uploader):
    """An uploader that records what was sent."""

    def __init__(self, *args: Any) -> None:
        self.sent: dict[str, Sent] = {}
        super().__init__(*args, on_sent=self.sent.__setitem__)


class FakeSender:
    """Holds each PUT until the test answers it; with ``plan``, answers at once."""

    def __init__(self) -> None:
        self.plan: Callable[[str], Exception | None] | None = None
        self.puts: list[str] = []
        self.open: dict[str, Future[str]] = {}

    def __call__(self, *_: Any, **__: Any) -> "FakeSender":
        return self

    def put(self, key: str, body: bytes, _: Mapping[str, Any]) -> str:
        if self.plan is None:
            future = self.open[key] = Future[str]()
            self.puts.append(key)
            return future.result(timeout=60)
        self.puts.append(key)
        if error := self.plan(key):
            raise error
        return etag(body)


@pytest.fixture
def sender(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSender]:
    """Replaces the real sender, so that tests decide the results of PUTs."""
    sender = FakeSender()
    monkeypatch.setattr(upload, "Sender", sender)
    yield sender
    for future in sender.open.values():
        if not future.done():
            future.set_result("e")


@pytest.fixture(scope="module")
def bucket_client(moto: S3Server) -> Any:
    client = client_of(moto)
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture(autouse=True)
def emptied(bucket_client: Any) -> Iterator[None]:
    yield
    for item in bucket_client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        bucket_client.delete_object(Bucket=BUCKET, Key=item["Key"])


Make = Callable[..., Recording]


@pytest.fixture
def make(moto: S3Server, shared_proxy: Proxy) -> Iterator[Make]:
    made: list[Recording] = []

    def make(connections: int = 64) -> Recording:
        destination = destination_of(moto, BUCKET, endpoint_url=shared_proxy.url)
        uploader = Recording(destination, COLLECT._replace(connections=connections))
        made.append(uploader)
        return uploader

    yield make
    for uploader in made:
        uploader.close()


def get(bucket: Any, name: str) -> Any:
    return bucket.get_object(Bucket=BUCKET, Key=f"static/{name}")


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def stays(condition: Callable[[], bool]) -> bool:
    """Whether the condition is still true after a moment; what doesn't happen can't be awaited."""
    time.sleep(0.05)
    return condition()


class TestBounds:
    def test_of_count(self, make: Make, sender: FakeSender) -> None:
        uploader = make(3)
        thread = in_thread(
            lambda: [uploader.submit(local_file(f"{number}")) for number in range(7)]
        )
        wait_until(lambda: len(sender.puts) == 3)
        assert stays(lambda: len(sender.puts) == 3)
        sender.open["static/1"].set_result("e")
        wait_until(lambda: len(sender.puts) == 4)
        for number in (0, 2, 3, 4, 5, 6):
            wait_until(lambda key=f"static/{number}": key in sender.open)  # type: ignore[misc]
            sender.open[f"static/{number}"].set_result("e")
        thread.join(5)
        uploader.drain()
        assert len(uploader.sent) == 7

    def test_of_bytes(self, make: Make, sender: FakeSender) -> None:
        uploader = make()
        third = bytes(upload.BYTES_IN_FLIGHT // 3)
        thread = in_thread(
            lambda: [uploader.submit(local_file(f"{number}", third)) for number in range(5)]
        )
        wait_until(lambda: len(sender.puts) == 3)
        assert stays(lambda: len(sender.puts) == 3)
        sender.open["static/0"].set_result("e")
        wait_until(lambda: len(sender.puts) == 4)
        for number in (1, 2, 3, 4):
            wait_until(lambda key=f"static/{number}": key in sender.open)  # type: ignore[misc]
            sender.open[f"static/{number}"].set_result("e")
        thread.join(5)
        uploader.drain()
        assert len(uploader.sent) == 5

    def test_large_file_is_sent_alone(
        self, make: Make, sender: FakeSender, bucket_client: Any
    ) -> None:
        uploader = make()
        uploader.submit(local_file("small"))
        opened = threading.Event()

        def opener() -> io.BytesIO:
            opened.set()
            return io.BytesIO(bytes(3 * LARGE))

        large = local_file("large", Content.of_file(opener))
        opened.clear()
        thread = in_thread(lambda: [uploader.submit(large), uploader.submit(local_file("next"))])
        wait_until(lambda: "static/small" in sender.open)
        assert not opened.wait(0.1)
        sender.open["static/small"].set_result("e")
        assert opened.wait(5)
        wait_until(lambda: "static/next" in sender.open)
        sender.open["static/next"].set_result("e")
        thread.join(5)
        uploader.drain()
        stored = get(bucket_client, "large")
        assert stored["ContentLength"] == 3 * LARGE
        sent = uploader.sent["static/large"]
        assert (sent.etag, sent.size) == (stored["ETag"].strip('"'), 3 * LARGE)


LASTING = [
    DENIED,
    client_error("NoSuchBucket", 404),
    client_error("SlowDown", 503),  # after the sender's retries
    EndpointConnectionError(endpoint_url="http://127.0.0.1"),
    NoCredentialsError(),
    ParamValidationError(report="x"),
    FileNotFoundError("x"),
]


class TestFailures:
    @pytest.mark.parametrize("error", LASTING, ids=str)
    def test_are_recorded(self, make: Make, sender: FakeSender, error: Exception) -> None:
        sender.plan = lambda key: error if key == "static/a" else None
        uploader = make()
        for name in "abc":
            uploader.submit(local_file(name))
        uploader.drain()
        assert uploader.failures == {"static/a": error}
        assert uploader.sent.keys() == {"static/b", "static/c"}
        assert len(sender.puts) == 3  # the sender retries, not the uploader

    @pytest.mark.usefixtures("no_pauses")
    @pytest.mark.parametrize("size", [7, 3 * LARGE])
    @pytest.mark.parametrize("fault", [SLOW_DOWN, Fault.DROPPED, Fault.LOST])
    def test_temporary_ones_are_retried(
        self, make: Make, shared_proxy: Proxy, bucket_client: Any, size: int, fault: Any
    ) -> None:
        faults = iter([fault, fault])
        shared_proxy.rule = lambda request: next(faults, None)
        uploader = make()
        uploader.submit(large_file("a", bytes(size)))
        uploader.drain()
        assert uploader.failures == {}
        assert get(bucket_client, "a")["ContentLength"] == uploader.sent["static/a"].size == size

    def test_changed_large_file_is_one(self, make: Make, bucket_client: Any) -> None:
        uploader = make()
        data = bytes(3 * LARGE)
        large = Content(len(data), "of what it was", None, lambda: io.BytesIO(data))
        uploader.submit(local_file("large", large))
        uploader.drain()
        assert isinstance(uploader.failures["static/large"], ChangedError)
        assert "Contents" not in bucket_client.list_objects_v2(Bucket=BUCKET)

    def test_unreadable_file_is_one(self, make: Make, sender: FakeSender) -> None:
        def opener() -> Any:
            raise PermissionError("no")

        sender.plan = lambda key: None
        uploader = make()
        uploader.submit(local_file("a", Content(7, "d", None, opener)))
        uploader.submit(local_file("b"))
        uploader.submit(local_file("large", Content(LARGE, "d", None, opener)))
        uploader.drain()
        assert uploader.sent.keys() == {"static/b"}
        assert {type(error) for error in uploader.failures.values()} == {PermissionError}


class TestGivingUp:
    def test_after_many_failures(self, make: Make, sender: FakeSender) -> None:
        sender.plan = lambda key: DENIED
        uploader = make(4)
        for number in range(upload.FAILURES + 50):
            uploader.submit(local_file(f"{number}"))
        uploader.drain()
        # Uploads under way at the limit are finished.
        assert upload.FAILURES <= len(sender.puts) < upload.FAILURES + 4
        assert len(uploader.failures) == upload.FAILURES + 50
        gave_up = [e for e in uploader.failures.values() if isinstance(e, GaveUpError)]
        assert len(gave_up) == upload.FAILURES + 50 - len(sender.puts)

    def test_after_inactivity(
        self, make: Make, sender: FakeSender, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(inactivity, "TIMEOUT", 0.3)
        uploader = make(2)
        for number in range(6):
            uploader.submit(local_file(f"{number}"))
        uploader.drain()
        assert len(sender.puts) == 2
        assert [type(error) for error in uploader.failures.values()] == [
            *[InactivityError] * 2,
            *[GaveUpError] * 4,
        ]
        # An answer that comes too late changes nothing.
        sender.open["static/0"].set_result("e")
        sender.open["static/1"].set_exception(DENIED)
        assert stays(lambda: uploader.sent == {})
        assert len(sender.puts) == 2

    def test_not_while_responses_arrive(
        self, make: Make, sender: FakeSender, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(inactivity, "TIMEOUT", 0.5)
        uploader = make()
        for number in range(5):
            uploader.submit(local_file(f"{number}"))
        thread = in_thread(uploader.drain)
        for number in range(5):
            time.sleep(0.25)  # half of the time-out
            sender.open[f"static/{number}"].set_result("e")
        thread.join(5)
        assert len(uploader.sent) == 5

    def test_not_for_time_without_uploads(
        self, make: Make, sender: FakeSender, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(inactivity, "TIMEOUT", 0.3)
        uploader = make()
        time.sleep(0.5)  # more than the time-out
        uploader.submit(local_file("a"))
        thread = in_thread(uploader.drain)
        assert stays(lambda: not uploader.failures)
        sender.open["static/a"].set_result("e")
        thread.join(5)
        assert uploader.failures == {}

    def test_not_while_s3_refuses(
        self, make: Make, shared_proxy: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """SlowDown is a response, so the server is not silent."""
        monkeypatch.setattr(inactivity, "TIMEOUT", 0.8)
        monkeypatch.setattr(RetryProfile, "pause", lambda self, attempt: 0.3)
        answers = iter([SLOW_DOWN] * 6)
        shared_proxy.rule = lambda request: next(answers, None)
        uploader = make()
        uploader.submit(local_file("a"))
        uploader.drain()
        assert uploader.failures == {}

    def test_a_slow_line_is_not_silent(
        self, make: Make, shared_proxy: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Uploads under way may all finish at the same time, so their number must be limited."""
        monkeypatch.setattr(inactivity, "TIMEOUT", 1.5)
        rate = 16 * 1024 * 1024  # bytes a second; the bound must be seen against TIMEOUT
        lock = threading.Lock()
        pending = 0

        def line(request: Request) -> Any:
            nonlocal pending
            size = len(request.body)
            with lock:
                pending += size
            time.sleep(0.5)  # until all that may be under way is
            time.sleep(pending / rate)  # as a slow line takes
            with lock:
                pending -= size
            return sink(request)

        shared_proxy.rule = line
        uploader = make()
        for number in range(60):
            uploader.submit(local_file(f"{number}", bytes(500_000)))
        uploader.drain()
        assert uploader.failures == {}


class TestAsking:
    def ask(self, make: Make, file: LocalFile) -> Recording:
        uploader = make()
        uploader.submit(file, ask=True)
        uploader.drain()
        return uploader

    def put(self, bucket: Any, body: bytes, content_type: str = "text/css") -> None:
        bucket.put_object(Bucket=BUCKET, Key="static/a", Body=body, ContentType=content_type)

    def test_same_object_is_kept(self, make: Make, shared_proxy: Proxy, bucket_client: Any) -> None:
        self.put(bucket_client, b"content")
        with recorded(shared_proxy) as traffic:
            uploader = self.ask(make, local_file("a"))
        assert uploader.sent == {"static/a": Sent(etag(b"content"), 0, is_kept=True)}
        assert traffic.operations == {"HeadObject": 1}

    @pytest.mark.parametrize(
        "stored", [(b"f", "text/css"), (b"content", "text/html"), None], ids=str
    )
    def test_other_object_is_sent(
        self, make: Make, shared_proxy: Proxy, bucket_client: Any, stored: tuple[bytes, str] | None
    ) -> None:
        if stored:
            self.put(bucket_client, *stored)
        with recorded(shared_proxy) as traffic:
            uploader = self.ask(make, local_file("a"))
        assert uploader.sent == {"static/a": Sent(etag(b"content"), 7, requests=2)}
        assert traffic.operations == {"HeadObject": 1, "PutObject": 1}
        assert get(bucket_client, "a")["ContentType"] == "text/css"

    def test_refusal_fails(self, make: Make, shared_proxy: Proxy) -> None:
        shared_proxy.rule = always(ACCESS_DENIED, lambda request: request.method == "HEAD")
        with recorded(shared_proxy) as traffic:
            uploader = self.ask(make, local_file("a"))
        assert "403" in str(uploader.failures["static/a"])
        assert traffic.operations == {"HeadObject": 1}

    def test_gzipped_object_is_kept(self, make: Make, bucket_client: Any) -> None:
        body = b"a { color: red }\n" * 100
        first = make()
        first.submit(local_file("a", body, is_gzipped=True))
        first.drain()
        stored = get(bucket_client, "a")
        assert stored["ContentEncoding"] == "gzip"
        assert stored["ContentLength"] == first.sent["static/a"].size < len(body)
        second = self.ask(make, local_file("a", body, is_gzipped=True))
        assert second.sent["static/a"].is_kept


class TestGzip:
    def test_small_file_that_gains_nothing(self, make: Make, bucket_client: Any) -> None:
        uploader = make()
        uploader.submit(local_file("a", b"short", is_gzipped=True))
        uploader.drain()
        stored = get(bucket_client, "a")
        assert stored["Body"].read() == b"short"
        assert "ContentEncoding" not in stored

    @pytest.mark.parametrize("is_gzipped", [True, False])
    def test_large_file(self, make: Make, bucket_client: Any, is_gzipped: bool) -> None:
        data = bytes(LARGE + 1)
        uploader = make()
        uploader.submit(large_file("a", data, is_gzipped=is_gzipped))
        uploader.drain()
        stored = get(bucket_client, "a")
        assert (stored.get("ContentEncoding") == "gzip") == is_gzipped
        assert (stored["ContentLength"] == len(data)) != is_gzipped
        assert uploader.sent["static/a"].size == stored["ContentLength"]
