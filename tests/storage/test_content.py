import contextlib
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import (
    InMemoryUploadedFile,
    SimpleUploadedFile,
    TemporaryUploadedFile,
)

from herokuify.storage.content import LARGE, from_start, spool, staged, write_new

pytestmark = pytest.mark.no_django

TEXT = "Grüße, 世界\n" * 100
BYTES = TEXT.encode()


class Pipe(io.RawIOBase):
    """A stream that can't seek, such as an HTTP response."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._data.read(size)


class Chunks:
    """Content that has chunks() and nothing else."""

    def chunks(self) -> Iterator[bytes]:
        yield BYTES[:7]
        yield b""
        yield BYTES[7:]


class Reader:
    """Content that has read() and nothing else."""

    def __init__(self) -> None:
        self._data = io.BytesIO(BYTES)

    def read(self, size: int = -1) -> bytes:
        return self._data.read(size)


class Broken(io.BytesIO):
    """Content that can't be read."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError("disk")


def real_pipe(buffering: int = -1) -> Any:
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as stream:
        stream.write(BYTES)
    return os.fdopen(reader, "rb", buffering)


def uploaded_to_disk() -> TemporaryUploadedFile:
    file = TemporaryUploadedFile("a.txt", "text/plain", len(BYTES), "utf-8")
    file.write(BYTES)
    file.flush()
    return file


def close(content: Any) -> None:
    """Close what can be closed."""
    with contextlib.suppress(AttributeError):
        content.close()


SEEKABLE = {
    "BytesIO": lambda: io.BytesIO(BYTES),
    "StringIO": lambda: io.StringIO(TEXT),
    "ContentFile of bytes": lambda: ContentFile(BYTES),
    "ContentFile of text": lambda: ContentFile(TEXT),
    "File": lambda: File(io.BytesIO(BYTES)),
    "SimpleUploadedFile": lambda: SimpleUploadedFile("a.txt", BYTES),
    "InMemoryUploadedFile": lambda: InMemoryUploadedFile(
        io.BytesIO(BYTES), None, "a.txt", "text/plain", len(BYTES), None
    ),
    "TemporaryUploadedFile": uploaded_to_disk,
}
UNSEEKABLE = {
    "pipe": lambda: Pipe(BYTES),
    "operating system's pipe": real_pipe,
    "operating system's pipe, unbuffered": lambda: real_pipe(0),
    "File of a pipe": lambda: File(cast(Any, Pipe(BYTES))),
    "chunks": Chunks,
    "reader": Reader,
    "File of a reader": lambda: File(cast(Any, Reader())),
}


class TestFromStart:
    @pytest.mark.parametrize("make", (SEEKABLE | UNSEEKABLE).values(), ids=SEEKABLE | UNSEEKABLE)
    def test_all_content_is_read_repeatedly(
        self, request: pytest.FixtureRequest, make: Any
    ) -> None:
        content = make()
        request.addfinalizer(lambda: close(content))
        with from_start(content) as source:
            assert source.read() == BYTES
            assert source.seek(0) == 0
            assert source.read(3) == BYTES[:3]
            assert source.tell() == 3
            assert source.seek(0, os.SEEK_END) == len(BYTES)
            source.seek(3)
            assert cast(Any, source).readall() == BYTES[3:]

    @pytest.mark.parametrize("make", SEEKABLE.values(), ids=SEEKABLE)
    @pytest.mark.parametrize("position", [0, 5, "end"])
    def test_content_stays_open_at_its_position(self, make: Any, position: int | str) -> None:
        content = make()
        content.seek(0, os.SEEK_END) if position == "end" else content.seek(position)
        before = content.tell()
        with from_start(content) as source:
            assert source.read() == BYTES
            source.close()
        assert not content.closed
        assert content.tell() == before
        content.close()

    def test_position_is_kept_after_an_error(self) -> None:
        content = io.BytesIO(BYTES)
        content.seek(5)
        with pytest.raises(TypeError), from_start(content) as source:
            source.read("all")  # type: ignore[arg-type]
        assert content.tell() == 5

    @pytest.mark.parametrize("newline", ["\n", "\r\n", ""])
    def test_text_file(self, tmp_path: Path, newline: str) -> None:
        path = tmp_path / "a.txt"
        path.write_bytes(BYTES)
        with (
            path.open(encoding="utf-8", newline=newline or None) as file,
            from_start(file) as source,
        ):
            assert source.read() == BYTES

    def test_bytes_are_not_copied(self) -> None:
        """A large file takes no memory and no space on the disk."""
        content = io.BytesIO(BYTES)
        with from_start(content) as source:
            source.read(5)
            assert content.tell() == 5

    def test_unreadable_file_is_an_error(self, tmp_path: Path) -> None:
        with (
            (tmp_path / "a").open("wb") as file,
            pytest.raises(io.UnsupportedOperation),
            from_start(file) as source,
        ):
            source.read()


