"""The engine's pipeline on plain data, without Django and its settings."""

import hashlib
import io
import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from herokuify.collect import engine, inactivity
from herokuify.collect.engine import Collection
from herokuify.collect.inactivity import InactivityError
from herokuify.collect.index import Entry, dump_index, parse_index
from herokuify.collect.local import LocalFile, Stage
from herokuify.collect.options import Options, PublishError, RemoveError, Target
from herokuify.collect.report import Progress
from herokuify.exceptions import S3Error
from herokuify.s3.client import COLLECT
from herokuify.s3.errors import NotS3Error
from herokuify.s3.objects import MOST_DELETIONS
from herokuify.storage.content import ChangedError, Content
from tests.collect.conftest import destination_of
from tests.fault_proxy import Silence, key_of, recorded
from tests.processes import wait_until
from tests.replay import ACCESS_DENIED, Answer, Document, Proxy, Request, replay
from tests.servers import S3Server

pytestmark = pytest.mark.no_django

API = "Amazon S3 API Reference"
ETAG = "0" * 32
LONG_AGO = 1_000_000_000


def local_file(name: str, content: bytes = b"", stage: Stage = Stage.HASHED) -> LocalFile:
    return LocalFile(name, f"static/{name}", stage, Content.of_bytes(content), {})


FINGERPRINT = local_file("").fingerprint


def etag_of(body: bytes) -> dict[str, str]:
    return {"ETag": f'"{hashlib.md5(body).hexdigest()}"'}


class Bucket:
    """A bucket as a rule of the proxy; records what is stored and removed."""

    def __init__(self, listed: dict[str, Entry] | None = None) -> None:
        self.entries = listed or {}
        self.stored: dict[str, bytes] = {}
        self.index = dump_index(self.entries) if self.entries else b""
        self.removed: list[list[str]] = []
        self.refuses: Callable[[Request], Any] = lambda request: None

    def __call__(self, request: Request) -> Any:
        return self.refuses(request) or self._answer(request)

    def _answer(self, request: Request) -> Any:
        if request.operation == "ListObjects":
            return Document(f"{API}, 'ListObjectsV2'", self._listing())
        if request.operation == "GetObject" and not self.index:
            return Answer(f"{API}, 'Error responses'", 404, "NoSuchKey", "")
        if request.operation == "GetObject":
            return Document(f"{API}, 'GetObject'", self.index, headers=etag_of(self.index))
        if "delete" in request.query:
            keys = [part.split(b"<")[0].decode() for part in request.body.split(b"<Key>")[1:]]
            self.removed.append(keys)
            return Document(f"{API}, 'DeleteObjects'", b"<DeleteResult></DeleteResult>")
        self.stored[key_of(request)] = request.body
        if key_of(request) == "the/index":
            self.index = request.body
            return Document(f"{API}, 'PutObject'", b"", headers=etag_of(request.body))
        return Document(f"{API}, 'PutObject'", b"", headers={"ETag": f'"{ETAG}"'})

    def _listing(self) -> bytes:
        items = "".join(
            f"<Contents><Key>{key}</Key><LastModified>2001-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;{entry.etag}&quot;</ETag><Size>0</Size></Contents>"
            for key, entry in self.entries.items()
        )
        return (
            f"<ListBucketResult><IsTruncated>false</IsTruncated>{items}</ListBucketResult>".encode()
        )


Collect = Callable[..., Collection]


@pytest.fixture
def collect(moto: S3Server, shared_proxy: Proxy) -> Iterator[Collect]:
    made: list[Collection] = []

    def collect(bucket: Bucket, wanted: Options | None = None, **options: Any) -> Collection:
        via = options.pop("via", shared_proxy)
        via.rule = bucket
        target = Target(
            destination=destination_of(moto, "bucket", endpoint_url=via.url),
            profile=COLLECT._replace(connections=8),
            prefix="static/",
            index_key="the/index",
            has_manifest=options.pop("has_manifest", True),
            in_scope=lambda key: True,
            **options,
        )
        progress = Progress(io.StringIO(), is_quiet=True)
        collection = Collection(target, wanted or Options(), progress)
        made.append(collection)
        return collection

    yield collect
    for collection in made:
        collection.close()


def entries(count: int, superseded: int | None = None) -> dict[str, Entry]:
    return {f"static/{n:04}": Entry(ETAG, "d", "f", superseded) for n in range(count)}


