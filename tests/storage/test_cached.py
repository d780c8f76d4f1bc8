import io
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.core.files.base import ContentFile
from pytest_django import Settings

from herokuify.storage import (
    CachedS3BotoStorage,
    CachedS3ManifestStaticStorage,
    CachedS3StaticStorage,
    S3StaticStorage,
)
from herokuify.storage.content import Content
from tests.replay import ACCESS_DENIED, Proxy
from tests.servers import S3Server
from tests.storage.helpers import NAMES, files, read, write_and_fail

CLASSES = [CachedS3BotoStorage, CachedS3StaticStorage, CachedS3ManifestStaticStorage]


@pytest.fixture(params=CLASSES)
def cached_storage(request: pytest.FixtureRequest, aws: S3Server, local_root: Path) -> Any:
    return request.param()


class TestSaving:
    def test_local_copy_equals_the_object(self, cached_storage: Any, local_root: Path) -> None:
        """The local path lacks the location, because compressor joins root and name."""
        for name in ["a.css", "deep/er/b.css", *NAMES]:
            body = name.encode()
            assert cached_storage.save(name, ContentFile(body)) == name
            assert (local_root / name).read_bytes() == body
            assert read(cached_storage, name) == body
        assert len(files(local_root)) == 2 + len(NAMES)

    def test_text_and_streams(self, cached_storage: Any, local_root: Path) -> None:
        cached_storage.save("a.txt", ContentFile("Grüße"))
        assert (
            (local_root / "a.txt").read_bytes() == read(cached_storage, "a.txt") == "Grüße".encode()
        )
        with cached_storage.open("b.txt", "w") as file:
            file.write("Grüße")
        assert (
            (local_root / "b.txt").read_bytes() == read(cached_storage, "b.txt") == "Grüße".encode()
        )

    def test_gzip_only_on_s3(self, aws: S3Server, settings: Settings, local_root: Path) -> None:
        settings.AWS_IS_GZIPPED = True
        storage = CachedS3StaticStorage()
        body = b"a {}\n" * 1000
        storage.save("a.css", ContentFile(body))
        assert (local_root / "a.css").read_bytes() == body
        assert storage.find("a.css").size < len(body)

    def test_content_keeps_its_position(self, cached_storage: Any, local_root: Path) -> None:
        content = ContentFile(b"0123456789")
        content.seek(3)
        cached_storage.save("a.txt", content)
        assert not content.closed
        assert content.tell() == 3

    def test_large(self, aws: S3Server, local_root: Path) -> None:
        storage = CachedS3StaticStorage()
        body = os.urandom(9 * 2**20)
        storage.save("a.bin", ContentFile(body))
        assert (local_root / "a.bin").read_bytes() == body
        assert storage.size("a.bin") == len(body)

    def test_permissions(self, aws: S3Server, settings: Settings, local_root: Path) -> None:
        settings.FILE_UPLOAD_PERMISSIONS = 0o640
        CachedS3StaticStorage().save("a.css", ContentFile(b""))
        assert stat.S_IMODE((local_root / "a.css").stat().st_mode) == 0o640


