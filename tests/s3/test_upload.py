import io
import random
from typing import Any

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import InMemoryStorage, Storage
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import Settings

from herokuify.storage import (
    S3BotoStorage,
)
from tests.replay import ACCESS_DENIED, Proxy
from tests.servers import S3Server
from tests.storage.helpers import read
from tests.testapp.models import Document

pytestmark = pytest.mark.no_django


class Source(io.BytesIO):
    """The caller's file, which must not be closed."""

    def close(self) -> None:
        raise AssertionError("the caller's file was closed")


class TestSaving:
    def test_content_can_be_saved_several_times(self, each_storage: Any) -> None:
        """It is neither closed nor, by herokuify, moved."""
        content = File(Source(b"0123456789"))
        content.seek(4)
        local = InMemoryStorage()
        # Django's own storage leaves the position at the end; herokuify's keep it.
        for storage, position in (
            (each_storage, 4),
            (local, 10),
            (S3BotoStorage(location="other"), 10),
        ):
            storage.save("a.txt", content)
            assert read(storage, "a.txt") == b"0123456789"
            assert content.tell() == position
        each_storage.save("b.txt", content)
        assert not content.closed
        assert content.tell() == 10

    def test_content_type_of_an_uploaded_file_is_kept(self, default_storage: Any) -> None:
        upload = SimpleUploadedFile("a.txt", b"x", content_type="text/x-special")
        name = default_storage.save("a.txt", upload)
        assert (
            default_storage.client.head_object(
                Bucket=default_storage.bucket_name, Key=f"media/{name}"
            )["ContentType"]
            == "text/x-special"
        )

    def test_file_of_another_storage(self, default_storage: Storage) -> None:
        name = default_storage.save("a.txt", ContentFile(b"content"))
        with default_storage.open(name) as file:
            copy = default_storage.save("copy.txt", file)
        assert read(default_storage, copy) == b"content"
        with Document(file=copy).file as file:
            third = default_storage.save("third.txt", file)
        assert read(default_storage, third) == b"content"

    @pytest.mark.parametrize("size", [5_000, 9 * 2**20])
    def test_short_reads(self, proxied: Proxy, size: int) -> None:
        """Raw streams may return fewer bytes than requested; only b"" means the end."""

        class Short(io.BytesIO):
            def read(self, length: int | None = -1, /) -> bytes:
                return super().read(min(length or 0, 1000) if (length or 0) >= 0 else length)

        body = random.randbytes(size)
        storage = S3BotoStorage()
        storage.save("a.bin", File(Short(body)))
        assert read(storage, "a.bin") == body

    def test_empty_file(self, each_storage: Storage) -> None:
        name = each_storage.save("empty.txt", ContentFile(b""))
        assert each_storage.exists(name)
        assert each_storage.size(name) == 0
        assert read(each_storage, name) == b""
        with each_storage.open(name) as file:
            assert list(file.chunks()) == []

    def test_small_files_are_one_plain_put(self, proxied: Proxy) -> None:
        S3BotoStorage().save("a.txt", ContentFile(b"x" * 100_000))
        (request,) = proxied.requests
        assert request.operation == "PutObject"
        assert request.body == b"x" * 100_000
        # Since 1.36, boto3 sends checksums in chunks, which other services refuse.
        assert not [name for name in request.headers if "checksum" in name or "trailer" in name]
        assert "content-encoding" not in request.headers

    def test_no_acl_and_no_headers_unless_configured(self, proxied: Proxy) -> None:
        S3BotoStorage().save("a.txt", ContentFile(b"x"))
        headers = proxied.requests[0].headers
        assert headers["content-type"] == "text/plain"
        assert not {name for name in headers if name.startswith("x-amz-acl")}
        assert "cache-control" not in headers

    def test_large_files_are_multipart(self, proxied: Proxy) -> None:
        body = bytes(range(256)) * 4096 * 20  # 20 MB
        content = Source(body)
        storage = S3BotoStorage()
        storage.save("a.bin", File(content))
        assert content.tell() == 0
        assert proxied.operations == [
            "CreateMultipartUpload",
            *["UploadPart"] * 3,
            "CompleteMultipartUpload",
        ]
        assert storage.size("a.bin") == len(body)
        assert read(storage, "a.bin") == body

    def test_large_files_get_every_header(self, proxied: Proxy, settings: Settings) -> None:
        """s3transfer accepts fewer parameters than put_object()."""
        settings.AWS_HEADERS = {
            "Cache-Control": "max-age=1",
            "x-amz-meta-a": "1",
            "x-amz-server-side-encryption": "aws:kms",
            "x-amz-server-side-encryption-bucket-key-enabled": True,
            "x-amz-storage-class": "STANDARD_IA",
            "x-amz-tagging": "a=1",
        }
        S3BotoStorage().save("a.bin", ContentFile(bytes(9 * 2**20)))
        (start,) = [r for r in proxied.requests if r.operation == "CreateMultipartUpload"]
        for name, value in settings.AWS_HEADERS.items():
            assert start.headers[name.lower()] == str(value).lower() if value is True else value

    def test_failed_large_upload_leaves_nothing(self, proxied: Proxy, moto: S3Server) -> None:
        proxied.on("UploadPart", None, ACCESS_DENIED)
        storage = S3BotoStorage()
        with pytest.raises(OSError, match="s3:PutObject"):
            storage.save("a.bin", ContentFile(bytes(20 * 2**20)))
        assert not storage.exists("a.bin")
        uploads = moto.client().list_multipart_uploads(Bucket=storage.bucket_name)
        assert not uploads.get("Uploads")

    def test_threshold(self, proxied: Proxy) -> None:
        threshold = 8 * 2**20
        storage = S3BotoStorage()
        for size, operation in [
            (threshold - 1, "PutObject"),
            (threshold, "CompleteMultipartUpload"),
        ]:
            storage.save("a.bin", ContentFile(bytes(size)))
            assert proxied.operations[-1] == operation
            assert storage.size("a.bin") == size

    def test_max_length(self, default_storage: Storage) -> None:
        names = [default_storage.save("a" * 30 + ".txt", ContentFile(b""), 30) for _ in range(2)]
        assert len(set(names)) == 2
        assert all(len(name) <= 30 and name.endswith(".txt") for name in names)


