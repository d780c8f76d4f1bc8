"""Reading by ranges: requests, memory, objects that change, broken connections."""

import gzip
import io
import os
import random
import tracemalloc
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.http import FileResponse
from PIL import Image
from pytest_django import Settings

from herokuify.exceptions import S3Error
from herokuify.s3 import reader
from herokuify.storage import S3BotoStorage, S3MediaStorage
from tests.project import Project
from tests.replay import ACCESS_DENIED, ERRORS, Answer, Document, Fault, Proxy, Request
from tests.servers import S3Server
from tests.storage.helpers import on_moto, read

pytestmark = pytest.mark.no_django

MEGABYTE = 2**20
BODY = random.Random(5).randbytes(5 * MEGABYTE)


@pytest.fixture
def saved(proxied: Proxy) -> S3MediaStorage:
    """A storage behind the proxy, with BODY as a.bin."""
    storage = S3MediaStorage()
    storage.save("a.bin", ContentFile(BODY))
    proxied.requests.clear()
    return storage


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "PAUSE", 0)


def spans(proxy: Proxy) -> list[str]:
    return [r.headers["range"] for r in proxy.requests if r.operation == "GetObject"]


class TestRequests:
    def test_open_and_seek_download_nothing(self, saved: Any, proxied: Proxy) -> None:
        with saved.open("a.bin") as file:
            file.seek(3 * MEGABYTE)
            file.seek(-10, os.SEEK_END)
            assert file.tell() == len(BODY) - 10
            assert file.size == len(BODY)
            assert FileResponse(file).headers["Content-Length"] == "10"
        assert proxied.operations == ["HeadObject"]

    def test_few_bytes(self, saved: Any, proxied: Proxy) -> None:
        with saved.open("a.bin") as file:
            assert file.read(3) == BODY[:3]
            assert file.read(1000) == BODY[3:1003]
        assert proxied.operations == ["HeadObject", "GetObject"]
        assert spans(proxied) == ["bytes=0-65535"]

    def test_few_bytes_in_the_middle(self, saved: Any, proxied: Proxy) -> None:
        with saved.open("a.bin") as file:
            file.seek(MEGABYTE)
            assert file.read(3) == BODY[MEGABYTE : MEGABYTE + 3]
            file.seek(-3, os.SEEK_END)
            assert file.read() == BODY[-3:]
        assert spans(proxied) == ["bytes=1048576-1114111", f"bytes={len(BODY) - 3}-"]

    @pytest.mark.parametrize("way", ["read", "chunks", "small reads"])
    def test_whole_file_takes_few_requests(self, saved: Any, proxied: Proxy, way: str) -> None:
        with saved.open("a.bin") as file:
            if way == "read":
                found = file.read()
            elif way == "chunks":
                found = b"".join(file.chunks())
            else:
                found = b"".join(iter(lambda: file.read(1000), b""))
        assert found == BODY
        if way == "read":
            assert spans(proxied) == ["bytes=0-"]
        else:
            assert spans(proxied) == ["bytes=0-65535", "bytes=65536-1114111", "bytes=1114112-"]

    def test_short_skips_share_a_request(self, saved: Any, proxied: Proxy) -> None:
        """Reading the bytes in between is cheaper than another request."""
        with saved.open("a.bin") as file:
            assert file.read(2 * MEGABYTE) == BODY[: 2 * MEGABYTE]
            assert file.read(MEGABYTE) == BODY[2 * MEGABYTE : 3 * MEGABYTE]
            before = len(spans(proxied))
            for position in range(3 * MEGABYTE, 4 * MEGABYTE, 200_000):
                file.seek(position)
                assert file.read(3) == BODY[position : position + 3]
            assert len(spans(proxied)) == before + 1

    def test_empty_file(self, proxied: Proxy) -> None:
        storage = S3MediaStorage()
        storage.save("empty", ContentFile(b""))
        proxied.requests.clear()
        with storage.open("empty") as file:
            assert (file.read(), file.read(3), list(file.chunks())) == (b"", b"", [])
            file.seek(10)
            assert file.read() == b""
        assert proxied.operations == ["HeadObject"]

    def test_connections_are_reused(self, saved: Any, proxied: Proxy) -> None:
        pool = saved.client._endpoint.http_session._manager
        for _ in range(5):
            with saved.open("a.bin") as file:
                file.read(3)
        pools = [pool.pools[key] for key in pool.pools.keys()]  # noqa: SIM118
        assert sum(one.num_connections for one in pools) <= 3

    def test_images(self, aws: S3Server, proxied: Proxy) -> None:
        """Width and height, as ImageField reads them."""
        picture = io.BytesIO()
        Image.effect_noise((1500, 1000), 90).save(picture, "PNG")
        assert len(picture.getvalue()) > MEGABYTE
        storage = S3MediaStorage()
        storage.save("a.png", ContentFile(picture.getvalue()))
        proxied.requests.clear()
        with storage.open("a.png") as file:
            assert Image.open(file).size == (1500, 1000)
        assert spans(proxied) == ["bytes=0-65535"]
        with storage.open("a.png") as file:
            Image.open(file).verify()

    @on_moto
    def test_memory_is_bounded(self, aws: S3Server) -> None:
        storage = S3MediaStorage()
        storage.save("a.bin", ContentFile(bytes(40 * MEGABYTE)))
        with storage.open("a.bin") as file:
            tracemalloc.start()
            try:
                assert sum(map(len, file.chunks())) == 40 * MEGABYTE
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert peak < 8 * MEGABYTE