class TestFailures:
    @pytest.mark.parametrize("before", [None, b"old"])
    def test_refused_save_keeps_the_local_file(
        self, proxied: Proxy, local_root: Path, before: bytes | None
    ) -> None:
        storage = CachedS3StaticStorage()
        if before is not None:
            storage.save("a.css", ContentFile(before))
        proxied.on("PutObject", ACCESS_DENIED)
        with pytest.raises(OSError, match="s3:PutObject"):
            storage.save("a.css", ContentFile(b"new"))
        assert files(local_root) == ({} if before is None else {"a.css": before})

    def test_refused_part_leaves_no_local_file(self, proxied: Proxy, local_root: Path) -> None:
        proxied.on("UploadPart", None, ACCESS_DENIED)
        with pytest.raises(OSError, match="s3:PutObject"):
            CachedS3StaticStorage().save("a.css", ContentFile(bytes(20 * 2**20)))
        assert not files(local_root)

    def test_local_error_uploads_nothing(self, proxied: Proxy, local_root: Path) -> None:
        local_root.parent.mkdir(exist_ok=True)
        local_root.write_text("a file where the folder should be")
        with pytest.raises(OSError, match="staticfiles"):
            CachedS3StaticStorage().save("a.css", ContentFile(b"new"))
        assert not proxied.requests

    def test_exception_in_a_with_block_saves_nothing(self, aws: S3Server, local_root: Path) -> None:
        storage = CachedS3StaticStorage()
        with pytest.raises(AttributeError), storage.open("a.css", "w") as file:
            write_and_fail(file, "half")
        assert not files(local_root)
        assert not storage.exists("a.css")

    def test_readers_never_see_a_partial_file(self, aws: S3Server, local_root: Path) -> None:
        storage = CachedS3StaticStorage()
        bodies = {bytes([letter]) * 300_000 for letter in b"ab"}
        storage.save("a.css", ContentFile(b"a" * 300_000))

        def write() -> None:
            for _ in range(10):
                for body in bodies:
                    storage.save("a.css", ContentFile(body))

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            while not writing.done():
                assert (local_root / "a.css").read_bytes() in bodies
            writing.result()
        assert files(local_root).keys() == {"a.css"}

    def test_concurrent_writers_leave_a_complete_file(
        self, aws: S3Server, local_root: Path
    ) -> None:
        storage = CachedS3StaticStorage()
        bodies = [str(number).encode() * 10_000 for number in range(8)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda body: storage.save("a.css", ContentFile(body)), bodies))
        assert files(local_root).keys() == {"a.css"}
        assert files(local_root)["a.css"] in bodies
        assert read(storage, "a.css") in bodies


class TestLifecycle:
    def test_exists_requires_both_copies(self, cached_storage: Any, local_root: Path) -> None:
        """With a slug that lacks the file, or a new bucket, it must be saved again."""
        assert not cached_storage.exists("a.css")
        cached_storage.save("a.css", ContentFile(b"x"))
        assert cached_storage.exists("a.css")
        (local_root / "a.css").unlink()
        assert not cached_storage.exists("a.css")
        cached_storage.save("a.css", ContentFile(b"x"))
        cached_storage.client.delete_object(
            Bucket=cached_storage.bucket_name, Key=f"{cached_storage.location}/a.css".lstrip("/")
        )
        assert not cached_storage.exists("a.css")
        (local_root / "folder").mkdir()
        assert not cached_storage.exists("folder")

    def test_delete(self, cached_storage: Any, local_root: Path) -> None:
        cached_storage.save("a.css", ContentFile(b"x"))
        cached_storage.delete("a.css")
        assert not files(local_root)
        assert cached_storage.listdir("")[1] == []
        cached_storage.delete("a.css")

    def test_path_traversal(self, cached_storage: Any, local_root: Path) -> None:
        for name in ("../x", "a/../../x"):
            for action in (cached_storage.exists, cached_storage.delete):
                with pytest.raises(SuspiciousOperation):
                    action(name)
            with pytest.raises(SuspiciousOperation):
                cached_storage.save(name, ContentFile(b""))
        assert not (local_root.parent / "x").exists()

    def test_cleaned_names(self, cached_storage: Any, local_root: Path) -> None:
        """Both copies have the cleaned name."""
        for given, kept in [("a/./b.css", "a/b.css"), ("c\\d.css", "c/d.css")]:
            with cached_storage.open(given, "w") as file:
                file.write("x")
            assert (local_root / kept).read_bytes() == b"x"
            assert cached_storage.exists(given)
            cached_storage.delete(given)
            assert not (local_root / kept).exists()

    @pytest.mark.parametrize("storage_class", CLASSES)
    @pytest.mark.usefixtures("no_sockets", "local_root")
    def test_path_is_not_implemented(self, storage_class: Any) -> None:
        """Otherwise, collectstatic would take the storage for a local one."""
        with pytest.raises(NotImplementedError):
            storage_class().path("a.css")


