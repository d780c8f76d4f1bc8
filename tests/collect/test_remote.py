import gzip
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from herokuify.collect.inactivity import InactivityTimeout
from herokuify.collect.index import Entry
from herokuify.collect.listing import Listed, Listing
from herokuify.collect.remote import BucketMissingError, Remote, read, save_index
from herokuify.exceptions import S3Error
from tests.replay import ACCESS_DENIED, Answer, Document, Fault, Proxy, Request
from tests.servers import S3Server, client_of

pytestmark = pytest.mark.no_django

LISTING = "Amazon S3 API Reference, 'ListObjectsV2'"
ETAG = {"ETag": f'"{"0" * 32}"'}
ENTRIES = {
    "static/a.css": Entry("e1", "d1", "f1"),
    'static/ü "b".css': Entry("e2-3", "d2", "f2", 1_800_000_000),
}


class TestRemote:
    def test_entry_is_valid_only_for_its_etag(self) -> None:
        listed = {
            "same": Listed("e", 1, "2026-11-21T13:36:57Z"),
            "other": Listed("f", 1, "2026-11-21T13:36:57Z"),
        }
        entry = Entry("e", "d", "f")
        remote = Remote(listed, {"same": entry, "other": entry, "gone": entry})
        assert remote.entry("same") == entry
        assert [remote.entry(key) for key in ("other", "gone", "unknown")] == [None, None, None]

    def test_modification_time_is_parsed(self) -> None:
        assert Listed("e", 1, "2027-01-15T08:00:00Z").modified == 1_800_000_000


@contextmanager
def answering(proxy: Proxy, rule: Callable[[Request], Any]) -> Iterator[None]:
    proxy.rule = rule
    try:
        yield
    finally:
        proxy.rule = None


@pytest.fixture
def client(moto: S3Server, proxies: Callable[[S3Server], Proxy]) -> Any:
    return client_of(S3Server("moto", proxies(moto).url, "test-key", "test-secret"))


def page(names: list[str], token: str | None = None) -> Document:
    items = "".join(
        f"<Contents><Key>{name}</Key><LastModified>2027-01-15T08:00:00.000Z</LastModified>"
        f"<ETag>&quot;{name[-1] * 32}&quot;</ETag><Size>{len(name)}</Size></Contents>"
        for name in names
    )
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    truncated = "true" if token else "false"
    return Document(
        LISTING,
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<EncodingType>url</EncodingType><IsTruncated>{truncated}</IsTruncated>{more}{items}"
        "</ListBucketResult>".encode(),
    )


def listing(client: Any, bucket: str, expected: Sequence[str] = ()) -> Listing:
    return Listing(client, bucket, "static/", InactivityTimeout(), expected)