class TestStaged:
    def test_replaces_after_the_block(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "folder" / "a.txt"
        for number, data in enumerate([b"first", b"second"]):
            with staged(path, io.BytesIO(data)) as copy:
                assert path.exists() == bool(number)
                assert copy.read() == data
                copy.seek(0)
                assert copy.read(1) == data[:1]
            assert path.read_bytes() == data
        assert [entry.name for entry in path.parent.iterdir()] == ["a.txt"]

    @pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
    def test_exception_keeps_the_old_file(self, tmp_path: Path, error: type[BaseException]) -> None:
        path = tmp_path / "a.txt"
        path.write_bytes(b"old")
        with pytest.raises(error), staged(path, io.BytesIO(b"new")):
            raise error
        assert path.read_bytes() == b"old"
        assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]

    def test_failing_source_leaves_no_file(self, tmp_path: Path) -> None:
        path = tmp_path / "a.txt"
        with pytest.raises(OSError, match="disk"), staged(path, Broken()):
            raise AssertionError("the block must not run")
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
@pytest.mark.parametrize("permissions", [None, 0o640, 0o666])
@pytest.mark.parametrize(
    # Django 4.2 drops the set-group-ID bit.
    "of_folders",
    [None, 0o750, pytest.param(0o2775, marks=pytest.mark.once)],
)
def test_modes_are_those_of_djangos_storage(
    tmp_path: Path, settings: Any, umask: int, permissions: int | None, of_folders: int | None
) -> None:
    settings.FILE_UPLOAD_PERMISSIONS = permissions
    settings.FILE_UPLOAD_DIRECTORY_PERMISSIONS = of_folders
    modes = {}
    before = os.umask(umask)
    try:
        for way in ("django", "staged", "new"):
            path = tmp_path / way / "one" / "two" / "a.txt"
            if way == "django":
                root = tmp_path / way
                FileSystemStorage(root).save("one/two/a.txt", ContentFile(BYTES))
            elif way == "staged":
                with staged(path, io.BytesIO(BYTES)):
                    pass
            else:
                write_new(path, io.BytesIO(BYTES))
            parents = [path, *path.parents[: len(path.relative_to(tmp_path).parts) - 1]]
            modes[way] = [stat.S_IMODE(one.stat().st_mode) for one in parents]
    finally:
        os.umask(before)
    assert modes["staged"] == modes["new"] == modes["django"]


class TestWriteNew:
    def test_writes(self, tmp_path: Path, settings: Any) -> None:
        settings.FILE_UPLOAD_PERMISSIONS = 0o640
        for path in (tmp_path / "new" / "folder" / "a.txt", tmp_path / "new" / "b.txt"):
            write_new(path, io.BytesIO(BYTES))
            assert path.read_bytes() == BYTES
            assert stat.S_IMODE(path.stat().st_mode) == 0o640

    def test_existing_file_is_an_error(self, tmp_path: Path) -> None:
        path = tmp_path / "a.txt"
        path.write_bytes(b"old")
        with pytest.raises(FileExistsError):
            write_new(path, io.BytesIO(b"new"))
        assert path.read_bytes() == b"old"

    def test_failing_source_leaves_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="disk"):
            write_new(tmp_path / "a.txt", Broken())
        assert not list(tmp_path.iterdir())


def test_spool_rolls_over_to_the_configured_folder(tmp_path: Path, settings: Any) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "missing"
    with spool() as file:
        file.write(bytes(LARGE))  # in memory
        with pytest.raises(FileNotFoundError, match="missing"):
            file.write(b"x")