def test_stages_are_sent_in_order(collect: Collect, shared_proxy: Proxy) -> None:
    bucket = Bucket()
    with recorded(shared_proxy) as traffic:
        collection = collect(bucket)
        collection.add(local_file("manifest", b"4", Stage.MANIFEST))
        collection.add(local_file("copy", b"3", Stage.MANIFEST_COPY))
        collection.add(local_file("plain", b"2", Stage.PLAIN))
        collection.add(local_file("hashed", b"1"))
        collection.publish()
        collection.prune_and_save_index()
    assert traffic.writes == [
        "static/hashed",
        "static/plain",
        "static/copy",
        "static/manifest",
        "the/index",
    ]
    assert collection.outcome.sent == ["hashed", "plain", "copy", "manifest"]
    assert (collection.outcome.sent_bytes, collection.outcome.requests) == (4, 9)
    index = parse_index(bucket.stored["the/index"])
    assert {key: entry.digest for key, entry in index.items()} == {
        f"static/{name}": Content.of_bytes(data).digest
        for name, data in zip(collection.outcome.sent, [b"1", b"2", b"3", b"4"], strict=True)
    }


class TestBeforeTheListingIsThere:
    @pytest.fixture
    def held_bucket(self) -> Iterator[Bucket]:
        """A bucket that doesn't return its listing until ``self.listed`` is set."""
        bucket = Bucket({"static/same": Entry(ETAG, Content.of_bytes(b"1").digest, FINGERPRINT)})
        self.listed = threading.Event()

        def hold(request: Request) -> None:
            if request.operation == "ListObjects":
                assert self.listed.wait(timeout=60)

        bucket.refuses = hold
        yield bucket
        self.listed.set()

    def test_files_are_added(self, collect: Collect, held_bucket: Bucket) -> None:
        collection = collect(held_bucket)
        for name, content in [("same", b"1"), ("new", b"2"), ("new", b"3"), ("last", b"4")]:
            collection.add(local_file(name, content))
        assert not held_bucket.stored
        self.listed.set()
        collection.publish()
        collection.prune_and_save_index()
        assert collection.outcome.unchanged == ["same"]
        assert collection.outcome.sent == ["new", "last"]
        assert held_bucket.stored["static/new"] == b"2"
        assert parse_index(held_bucket.stored["the/index"]).keys() == {
            f"static/{name}" for name in ("same", "new", "last")
        }

    @pytest.mark.parametrize("limit", ["UNDECIDED", "UNDECIDED_BYTES"])
    def test_addition_blocks_at_a_limit(
        self, collect: Collect, held_bucket: Bucket, monkeypatch: pytest.MonkeyPatch, limit: str
    ) -> None:
        monkeypatch.setattr(engine, limit, 3)
        collection = collect(held_bucket)
        added = []

        def add() -> None:
            for name in "abcdef":
                collection.add(local_file(name, b"."))
                added.append(name)

        thread = threading.Thread(target=add)
        thread.start()
        thread.join(timeout=1)
        assert added == ["a", "b", "c"]
        self.listed.set()
        thread.join()
        collection.publish()
        assert collection.outcome.sent == list("abcdef")


def test_uploads_start_while_files_are_added(collect: Collect) -> None:
    bucket = Bucket()
    collection = collect(bucket)
    names = map(str, itertools.count())

    def is_sent_after_another() -> bool:
        collection.add(local_file(next(names)))
        return "static/0" in bucket.stored

    wait_until(is_sent_after_another)


def test_first_file_of_a_key_is_sent(collect: Collect) -> None:
    bucket = Bucket()
    collection = collect(bucket)
    collection.add(local_file("a", b"first"))
    collection.add(local_file("a", b"second", Stage.PLAIN))
    collection.publish()
    assert bucket.stored["static/a"] == b"first"
    assert collection.outcome.sent == ["a"]


def test_dry_run_only_reads(collect: Collect, shared_proxy: Proxy) -> None:
    bucket = Bucket(entries(3, LONG_AGO))
    with recorded(shared_proxy) as traffic:
        collection = collect(bucket, Options(is_dry_run=True, clear=True, prune_days=1))
        collection.add(local_file("new"))
        collection.publish()
        collection.prune_and_save_index()
    assert traffic.operations == {"ListObjects": 1, "GetObject": 1}
    assert bucket.removed == []
    assert collection.outcome.sent == ["new"]
    assert collection.outcome.removed == ["0000", "0001", "0002"]