class TestRead:
    def test_reads_all_pages(self, client: Any, shared_proxy: Proxy) -> None:
        pages = {
            None: page(["static/a", "static/b+%C3%BC"], "t/2="),
            "t/2=": page(["static/c"], "t3"),
            "t3": page([]),
        }

        def rule(request: Request) -> Document | Answer:
            if request.operation == "ListObjects":
                assert request.query["prefix"] == "static/"
                return pages[request.query.get("continuation-token")]
            return Answer(LISTING, 404, "NoSuchKey", "")

        with answering(shared_proxy, rule):
            remote = read(listing(client, "bucket"), "index")
        assert remote.objects == {
            "static/a": Listed("a" * 32, 8, "2027-01-15T08:00:00Z"),
            "static/b ü": Listed("C" * 32, 15, "2027-01-15T08:00:00Z"),
            "static/c": Listed("c" * 32, 8, "2027-01-15T08:00:00Z"),
        }
        assert (remote.entries, remote.requests) == ({}, 4)

    def test_unsorted_listing(self, client: Any, shared_proxy: Proxy) -> None:
        """As of a directory bucket, whose listing isn't sorted."""
        pages = {
            None: page(["static/m", "static/c"], "t2"),
            "t2": page(["static/z"], "t3"),
            "t3": page(["static/a"]),
        }

        def rule(request: Request) -> Document | Answer:
            if request.operation == "ListObjects":
                assert "start-after" not in request.query
                return pages[request.query.get("continuation-token")]
            return Answer(LISTING, 404, "NoSuchKey", "")

        expected = [f"static/{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
        with answering(shared_proxy, rule):
            remote = read(listing(client, "bucket", expected), "index")
        assert remote.objects.keys() == {"static/m", "static/c", "static/z", "static/a"}

    def test_endless_listing_is_an_error(self, client: Any, shared_proxy: Proxy) -> None:
        def rule(request: Request) -> Document | Answer:
            if request.operation == "ListObjects":
                return page(["static/a"], "again")
            return Answer(LISTING, 404, "NoSuchKey", "")

        with answering(shared_proxy, rule), pytest.raises(S3Error, match="came twice"):
            read(listing(client, "bucket"), "index")

    def test_bucket_that_is_deleted_meanwhile_is_an_error(
        self, client: Any, shared_proxy: Proxy
    ) -> None:
        answers: Iterator[Document | Answer]
        answers = iter([page(["static/a"], "t2"), Answer(LISTING, 404, "NoSuchBucket", "")])

        def rule(request: Request) -> Document | Answer:
            if request.operation == "ListObjects":
                return next(answers)
            return Answer(LISTING, 404, "NoSuchKey", "")

        with answering(shared_proxy, rule), pytest.raises(BucketMissingError):
            read(listing(client, "bucket"), "index")

    def test_incomplete_page_is_requested_again(self, client: Any, shared_proxy: Proxy) -> None:
        whole = page(["static/a"])
        pages = iter([Document(LISTING, whole.body[:-30]), whole])

        def rule(request: Request) -> Document | Answer:
            if request.operation == "ListObjects":
                return next(pages)
            return Answer(LISTING, 404, "NoSuchKey", "")

        with answering(shared_proxy, rule):
            remote = read(listing(client, "bucket"), "index")
        assert remote.objects.keys() == {"static/a"}

    def test_special_characters(self, client: Any, moto: S3Server, moto_bucket: str) -> None:
        names = {f"static/{name}" for name in ["a b", "ü", "%41", "a+b", "<&>", "日本", "a//b"]}
        plain = client_of(moto)
        for name in names:
            plain.put_object(Bucket=moto_bucket, Key=name, Body=b"")
        remote = read(listing(client, moto_bucket), "index")
        assert remote.objects.keys() == names

    def test_missing_bucket_is_an_error(self, client: Any) -> None:
        with pytest.raises(BucketMissingError) as caught:
            read(listing(client, "no-such"), "index")
        assert isinstance(caught.value.__cause__, ClientError)

    def test_refusal_is_not_a_missing_bucket(self, client: Any, shared_proxy: Proxy) -> None:
        with (
            answering(shared_proxy, lambda request: ACCESS_DENIED),
            pytest.raises(ClientError, match="AccessDenied"),
        ):
            read(listing(client, "bucket"), "index")

    @pytest.mark.parametrize(
        ("answer", "warning"),
        [
            (Answer(LISTING, 404, "NoSuchKey", ""), None),
            (ACCESS_DENIED, "AccessDenied"),
            (Document(LISTING, b"cut", headers={**ETAG, "Content-Length": "9"}), "broken|length"),
            (Document(LISTING, b"no index", headers=ETAG), "it is not an index"),
            (Document(LISTING, gzip.compress(b"[" * 100_000), headers=ETAG), "it is not an index"),
        ],
    )
    def test_unusable_index_is_empty_and_a_warning(
        self,
        client: Any,
        shared_proxy: Proxy,
        caplog: pytest.LogCaptureFixture,
        answer: Answer | Document,
        warning: str | None,
    ) -> None:
        caplog.set_level(logging.WARNING, "herokuify.collect")

        def rule(request: Request) -> Answer | Document:
            return page(["static/a"]) if request.operation == "ListObjects" else answer

        with answering(shared_proxy, rule):
            remote = read(listing(client, "bucket"), "the/index")
        assert remote.entries == {}
        assert remote.objects.keys() == {"static/a"}
        if warning is None:
            assert "the/index" not in caplog.text
        else:
            assert "s3://bucket/the/index" in caplog.text
            assert any(word in caplog.text.lower() for word in warning.lower().split("|"))


class TestSaveIndex:
    def test_keys_are_shared(self, client: Any, moto: S3Server, moto_bucket: str) -> None:
        """Listing and index may have 200,000 keys in common, which need memory only once."""
        plain = client_of(moto)
        etag = plain.put_object(Bucket=moto_bucket, Key="static/a", Body=b"")["ETag"].strip('"')
        entries = {f"static/{name}": Entry(etag, "d" * 32, "f" * 16) for name in "ab"}
        save_index(client, moto_bucket, "index", entries)
        remote = read(listing(client, moto_bucket), "index")
        (listed_key,) = remote.objects
        key, _ = remote.entries
        assert key is listed_key

    def test_can_be_read_again(self, client: Any, moto_bucket: str) -> None:
        save_index(client, moto_bucket, "index", ENTRIES)
        remote = read(listing(client, moto_bucket), "index")
        assert remote.entries == ENTRIES
        head = client.head_object(Bucket=moto_bucket, Key="index")
        assert head["ContentType"] == "application/gzip"
        assert "ContentEncoding" not in head

    @pytest.mark.parametrize("fault", [ACCESS_DENIED, Fault.DROPPED])
    def test_failure_is_a_warning(
        self,
        client: Any,
        shared_proxy: Proxy,
        caplog: pytest.LogCaptureFixture,
        fault: Answer | Fault,
        no_pauses: list[float],
    ) -> None:
        with answering(shared_proxy, lambda request: fault):
            save_index(client, "bucket", "index", ENTRIES)
        assert "s3://bucket/index" in caplog.text
        assert "every file is compared again" in caplog.text
