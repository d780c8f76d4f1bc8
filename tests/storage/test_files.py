import array
import csv
import gzip
import os
import zipfile
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from pytest_django import Settings

from herokuify.storage import S3BotoStorage, S3StaticStorage
from tests.replay import ACCESS_DENIED, Fault, Proxy
from tests.servers import S3Server
from tests.storage.helpers import read, write_and_fail

MEGABYTE = 2**20


class TestWriting:
    def test_text_and_bytes(self, default_storage: Storage) -> None:
        with default_storage.open("a.txt", "w") as file:
            assert file.write("Grüße\n") == 6
            assert file.write(b"bytes\n") == 6
            assert file.size == 14
        assert read(default_storage, "a.txt") == "Grüße\nbytes\n".encode()
        with default_storage.open("a.txt", "wb") as file:
            assert file.write("Grüße\n") == 8
        assert read(default_storage, "a.txt") == "Grüße\n".encode()

    def test_nothing_written(self, default_storage: Storage) -> None:
        default_storage.open("empty.txt", "wb").close()
        assert read(default_storage, "empty.txt") == b""

    def test_open_replaces_the_file(self, default_storage: Storage) -> None:
        """As in Django, only save() chooses another name."""
        for text in ("a longer first text", "second", ""):
            with default_storage.open("a.txt", "w") as file:
                file.write(text)
            assert read(default_storage, "a.txt", "r") == text

    def test_formats_written_without_seek(self, default_storage: Storage) -> None:
        with default_storage.open("a.zip", "wb") as file, zipfile.ZipFile(file, "w") as archive:
            for number in range(3):
                archive.writestr(f"{number}.bin", os.urandom(3 * MEGABYTE))
        with default_storage.open("a.zip") as file, zipfile.ZipFile(file) as archive:
            assert archive.testzip() is None
            assert archive.namelist() == ["0.bin", "1.bin", "2.bin"]
        with default_storage.open("a.csv", "w") as file:
            csv.writer(file).writerows([["ä", 1], ["b", 2]])
        with default_storage.open("a.csv", "r") as file:
            assert list(csv.reader(file)) == [["ä", "1"], ["b", "2"]]
        with (
            default_storage.open("a.gz", "wb") as file,
            gzip.GzipFile(None, "wb", fileobj=file) as packed,
        ):
            packed.write(b"packed")
        assert gzip.decompress(read(default_storage, "a.gz")) == b"packed"

    @pytest.mark.parametrize("data", [bytearray(b"xy"), memoryview(b"xy"), array.array("H", b"xy")])
    def test_bytes_like_objects(self, default_storage: Storage, data: Any) -> None:
        with default_storage.open("a.bin", "wb") as file:
            assert file.write(data) == 2
            file.writelines(["a", b"b"])
        assert read(default_storage, "a.bin") == b"xyab"

    def test_second_close_does_nothing(self, proxied: Proxy) -> None:
        file = S3BotoStorage().open("a.txt", "w")
        file.write("x")
        assert not file.closed
        file.close()
        file.close()
        assert file.closed
        assert proxied.operations == ["PutObject"]

    def test_exception_in_a_with_block_leaves_no_object(self, default_storage: Storage) -> None:
        with pytest.raises(AttributeError), default_storage.open("a.txt", "w") as file:
            write_and_fail(file, "half")
        assert file.closed
        assert not default_storage.exists("a.txt")

    def test_exception_in_a_with_block_keeps_the_old_object(self, default_storage: Storage) -> None:
        default_storage.save("a.txt", ContentFile(b"old"))
        with pytest.raises(AttributeError), default_storage.open("a.txt", "wb") as file:
            write_and_fail(file, b"x" * 9 * MEGABYTE)
        assert read(default_storage, "a.txt") == b"old"

    def test_large(self, default_storage: Any) -> None:
        """Above the limits of the buffer in memory and of a single PUT."""
        with default_storage.open("a.bin", "wb") as file:
            for number in range(9):
                file.write(bytes([number]) * MEGABYTE)
        assert default_storage.size("a.bin") == 9 * MEGABYTE
        with default_storage.open("a.bin") as file:
            for number in range(9):
                assert file.read(MEGABYTE) == bytes([number]) * MEGABYTE

    def test_type_and_headers(self, aws: S3Server, settings: Settings) -> None:
        settings.AWS_EXTRA_HEADERS = [(r"a\.css$", {"Cache-Control": "max-age=7"})]
        storage = S3StaticStorage()
        with storage.open("a.css", "w") as file:
            file.write("a {}")
        head = storage.client.head_object(Bucket=storage.bucket_name, Key="static/a.css")
        assert (head["ContentType"], head["CacheControl"]) == ("text/css", "max-age=7")

    def test_a_failed_close_is_an_error_and_closes(self, proxied: Proxy) -> None:
        proxied.on("PutObject", ACCESS_DENIED)
        file = S3BotoStorage().open("a.txt", "w")
        file.write("x")
        with pytest.raises(OSError, match="s3:PutObject"):
            file.close()
        assert file.closed


class TestReading:
    def test_file_opened_for_reading_cannot_be_written(self, default_storage: Storage) -> None:
        name = default_storage.save("a.txt", ContentFile(b"x"))
        with default_storage.open(name) as file, pytest.raises((OSError, AttributeError)):
            file.write(b"y")
        assert read(default_storage, name) == b"x"

    def test_size_needs_no_download(self, proxied: Proxy) -> None:
        storage = S3BotoStorage()
        storage.save("a.txt", ContentFile(b"content"))
        proxied.requests.clear()
        assert storage.open("a.txt").size == 7
        assert set(proxied.operations) == {"HeadObject"}

    def test_read_after_a_failed_download(self, proxied: Proxy) -> None:
        storage = S3BotoStorage()
        storage.save("a.txt", ContentFile(b"content"))
        file = storage.open("a.txt")
        proxied.on("GetObject", ACCESS_DENIED, None)
        with pytest.raises(OSError, match="s3:GetObject"):
            file.read()
        assert file.read() == b"content"
        file.close()

    @pytest.mark.parametrize("mode", ["r", "rb"])
    def test_reopen_after_close(self, default_storage: Storage, mode: str) -> None:
        name = default_storage.save("a.txt", ContentFile(b"content"))
        file = default_storage.open(name, mode)
        for _ in range(2):
            file.open()
            assert file.read() == ("content" if mode == "r" else b"content")
            file.close()
        other = "rb" if mode == "r" else "r"
        for again in (other, other, mode, "w"):  # closed, and then open
            file.open(again)
            assert file.read() == (b"content" if other == "rb" else "content")
        file.close()
        assert read(default_storage, name) == b"content"

    def test_broken_connections_are_retried(self, proxied: Proxy, no_pauses: list[float]) -> None:
        storage = S3BotoStorage()
        storage.save("a.txt", ContentFile(b"content"))
        proxied.on("HeadObject", Fault.DROPPED, None)
        proxied.on("GetObject", Fault.DROPPED, Fault.LOST, None)
        assert read(storage, "a.txt") == b"content"