class TestLocalOnly:
    """For commands that upload the local copies themselves."""

    @pytest.fixture
    def offline_storage(self, settings: Settings, local_root: Path) -> CachedS3StaticStorage:
        settings.STATIC_URL = "https://cdn.example.com/"
        return CachedS3StaticStorage(bucket_name="b", access_key="x", secret_key="x")

    @pytest.mark.usefixtures("no_sockets")
    def test_saves_touch_no_network(
        self, offline_storage: CachedS3StaticStorage, local_root: Path
    ) -> None:
        other = CachedS3BotoStorage(bucket_name="b", access_key="x", secret_key="x")
        with offline_storage.local_only():
            offline_storage.save("a.css", ContentFile(b"a"))
            other.save("b.css", ContentFile(b"b"))
        assert files(local_root) == {"a.css": b"a", "b.css": b"b"}

    def test_uploads_after_the_block(self, proxied: Proxy, local_root: Path) -> None:
        storage = CachedS3StaticStorage()
        with pytest.raises(AttributeError), storage.local_only():
            write_and_fail(io.BytesIO(), b"")
        storage.save("a.css", ContentFile(b"a"))
        assert proxied.operations == ["PutObject"]

    @pytest.mark.usefixtures("no_sockets")
    def test_write_local_copy(
        self, offline_storage: CachedS3StaticStorage, local_root: Path
    ) -> None:
        path = local_root / "css" / "a.css"
        for data in (b"first", b"second", b"other!"):
            offline_storage.write_local_copy("css/a.css", Content.of_bytes(data))
            assert path.read_bytes() == data
        before = path.stat().st_mtime_ns, path.stat().st_ino
        offline_storage.write_local_copy("css/a.css", Content.of_bytes(b"other!"))
        assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
        S3StaticStorage(bucket_name="b").write_local_copy("b.css", Content.of_bytes(b""))
        assert files(local_root).keys() == {"css/a.css"}


@pytest.mark.usefixtures("no_sockets")
class TestRoot:
    @pytest.fixture(autouse=True)
    def bucket_settings(self, settings: Settings) -> None:
        settings.AWS_STORAGE_BUCKET_NAME = "my-bucket"
        settings.STATIC_URL = "https://cdn.example.com/"

    @pytest.mark.parametrize(
        ("static", "compress", "expected"),
        [
            ("/a/b", None, "/a/b"),
            (None, "/a/b", "/a/b"),
            ("/a/b", "/a/b/", "/a/b"),
            ("/a/./b", "/a/c/../b", "/a/b"),
            (Path("/a/b"), "/a/b", "/a/b"),
        ],
    )
    def test_static_root_or_compress_root(
        self, settings: Settings, static: Any, compress: str | None, expected: str
    ) -> None:
        settings.STATIC_ROOT = static
        settings.COMPRESS_ROOT = compress
        assert CachedS3StaticStorage().local_root == Path(expected)

    def test_relative_and_absolute_path_of_one_folder(self, settings: Settings) -> None:
        settings.STATIC_ROOT = "staticfiles"
        settings.COMPRESS_ROOT = str(Path.cwd() / "staticfiles")
        assert CachedS3StaticStorage().local_root == Path.cwd() / "staticfiles"

    @pytest.mark.parametrize("storage_class", CLASSES[:2])
    def test_neither_is_set(self, settings: Settings, storage_class: Any) -> None:
        settings.STATIC_ROOT = None
        settings.COMPRESS_ROOT = None
        self.assert_refused(storage_class(), "STATIC_ROOT is not set", 'STATIC_ROOT = BASE_DIR / "')

    @pytest.mark.parametrize("storage_class", CLASSES)
    def test_different_roots_are_refused(self, settings: Settings, storage_class: Any) -> None:
        settings.STATIC_ROOT = "/a/static"
        settings.COMPRESS_ROOT = "/a/compress"
        self.assert_refused(storage_class(), "/a/static", "/a/compress", "Delete COMPRESS_ROOT")

    def assert_refused(self, storage: Any, *parts: str) -> None:
        for action in (
            storage.check_configuration,
            lambda: storage.save("a.css", ContentFile(b"")),
            lambda: storage.exists("a.css"),
        ):
            with pytest.raises(ImproperlyConfigured) as caught:
                action()
            for part in parts:
                assert part in str(caught.value)
