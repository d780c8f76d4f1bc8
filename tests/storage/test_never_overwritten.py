"""Saves whose name is taken get another name, and replace no other file."""

import gzip
import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage
from pytest_django import Settings

from herokuify.exceptions import S3Error
from herokuify.s3 import upload
from herokuify.storage import CachedS3BotoStorage, S3BotoStorage, S3MediaStorage
from tests.replay import (
    ACCESS_DENIED,
    CONTESTED,
    INTERNAL_ERROR,
    NO_UPLOAD,
    NOT_IMPLEMENTED,
    TAKEN,
    Answer,
    Fault,
    Proxy,
    Request,
)
from tests.servers import S3Server, client_of
from tests.storage.helpers import on_ceph, read
from tests.storages import Connect

pytestmark = pytest.mark.no_django

LARGE = 9 * 2**20


@pytest.fixture(autouse=True)
def forget_servers() -> Iterator[None]:
    """Forget what each proxy supports, because a later proxy may get the same port."""
    upload._honouring.clear()
    upload._without_conditions.clear()
    yield
    upload._honouring.clear()
    upload._without_conditions.clear()


def bodies(storage: Any) -> list[bytes]:
    names = storage.listdir("")[1]
    return sorted(read(storage, name) for name in names)


class BlindStorage(S3MediaStorage):
    """Takes every name for free, as if another save came between the check and the upload."""

    def exists(self, name: Any) -> bool:
        return False