class TestGzip:
    CSS = b"a { color: red }\n" * 500

    def stored(self, storage: Any, name: str) -> Any:
        return storage.client.get_object(Bucket=storage.bucket_name, Key=name)

    def test_compressed_if_smaller(self, aws: S3Server, settings: Settings) -> None:
        settings.AWS_IS_GZIPPED = True
        storage = S3BotoStorage()
        storage.save("a.css", ContentFile(self.CSS))
        answer = self.stored(storage, "a.css")
        body = answer["Body"].read()
        assert answer["ContentEncoding"] == "gzip"
        assert answer["ContentType"] == "text/css"
        assert len(body) < len(self.CSS) / 2
        assert storage.size("a.css") == len(self.CSS)
        assert read(storage, "a.css") == self.CSS
        assert read(storage, "a.css", "r") == self.CSS.decode()
        storage.save("b.css", ContentFile(self.CSS))
        assert self.stored(storage, "b.css")["Body"].read() == body

    @pytest.mark.parametrize(
        ("name", "content_type"),
        [
            ("small.css", "text/css"),
            ("image.png", "image/png"),
            ("site.css.gz", "application/gzip"),
            ("archive.tar.gz", "application/gzip"),
            ("archive.zip", "application/zip"),
        ],
    )
    def test_not_compressed(
        self, aws: S3Server, settings: Settings, name: str, content_type: str
    ) -> None:
        settings.AWS_IS_GZIPPED = True
        body = b"a{}" if name == "small.css" else self.CSS
        storage = S3BotoStorage()
        storage.save(name, ContentFile(body))
        answer = self.stored(storage, name)
        assert answer["Body"].read() == body
        assert answer["ContentType"] == content_type
        assert not answer.get("ContentEncoding")

    def test_svgz_has_its_encoding(self, aws: S3Server) -> None:
        storage = S3BotoStorage()
        storage.save("a.svgz", ContentFile(b"compressed"))
        answer = self.stored(storage, "a.svgz")
        assert (answer["ContentType"], answer["ContentEncoding"]) == ("image/svg+xml", "gzip")
        assert answer["Body"].read() == b"compressed"

    def test_configured_encoding_takes_precedence(self, aws: S3Server, settings: Settings) -> None:
        settings.AWS_IS_GZIPPED = True
        settings.AWS_HEADERS = {"Content-Encoding": "identity"}
        storage = S3BotoStorage()
        storage.save("a.css", ContentFile(self.CSS))
        answer = self.stored(storage, "a.css")
        assert answer["ContentEncoding"] == "identity"
        assert answer["Body"].read() == self.CSS

    def test_large_and_compressible(self, aws: S3Server, settings: Settings) -> None:
        settings.AWS_IS_GZIPPED = True
        data = self.CSS * 2500  # 21 MB
        storage = S3BotoStorage()
        storage.save("a.css", ContentFile(data))
        assert self.stored(storage, "a.css")["ContentEncoding"] == "gzip"
        assert read(storage, "a.css") == data
