"""Writers that seek back: formats whose headers are completed at the end."""

import gzip
import io
import random
import tarfile
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage, Storage
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image, features

from herokuify.storage import S3MediaStorage
from tests.replay import Proxy
from tests.servers import S3Server
from tests.storage.helpers import on_moto, read
from tests.storages import Connect

pytestmark = pytest.mark.no_django

MEGABYTE = 2**20
PICTURE = Image.frombytes("RGB", (64, 48), random.Random(3).randbytes(64 * 48 * 3))
KINDS = ["TIFF", "ICO", "PDF", "PNG", "GIF", "JPEG", "BMP", "PPM", "TGA", "ICNS", "DDS", "SGI"]
KINDS += [kind for kind, module in {"JPEG2000": "jpg_2000"}.items() if features.check(module)]
KINDS += [
    kind
    for kind, module in {"WEBP": "webp", "AVIF": "avif"}.items()
    if module in features.modules and features.check(module)
]


def write_zip(file: Any) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("a.txt"), b"content " * 1000)
        with archive.open(zipfile.ZipInfo("b.bin"), "w") as member:
            member.write(bytes(1000))


def write_wave(file: Any) -> None:
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframesraw(bytes(1000))
        sound.writeframes(bytes(1000))


def write_tar(file: Any) -> None:
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"), io.BytesIO())


def write_gzip(file: Any) -> None:
    with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        packed.write(b"content " * 1000)


def write_back(file: Any) -> None:
    file.write(b"0123456789")
    file.seek(-4, io.SEEK_END)
    file.truncate()
    file.seek(20)
    file.write(b"far")
    file.seek(2)
    file.write(b"--")


def append_to_zip(file: Any) -> None:
    write_zip(file)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(zipfile.ZipInfo("c.txt"), b"more")


WRITERS: dict[str, tuple[str, Callable[[Any], object]]] = {
    **{kind: ("wb", lambda file, kind=kind: PICTURE.save(file, kind)) for kind in KINDS},  # type: ignore[misc]
    "TIFF, pages": (
        "w+b",
        lambda file: PICTURE.save(file, "TIFF", save_all=True, append_images=[PICTURE]),
    ),
    "zip": ("wb", write_zip),
    "zip, appended": ("w+b", append_to_zip),
    "tar": ("wb", write_tar),
    "wave": ("wb", write_wave),
    "gzip": ("wb", write_gzip),
    "back": ("wb", write_back),
}


@pytest.fixture
def disk(tmp_path: Path) -> Storage:
    (tmp_path / "disk").mkdir()
    return FileSystemStorage(tmp_path / "disk")


@on_moto
def test_formats_are_as_on_a_disk(default_storage: Storage, disk: Storage) -> None:
    for label, (mode, write) in WRITERS.items():
        for storage in (default_storage, disk):
            with storage.open(label, mode) as file:
                write(file)
                assert file.seekable()
        mine, theirs = read(default_storage, label), read(disk, label)
        if label == "PDF":  # it contains the time
            assert (mine[:8], mine[-6:], len(mine)) == (theirs[:8], theirs[-6:], len(theirs))
        else:
            assert mine == theirs, label
        assert default_storage.size(label) == len(theirs)


class TestLarge:
    """Larger than a part: the part has been sent when it is changed."""

    def test_header_written_last(self, proxied: Proxy) -> None:
        storage = S3MediaStorage()
        content = random.Random(4).randbytes(20 * MEGABYTE)
        with storage.open("a.bin", "wb") as file:
            for start in range(0, len(content), MEGABYTE):
                file.write(content[start : start + MEGABYTE])
            file.seek(100)
            file.write(b"header")
        assert read(storage, "a.bin") == content[:100] + b"header" + content[106:]
        assert proxied.operations.count("UploadPart") == 4  # three, and the first once more

    def test_truncate(self, proxied: Proxy) -> None:
        storage = S3MediaStorage()
        for length in (9, 3, 0):
            with storage.open("a.bin", "wb") as file:
                file.write(b"x" * 20 * MEGABYTE)
                file.truncate(length * MEGABYTE)
            assert read(storage, "a.bin") == b"x" * length * MEGABYTE
        assert not uploads(storage)

    def test_writes_in_any_order(
        self, moto: S3Server, moto_bucket: str, connect: Connect, tmp_path: Path
    ) -> None:
        connect(moto, moto_bucket)
        storage = S3MediaStorage()
        places = st.integers(0, 26 * MEGABYTE)
        write = st.tuples(st.just("write"), places, st.integers(1, 9 * MEGABYTE))
        cut = st.tuples(st.just("truncate"), places, places)

        @settings(
            max_examples=8,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(steps=st.lists(st.one_of(write, write, cut), min_size=2, max_size=6))
        def compare(steps: list[tuple[str, int, int]]) -> None:
            with storage.open("a.bin", "wb") as mine, (tmp_path / "a.bin").open("wb") as theirs:
                for number, (kind, place, size) in enumerate(steps):
                    for file in (mine, theirs):
                        file.seek(place)
                        if kind == "write":
                            file.write(bytes([number + 1]) * size)
                        else:
                            file.truncate(size)
            assert read(storage, "a.bin") == (tmp_path / "a.bin").read_bytes()

        compare()
        assert not uploads(storage)


def uploads(storage: Any) -> Any:
    answer = storage.client.list_multipart_uploads(Bucket=storage.bucket_name)
    return answer.get("Uploads", [])


def test_existing_content_is_changed_in_place(default_storage: Storage) -> None:
    with default_storage.open("a.txt", "wb") as file:
        file.write(b"0123456789")
    with default_storage.open("a.txt", "r+b") as file:
        assert file.read(2) == b"01"
        file.write(b"--")
    with default_storage.open("a.txt", "a") as file:
        file.write("more")
    assert read(default_storage, "a.txt") == b"01--456789more"
    with default_storage.open("log.txt", "a") as file:
        file.write("first")
    assert read(default_storage, "log.txt") == b"first"
    with pytest.raises(FileExistsError):
        default_storage.open("a.txt", "xb")
    with default_storage.open("new.txt", "xb") as file:
        file.write(b"mine")
        default_storage.save("new.txt", io.BytesIO(b"theirs"))
        with pytest.raises(FileExistsError):
            file.close()
    assert read(default_storage, "new.txt") == b"theirs"


def test_unchanged_files_are_not_written(proxied: Proxy) -> None:
    storage = S3MediaStorage()
    storage.save("a.txt", io.BytesIO(b"content"))
    proxied.requests.clear()
    for mode in ("rb", "r+b", "ab", "a+", "r+"):
        with storage.open("a.txt", mode) as file:
            file.seek(0)
    assert not {"PutObject", "CreateMultipartUpload"} & set(proxied.operations)