class TestFailures:
    def test_stop_before_the_next_stage(self, collect: Collect) -> None:
        bucket = Bucket()
        bucket.refuses = lambda request: ACCESS_DENIED if "bad" in request.path else None
        collection = collect(bucket)
        for name in ("good", "bad1", "bad2"):
            collection.add(local_file(name))
        collection.add(local_file("later", stage=Stage.PLAIN))
        with pytest.raises(PublishError, match="2 files could not be sent") as caught:
            collection.publish()
        assert caught.value.failures.keys() == {"static/bad1", "static/bad2"}
        assert bucket.stored.keys() == {"static/good"}

    @pytest.mark.parametrize("stage", [Stage.HASHED, Stage.PLAIN])
    def test_of_a_changed_file_is_an_error(
        self, collect: Collect, tmp_path: Path, stage: Stage
    ) -> None:
        """Under a hashed name, the wrong content would be cached for a year."""
        path = tmp_path / "a.css"
        path.write_bytes(b"old")
        bucket = Bucket()
        listed = threading.Event()

        def hold(request: Request) -> None:
            if request.operation == "ListObjects":
                assert listed.wait(timeout=60)

        bucket.refuses = hold
        collection = collect(bucket)
        content = Content.of_file(lambda: path.open("rb"))
        collection.add(LocalFile("a.css", "static/a.css", stage, content, {}))
        path.write_bytes(b"new")
        listed.set()
        with pytest.raises(PublishError) as caught:
            collection.publish()
        assert isinstance(caught.value.failures["static/a.css"], ChangedError)
        assert not bucket.stored

    def test_of_the_listing_is_an_error(self, collect: Collect) -> None:
        bucket = Bucket()
        bucket.refuses = lambda request: ACCESS_DENIED
        collection = collect(bucket)
        collection.add(local_file("a"))
        with pytest.raises(ClientError, match="AccessDenied"):
            collection.publish()

    def test_of_a_listing_that_is_not_from_s3(self, collect: Collect) -> None:
        """Otherwise an HTML page from a proxy would count as an empty bucket."""
        bucket = Bucket()
        page = Document(API, b"<html><body>Log in</body></html>")
        bucket.refuses = lambda request: page if request.operation == "ListObjects" else None
        collection = collect(bucket)
        collection.add(local_file("a"))
        with pytest.raises(S3Error, match="not a response from S3"):
            collection.publish()

    @pytest.mark.parametrize(
        "page",
        [
            Document(API, b"<html>Log in</html>", headers=etag_of(b"page")),
            Document(API, b"", status=204, headers=etag_of(b"")),
            Document(API, b"", status=201, headers=etag_of(b"")),
            Document(API, b""),
        ],
    )
    def test_of_a_put_whose_answer_is_not_from_s3(self, collect: Collect, page: Document) -> None:
        bucket = Bucket()
        bucket.refuses = lambda request: page if request.method == "PUT" else None
        collection = collect(bucket)
        collection.add(local_file("a"))
        with pytest.raises(PublishError) as caught:
            collection.publish()
        assert isinstance(caught.value.failures["static/a"], NotS3Error)

    def test_of_a_new_file_stops_changed_ones(self, collect: Collect) -> None:
        bucket = Bucket({"static/old": Entry(ETAG, "d", "f")})
        bucket.refuses = lambda request: ACCESS_DENIED if "new" in request.path else None
        collection = collect(bucket, has_manifest=False)
        collection.add(local_file("old", b"2", Stage.PLAIN))
        collection.add(local_file("new", b"1", Stage.PLAIN))
        with pytest.raises(PublishError, match="1 file could not be sent"):
            collection.publish()
        assert bucket.stored == {}


class TestRemoval:
    def test_is_in_batches(self, collect: Collect) -> None:
        known = entries(2 * MOST_DELETIONS + 1, LONG_AGO)
        bucket = Bucket(known)
        collection = collect(bucket, Options(prune_days=1))
        collection.publish()
        collection.prune_and_save_index()
        assert [len(keys) for keys in bucket.removed] == [MOST_DELETIONS, MOST_DELETIONS, 1]
        assert [key for keys in bucket.removed for key in keys] == sorted(known)
        assert collection.outcome.removed == [key.removeprefix("static/") for key in sorted(known)]
        assert parse_index(bucket.stored["the/index"]) == {}
        # Two for the listing and the index; four reads of the index, three removals, two writes.
        assert collection.outcome.requests == 2 + 4 + 3 + 2

    def test_clear_and_prune_remove_once(self, collect: Collect) -> None:
        bucket = Bucket(entries(3, LONG_AGO))
        collection = collect(bucket, Options(clear=True, prune_days=1))
        collection.publish()
        collection.prune_and_save_index()
        assert [len(keys) for keys in bucket.removed] == [3]

    def test_refused_keys_are_named_and_remembered(self, collect: Collect) -> None:
        body = b"<DeleteResult><Error><Key>static/0001</Key></Error></DeleteResult>"

        def refuse(request: Request) -> Document | None:
            return Document(API, body) if "delete" in request.query else None

        bucket = Bucket(entries(3, LONG_AGO))
        bucket.refuses = refuse
        collection = collect(bucket, Options(prune_days=1))
        collection.publish()
        with pytest.raises(RemoveError, match="1 object could not be removed") as caught:
            collection.prune_and_save_index()
        assert caught.value.codes == {"static/0001": "?"}
        # What could not be removed is remembered, and tried again.
        assert parse_index(bucket.stored["the/index"]).keys() == {"static/0001"}