class TestTakenNames:
    @pytest.mark.parametrize("size", [5, LARGE])
    def test_taken_after_the_check(self, aws: S3Server, size: int) -> None:
        storage = BlindStorage()
        contents = [bytes([number]) * size for number in range(3)]
        names = [storage.save("a.txt", ContentFile(content)) for content in contents]
        assert names[0] == "a.txt"
        assert len(set(names)) == 3
        assert all(name.startswith("a") and name.endswith(".txt") for name in names)
        assert [read(storage, name) for name in names] == contents

    @on_ceph  # moto checks and writes in two steps
    def test_concurrent_saves(self, aws: S3Server) -> None:
        storage = S3MediaStorage()
        contents = [b"%d" % number for number in range(40)]
        with ThreadPoolExecutor(8) as pool:
            names = list(pool.map(lambda one: storage.save("a.txt", ContentFile(one)), contents))
        assert len(set(names)) == 40
        assert [read(storage, name) for name in names] == contents

    def test_taken_during_the_upload(self, aws: S3Server) -> None:
        """Both are multipart uploads."""
        storage = S3MediaStorage()
        others: list[str] = []

        class Slow(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                data = super().read(size)
                if not data and not others:
                    others.append(storage.save("a.bin", ContentFile(b"2" * LARGE)))
                return data

        name = storage.save("a.bin", File(Slow(b"1" * LARGE)))
        assert others == ["a.bin"]
        assert name != "a.bin"
        assert read(storage, "a.bin") == b"2" * LARGE
        assert read(storage, name) == b"1" * LARGE

    @pytest.mark.parametrize("answer", [TAKEN, CONTESTED])
    @pytest.mark.parametrize(
        ("size", "operation"), [(5, "PutObject"), (LARGE, "CompleteMultipartUpload")]
    )
    def test_conflict_is_answered_by_another_name(
        self, proxied: Proxy, answer: Answer, size: int, operation: str
    ) -> None:
        storage = S3MediaStorage()
        proxied.on(operation, answer, None)
        name = storage.save("folder/a.tar.gz", ContentFile(bytes(size)))
        assert name.startswith("folder/a_")
        assert name.endswith(".tar.gz")
        assert storage.size(name) == size
        assert not storage.exists("folder/a.tar.gz")
        uploads = storage.client.list_multipart_uploads(Bucket=storage.bucket_name)
        assert not uploads.get("Uploads")

    def test_other_name_respects_max_length(self, proxied: Proxy) -> None:
        proxied.on("PutObject", TAKEN, None)
        storage = S3MediaStorage()
        name = storage.save("a" * 26 + ".txt", ContentFile(b"x"), max_length=30)
        assert len(name) <= 30
        assert name.endswith(".txt")
        assert read(storage, name) == b"x"

    @pytest.mark.parametrize("answer", [TAKEN, CONTESTED])
    def test_gives_up_after_ten_conflicts(self, proxied: Proxy, answer: Answer) -> None:
        proxied.on("PutObject", answer)
        with pytest.raises(S3Error, match=rf"media/a_.*already exists.*10 attempts.*{proxied.url}"):
            S3MediaStorage().save("a.txt", ContentFile(b"x"))
        assert proxied.operations.count("PutObject") == 10

    def test_get_available_name_cannot_cause_overwriting(self, aws: S3Server) -> None:
        """A common recipe for overwriting; ``file_overwrite`` is the supported way."""

        class Own(S3MediaStorage):
            def get_available_name(self, name: str, max_length: int | None = None) -> str:
                return name

        storage = Own()
        names = [storage.save("a.txt", ContentFile(text)) for text in ("1", "2")]
        assert [read(storage, name) for name in names] == [b"1", b"2"]
        storage = Own(file_overwrite=True)
        names = [storage.save("b.txt", ContentFile(text)) for text in ("1", "2")]
        assert names == ["b.txt", "b.txt"]

    def test_contents_that_can_be_read_only_once(self, proxied: Proxy) -> None:
        class Pipe:
            """Like sys.stdin: without seek() and tell()."""

            name = "pipe"
            content_type = "text/x-special"

            def __init__(self, data: bytes) -> None:
                self.left = data

            def read(self, size: int = -1) -> bytes:
                taken, self.left = self.left[:size], self.left[size:]
                return taken

        storage = S3MediaStorage()
        for content in (
            File(cast(Any, Pipe(b"some bytes"))),
            (part for part in ["some ", b"bytes"]),
        ):
            proxied.on("PutObject", TAKEN, CONTESTED, None)
            name = storage.save("a.txt", content)
            assert read(storage, name) == b"some bytes"

    def test_local_copies(self, aws: S3Server, local_root: Any) -> None:
        storage = CachedS3BotoStorage(file_overwrite=False)
        contents = [b"1", b"2", b"3"]
        names = []
        for content in contents:
            names.append(storage.save("a.txt", ContentFile(content)))
            (local_root / "a.txt").unlink(missing_ok=True)  # another dyno's disk
        assert len(set(names)) == 3
        assert [read(storage, name) for name in names] == contents


class TestOwnObjects:
    """A request whose response was lost is repeated, and finds the object that it created."""

    def test_put(self, proxied: Proxy, no_pauses: list[float]) -> None:
        storage = S3MediaStorage()
        proxied.on("PutObject", Fault.LOST, None)
        assert storage.save("a.txt", ContentFile(b"content")) == "a.txt"
        assert proxied.operations == ["PutObject", "PutObject", "HeadObject"]
        assert bodies(storage) == [b"content"]

    @pytest.mark.parametrize("again", [None, TAKEN, CONTESTED, NO_UPLOAD, ACCESS_DENIED])
    @pytest.mark.parametrize("overwrite", [True, False])
    def test_completion(
        self, proxied: Proxy, no_pauses: list[float], again: Any, overwrite: bool
    ) -> None:
        storage = S3MediaStorage(file_overwrite=overwrite)
        proxied.on("CompleteMultipartUpload", Fault.LOST, again)
        assert storage.save("a.bin", ContentFile(bytes(LARGE))) == "a.bin"
        assert bodies(storage) == [bytes(LARGE)]
        assert "AbortMultipartUpload" not in proxied.operations

    def test_completion_whose_responses_are_all_lost(
        self, proxied: Proxy, no_pauses: list[float]
    ) -> None:
        proxied.on("CompleteMultipartUpload", Fault.LOST)
        storage = S3MediaStorage()
        assert storage.save("a.bin", ContentFile(bytes(LARGE))) == "a.bin"
        assert bodies(storage) == [bytes(LARGE)]

    def test_object_of_another_save_is_not_its_own(
        self, proxied: Proxy, no_pauses: list[float]
    ) -> None:
        """The first request never arrived, and another save came before the second."""
        other = S3MediaStorage()

        def overtake(request: Request) -> Any:
            if request.operation == "PutObject" and request.body == b"mine":
                proxied.rule = None
                other.save("a.txt", ContentFile(b"another's"))
                return Fault.DROPPED
            return None

        proxied.rule = overtake
        storage = S3MediaStorage()
        name = storage.save("a.txt", ContentFile(b"mine"))
        assert name != "a.txt"
        assert (read(storage, "a.txt"), read(storage, name)) == (b"another's", b"mine")

    def test_unreadable_object_may_be_another_save(
        self, proxied: Proxy, no_pauses: list[float]
    ) -> None:
        """If it may not read, it saves the file twice rather than losing one."""
        storage = BlindStorage()
        proxied.on("PutObject", Fault.LOST, None)
        proxied.on("HeadObject", ACCESS_DENIED)
        name = storage.save("a.txt", ContentFile(b"content"))
        assert name.startswith("a_")
        client = client_of(S3Server("moto", proxied.url, "test-key", "test-secret"))
        listing = client.list_objects_v2(Bucket=storage.bucket_name)["Contents"]
        assert [entry["Size"] for entry in listing] == [7, 7]

    def test_no_token_for_overwriting(self, proxied: Proxy) -> None:
        S3MediaStorage(file_overwrite=True).save("a.txt", ContentFile(b"x"))
        (request,) = proxied.requests
        assert "if-none-match" not in request.headers
        assert not [name for name in request.headers if name.startswith("x-amz-meta")]

    def test_configured_metadata_is_kept(self, proxied: Proxy) -> None:
        storage = S3MediaStorage(headers={"x-amz-meta-kind": "photo"})
        tokens = set()
        for name in ("a.txt", "b.txt"):
            storage.save(name, ContentFile(b"x"))
            headers = proxied.requests[-1].headers
            assert headers["x-amz-meta-kind"] == "photo"
            tokens.add(headers["x-amz-meta-herokuify-save"])
        assert len(tokens) == 2


class TestServices:
    def test_without_conditional_puts(self, proxied: Proxy, caplog: Any) -> None:
        def rule(request: Request) -> Answer | None:
            refused = request.operation == "PutObject" and "if-none-match" in request.headers
            return NOT_IMPLEMENTED if refused else None

        proxied.rule = rule
        storage = S3MediaStorage()
        contents = [b"1", b"2", b"3"]
        names = [storage.save("a.txt", ContentFile(content)) for content in contents]
        assert len(set(names)) == 3
        assert bodies(storage) == contents
        assert caplog.text.count("refuses conditional writes") == 1
        blind = BlindStorage()
        name = blind.save("a.txt", ContentFile(b"4"))
        assert name != "a.txt"
        assert bodies(storage) == [*contents, b"4"]

    def test_completion_that_ignores_the_condition(self, proxied: Proxy) -> None:
        """As with Ceph 16: herokuify can only check just before completing."""
        storage = BlindStorage()
        storage.save("a.bin", ContentFile(b"first"))
        proxied.requests.clear()
        name = storage.save("a.bin", ContentFile(bytes(LARGE)))
        assert name != "a.bin"
        assert read(storage, "a.bin") == b"first"
        assert proxied.operations.count("CompleteMultipartUpload") == 1

    def test_completion_that_supports_the_condition_is_remembered(self, proxied: Proxy) -> None:
        storage = S3MediaStorage()
        proxied.on("CompleteMultipartUpload", TAKEN, None)
        storage.save("a.bin", ContentFile(bytes(LARGE)))
        assert upload._honouring == {(proxied.url, "CompleteMultipartUpload")}
        proxied.requests.clear()
        storage.save("b.bin", ContentFile(bytes(LARGE)))
        assert proxied.operations == [
            "CreateMultipartUpload",
            *["UploadPart"] * 2,
            "CompleteMultipartUpload",
        ]
        assert proxied.requests[-1].headers["if-none-match"] == "*"

    def test_conflict_of_the_bucket_is_not_a_taken_name(
        self, moto: S3Server, connect: Connect, proxy: Proxy
    ) -> None:
        """S3 also answers 409 if the bucket's name belongs to another account."""
        proxy.on("CreateBucket", Answer("", 409, "BucketAlreadyExists", "Not available."))
        connect(moto, "missing-bucket", endpoint_url=proxy.url, AWS_AUTO_CREATE_BUCKET=True)
        for size in (5, LARGE):
            with pytest.raises(S3Error, match="belongs to another account"):
                S3MediaStorage().save("a.txt", ContentFile(bytes(size)))

    def test_checksums_of_parts(self, proxied: Proxy, settings: Settings) -> None:
        """As with boto3, all requests of an upload use the same algorithm."""
        from botocore.config import Config

        settings.AWS_S3_CLIENT_CONFIG = Config(request_checksum_calculation="when_supported")
        storage = S3MediaStorage()
        content = os.urandom(LARGE)
        storage.save("a.bin", ContentFile(content))
        by_operation = {request.operation: request for request in proxied.requests}
        start = by_operation["CreateMultipartUpload"]
        assert start.headers["x-amz-checksum-algorithm"] == "CRC32"
        assert "x-amz-checksum-crc32" in by_operation["UploadPart"].headers
        assert b"<ChecksumCRC32>" in by_operation["CompleteMultipartUpload"].body
        assert read(storage, "a.bin") == content


class TestFailures:
    @pytest.mark.parametrize("operation", ["UploadPart", "CompleteMultipartUpload"])
    @pytest.mark.parametrize("fault", [ACCESS_DENIED, INTERNAL_ERROR, Fault.DROPPED])
    def test_failed_upload_leaves_nothing(
        self, proxied: Proxy, no_pauses: list[float], operation: str, fault: Any
    ) -> None:
        storage = S3MediaStorage()
        proxied.on(operation, *([None] if operation == "UploadPart" else []), fault)
        with pytest.raises(OSError, match="s3:PutObject"):
            storage.save("a.bin", ContentFile(bytes(40 * 2**20)))
        assert not storage.exists("a.bin")
        uploads = storage.client.list_multipart_uploads(Bucket=storage.bucket_name)
        assert not uploads.get("Uploads")

    def test_failing_source_leaves_nothing(self, default_storage: Any) -> None:
        class Failing(File):  # type: ignore[type-arg]  # not generic at run time
            def __init__(self) -> None:
                super().__init__(None, "a.bin")

            def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
                yield bytes(2 * LARGE)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            default_storage.save("a.bin", Failing())
        assert not default_storage.exists("a.bin")

    def test_failed_abort_does_not_hide_the_error(
        self, proxied: Proxy, no_pauses: list[float], caplog: Any
    ) -> None:
        proxied.on("UploadPart", ACCESS_DENIED)
        proxied.on("AbortMultipartUpload", ACCESS_DENIED)
        with pytest.raises(OSError, match="s3:PutObject"):
            S3MediaStorage().save("a.bin", ContentFile(bytes(LARGE)))
        assert "lifecycle rule" in caplog.text


class TestSize:
    def test_parts_grow_with_the_object(self) -> None:
        """S3 allows 10,000 parts."""
        storage = S3BotoStorage()
        assert storage.transfer.for_size(2**30).part_size == 8 * 2**20
        terabyte = storage.transfer.for_size(2**40)
        assert terabyte.part_size * 10_000 >= 2**40

    def test_source_that_cannot_seek_from_the_end(
        self, default_storage: Storage, aws: S3Server
    ) -> None:
        body = os.urandom(LARGE)
        packed = gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(body, 1)))
        name = default_storage.save("a.bin", File(cast(Any, packed)))
        assert read(default_storage, name) == body