class TestFileInterface:
    def test_random_access_as_on_a_disk(self, default_storage: Any) -> None:
        body = BODY[: 3 * MEGABYTE]
        name = default_storage.save("a.bin", ContentFile(body))
        local = io.BytesIO(body)
        chance = random.Random(1)
        with default_storage.open(name) as file:
            for _ in range(300):
                action = chance.randrange(6)
                if action == 0:
                    offset = chance.randrange(len(body) + 10)
                    assert file.seek(offset) == local.seek(offset)
                elif action == 1:
                    offset = -chance.randrange(len(body))
                    assert file.seek(offset, os.SEEK_END) == local.seek(offset, os.SEEK_END)
                elif action == 2:
                    assert file.readline() == local.readline()
                else:
                    size = chance.choice([0, 1, 100, 70_000, 500_000])
                    assert file.read(size) == local.read(size)
                assert file.tell() == local.tell()
            file.seek(5)
            assert file.read() == body[5:]

    def test_invalid_positions_and_closed_files_are_errors(self, default_storage: Any) -> None:
        name = default_storage.save("a.txt", ContentFile(b"content"))
        file = default_storage.open(name)
        with pytest.raises((ValueError, OSError), match="negative"):
            file.seek(-1)
        file.close()
        for action in (file.read, lambda: file.seek(0)):
            with pytest.raises(ValueError, match="closed"):
                action()
        with pytest.raises(ValueError, match="closed"):
            file.file.raw.read(1)
        with pytest.raises(ValueError, match="closed"):
            file.file.raw.seek(1)

    def test_text(self, default_storage: Any) -> None:
        text = "Zeile 1 – ä\r\nzwei\n世界\r\n" * 20_000
        name = default_storage.save("a.txt", ContentFile(text.encode()))
        expected = text.replace("\r\n", "\n")
        with default_storage.open(name, "r") as file:
            assert file.encoding == "utf-8"
            assert file.readline() == "Zeile 1 – ä\n"
            place = file.tell()
            assert file.read(5) == "zwei\n"
            file.seek(place)
            assert file.read() == expected[len("Zeile 1 – ä\n") :]
            assert "".join(file) == expected

    def test_invalid_text(self, default_storage: Any) -> None:
        name = default_storage.save("a.txt", ContentFile(b"\xff\xfe\xfd"))
        with default_storage.open(name, "r") as file, pytest.raises(UnicodeDecodeError):
            file.read()