class TestInactivity:
    """Connections stay open without an answer; the client's own time-outs are longer."""

    @pytest.fixture(autouse=True)
    def short(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(inactivity, "TIMEOUT", 0.3)

    @pytest.fixture
    def quiet(self, moto: S3Server) -> Iterator[tuple[Proxy, Silence]]:
        # Its own proxy, because the connections can't be used afterwards.
        silence = Silence(0)
        with replay(moto.endpoint_url) as proxy:
            yield proxy, silence
            silence.end()

    def test_from_the_start_is_an_error(
        self, collect: Collect, quiet: tuple[Proxy, Silence]
    ) -> None:
        proxy, silent = quiet
        bucket = Bucket()
        bucket.refuses = silent
        collection = collect(bucket, via=proxy)
        collection.add(local_file("a"))
        with pytest.raises(InactivityError, match="has not responded"):
            collection.publish()

    def test_during_the_removal_is_an_error(
        self, collect: Collect, quiet: tuple[Proxy, Silence]
    ) -> None:
        proxy, silent = quiet
        bucket = Bucket(entries(1, LONG_AGO))
        bucket.refuses = lambda request: silent(request) if request.method == "POST" else None
        collection = collect(bucket, Options(prune_days=1), via=proxy)
        collection.publish()
        with pytest.raises(InactivityError):
            collection.prune_and_save_index()

    def test_at_the_index_is_a_warning(
        self,
        collect: Collect,
        quiet: tuple[Proxy, Silence],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Everything is published; the next run only takes longer."""
        proxy, silent = quiet
        bucket = Bucket(entries(1))
        bucket.refuses = lambda request: (
            silent(request) if "index" in request.path and (request.method == "PUT") else None
        )
        collection = collect(bucket, via=proxy)
        collection.publish()
        collection.prune_and_save_index()  # which supersedes 0000
        assert "s3://bucket/the/index can't be read or written (S3 has not" in caplog.text


def test_progress_while_waiting(collect: Collect) -> None:
    shown: list[tuple[int, int]] = []
    collection = collect(Bucket())
    collection._progress.show = lambda *counts: shown.append(counts)  # type: ignore[method-assign]
    for number in range(20):
        collection.add(local_file(f"{number}"))
    collection.publish()
    assert shown[-1][1] == 20
    assert len(shown) > 20


class TestBucketThatIsMissing:
    @pytest.fixture
    def missing_bucket(self) -> Bucket:
        """A bucket that doesn't exist until it is created."""
        missing = Answer(f"{API}, 'Error responses'", 404, "NoSuchBucket", "")
        self.threads: list[threading.Thread] = []
        bucket = Bucket()
        bucket.refuses = lambda request: None if self.threads else missing
        return bucket

    def create(self) -> None:
        self.threads.append(threading.current_thread())

    def test_is_created(self, collect: Collect, missing_bucket: Bucket) -> None:
        """In the caller's thread: the end of the interpreter would interrupt another."""
        collection = collect(missing_bucket, create_bucket=self.create)
        collection.add(local_file("a", b"1"))
        collection.publish()
        collection.prune_and_save_index()
        assert self.threads == [threading.current_thread()]
        assert missing_bucket.stored.keys() == {"static/a", "the/index"}
        assert collection.outcome.requests == 6

    def test_is_not_created_unasked(self, collect: Collect, missing_bucket: Bucket) -> None:
        collection = collect(missing_bucket)
        collection.add(local_file("a"))
        with pytest.raises(ClientError, match="NoSuchBucket"):
            collection.publish()
        assert not missing_bucket.stored