class TestGzip:
    CSS = b"".join(b"a%d { color: red }\n" % number for number in range(40_000))

    @pytest.mark.parametrize("is_still_on", [True, False])
    def test_objects_compressed_by_the_storage(
        self, aws: S3Server, settings: Settings, is_still_on: bool
    ) -> None:
        S3MediaStorage(gzip=True).save("a.css", ContentFile(self.CSS))
        settings.AWS_IS_GZIPPED = is_still_on
        storage = S3MediaStorage()
        with storage.open("a.css") as file:
            assert file.read(10) == self.CSS[:10]
            file.seek(300_000)
            assert file.read(10) == self.CSS[300_000:300_010]
            file.seek(0)
            assert file.read() == self.CSS
            assert b"".join(file.chunks()) == self.CSS
        assert read(storage, "a.css", "r") == self.CSS.decode()
        copy = storage.save("copy.css", storage.open("a.css"))
        assert read(storage, copy) == self.CSS

    @pytest.mark.parametrize("metadata", [None, {}, {"herokuify-length": "unknown"}])
    @pytest.mark.parametrize("coding", ["gzip", "GZIP", "aws-chunked,gzip", "x-gzip"])
    def test_size_is_the_decompressed_length(
        self, aws: S3Server, metadata: Any, coding: str
    ) -> None:
        """Also if another program compressed the object, in two members."""
        storage: Any = S3MediaStorage(gzip=True)
        if metadata is None:
            storage.save("a.css", ContentFile(self.CSS))
        else:
            half = len(self.CSS) // 2
            body = gzip.compress(self.CSS[:half]) + gzip.compress(self.CSS[half:])
            address = {"Bucket": storage.bucket_name, "Key": "media/a.css"}
            storage.client.put_object(
                **address, Body=body, ContentEncoding=coding, Metadata=metadata
            )
        head = storage.client.head_object(Bucket=storage.bucket_name, Key="media/a.css")
        assert head["ContentLength"] < len(self.CSS)
        assert storage.size("a.css") == len(self.CSS)
        with storage.open("a.css") as file:
            assert (file.size, len(file)) == (len(self.CSS), len(self.CSS))
            assert file.multiple_chunks()
            response = FileResponse(file)
            assert response.headers["Content-Length"] == str(len(self.CSS))
            assert b"".join(response) == self.CSS
        with storage.open("a.css") as file:
            assert file.seek(-7, os.SEEK_END) == len(self.CSS) - 7
            assert file.read() == self.CSS[-7:]
            assert file.seek(10**9) == 10**9
            assert file.read() == b""
            assert (file.seek(5), file.read(3)) == (5, self.CSS[5:8])
        with storage.open("a.css", "r+b") as file:
            file.seek(0, os.SEEK_END)
            file.write(b"/* more */")
        assert read(storage, "a.css") == self.CSS + b"/* more */"
        assert storage.size("a.css") == len(self.CSS) + 10

    def test_length_needs_no_download(self, proxied: Proxy) -> None:
        storage = S3MediaStorage(gzip=True)
        storage.save("a.css", ContentFile(self.CSS))
        proxied.requests.clear()
        with storage.open("a.css") as file:
            FileResponse(file)
            assert file.size == storage.size("a.css") == len(self.CSS)
        assert set(proxied.operations) == {"HeadObject"}

    @pytest.mark.parametrize("is_on", [True, False])
    def test_files_saved_compressed_are_read_unchanged(
        self, aws: S3Server, settings: Settings, is_on: bool
    ) -> None:
        settings.AWS_IS_GZIPPED = is_on
        settings.AWS_EXTRA_HEADERS = [(r".*\.packed\.css$", {"Content-Encoding": "gzip"})]
        storage = S3MediaStorage()
        packed = gzip.compress(self.CSS)
        for name in ("a.packed.css", "a.svgz", "a.css.gz"):
            storage.save(name, ContentFile(packed))
            assert read(storage, name) == packed

    def test_open_compresses(self, aws: S3Server) -> None:
        storage = S3MediaStorage(gzip=True)
        with storage.open("a.css", "w") as file:
            file.write(self.CSS.decode())
        head = storage.client.head_object(Bucket=storage.bucket_name, Key="media/a.css")
        assert head["ContentEncoding"] == "gzip"
        assert read(storage, "a.css") == self.CSS


class TestChanges:
    def test_replaced_while_reading(self, aws: S3Server) -> None:
        storage = S3MediaStorage(file_overwrite=True)
        storage.save("a.bin", ContentFile(b"1" * MEGABYTE))
        with storage.open("a.bin") as file:
            assert file.read(10) == b"1" * 10
            storage.save("a.bin", ContentFile(b"2" * MEGABYTE))
            with pytest.raises(S3Error, match=r"media/a.bin was replaced.*Open it again"):
                file.read()
            file.close()
            file.open()
            assert file.read() == b"2" * MEGABYTE

    def test_replaced_by_a_shorter_object(self, aws: S3Server) -> None:
        storage = S3MediaStorage(file_overwrite=True)
        storage.save("a.bin", ContentFile(b"1" * MEGABYTE))
        with storage.open("a.bin") as file:
            file.seek(MEGABYTE // 2)
            storage.save("a.bin", ContentFile(b"2"))
            with pytest.raises(S3Error, match="was replaced"):
                file.read(1)

    def test_service_that_ignores_the_condition(self, saved: Any, proxied: Proxy) -> None:
        headers = {"ETag": f'"{"f" * 32}"', "Content-Range": f"bytes 0-2/{len(BODY)}"}
        proxied.on("GetObject", Document(ERRORS, b"abc", 206, headers))
        with saved.open("a.bin") as file, pytest.raises(S3Error, match="was replaced"):
            file.read()

    def test_deleted_while_reading(self, aws: S3Server) -> None:
        storage = S3MediaStorage()
        storage.save("a.bin", ContentFile(BODY))
        with storage.open("a.bin") as file:
            file.read(10)
            storage.delete("a.bin")
            with pytest.raises(FileNotFoundError, match=r"media/a\.bin"):
                file.read()


@pytest.mark.usefixtures("no_waiting")
class TestBrokenConnections:
    @pytest.mark.parametrize("way", ["read", "chunks"])
    def test_download_is_resumed(self, saved: Any, proxied: Proxy, way: str) -> None:
        proxied.on("GetObject", Fault.CUT, Fault.CUT, Fault.DROPPED, Fault.CUT, None)
        with saved.open("a.bin") as file:
            assert (file.read() if way == "read" else b"".join(file.chunks())) == BODY
        assert len(spans(proxied)) >= 5
        starts = [int(span.removeprefix("bytes=").partition("-")[0]) for span in spans(proxied)]
        assert starts == sorted(starts)
        assert all("if-match" in r.headers for r in proxied.requests if r.operation == "GetObject")

    def test_gives_up_after_five_empty_responses(self, saved: Any, proxied: Proxy) -> None:
        """The responses are shorter than announced."""
        etag = saved.client.head_object(Bucket=saved.bucket_name, Key="media/a.bin")["ETag"]

        def rule(request: Request) -> Document | None:
            if request.operation != "GetObject":
                return None
            return Document(ERRORS, b"", 206, {"ETag": etag})

        proxied.rule = rule
        with saved.open("a.bin") as file:
            with pytest.raises(S3Error, match="reading s3://.*/media/a.bin.*broke off 5 times"):
                file.read(3)
            proxied.rule = None
            assert file.read(3) == BODY[:3]

    def test_broken_while_skipping(self, saved: Any, proxied: Proxy) -> None:
        with saved.open("a.bin") as file:
            proxied.on("GetObject", None, Fault.CUT, None)
            file.read(65_536)
            file.read(1)
            file.seek(65_536 + 600_000)
            assert file.read(3) == BODY[65_536 + 600_000 :][:3]

    def test_refusals_are_explained(self, saved: Any, proxied: Proxy) -> None:
        proxied.on("GetObject", ACCESS_DENIED, None)
        with saved.open("a.bin") as file:
            with pytest.raises(S3Error, match="s3:GetObject"):
                file.read()
            assert file.read() == BODY

    def test_server_error_is_retried(
        self, saved: Any, proxied: Proxy, no_pauses: list[float]
    ) -> None:
        proxied.on("GetObject", Answer(ERRORS, 500, "InternalError", "Try again."), None)
        assert read(saved, "a.bin") == BODY


FORK = """
import os, random
from django.core.files.base import ContentFile
from herokuify.storage import S3MediaStorage

body = random.Random(1).randbytes(30 * 2**20)
storage = S3MediaStorage()
storage.save("a.bin", ContentFile(body))
file = storage.open("a.bin")
start = file.read(2_000_000)
done, tell = os.pipe()
child = os.fork()
if not child:
    # On the same socket, it would take the parent's data.
    ok = file.read(300_000) == body[2_000_000:2_300_000]
    file.close()
    os.write(tell, b"1")
    os._exit(0 if ok else 1)
os.read(done, 1)
print(start + file.read() == body, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
file.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_child_reads_from_a_connection_of_its_own(
    make_project: Any, moto: S3Server, moto_bucket: str
) -> None:
    settings = "from herokuify.aws import *\nSECRET_KEY = 'x'\nUSE_TZ = True\n"
    project: Project = make_project(
        settings, env={**moto.variables, "AWS_STORAGE_BUCKET_NAME": moto_bucket}
    )
    result = project.snippet(FORK)
    assert result.stdout == "True 0\n", result.stderr


def test_object_parameters_for_reading(proxied: Proxy, settings: Settings) -> None:
    settings.AWS_S3_OBJECT_PARAMETERS = {"RequestPayer": "requester", "CacheControl": "x"}
    storage: Storage = S3BotoStorage()
    storage.save("a.txt", ContentFile(b"x"))
    proxied.requests.clear()
    assert read(storage, "a.txt") == b"x"
    assert [r.headers["x-amz-request-payer"] for r in proxied.requests] == ["requester"] * 2
