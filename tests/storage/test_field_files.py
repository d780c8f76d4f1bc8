"""A FieldFile on S3 behaves as one on the disk, in whatever order its methods are called."""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage
from django.db import models
from django.db.models.fields.files import FieldFile
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from herokuify.storage import S3MediaStorage
from tests.servers import S3Server
from tests.storage.helpers import read, write_and_fail
from tests.storages import Connect

pytestmark = pytest.mark.no_django

MODES = [
    *("rb", "wb", "ab", "xb", "r+b", "w+b", "a+b", "x+b", "br", "rb+"),
    *("r", "w", "a", "x", "r+", "w+", "a+", "rt", "tw"),
    *("", "rw", "b", "rbt", "q", "rr"),
]
#: Two errors are the same if the first of these classes that they belong to is the same.
KINDS: list[type[Exception]] = [
    *(io.UnsupportedOperation, FileNotFoundError, FileExistsError, OSError),
    *(UnicodeError, ValueError, TypeError, AttributeError),
]
TEXTS = st.text("a\nä\r€", max_size=40)
SMALL = st.integers(-3, 60)


def outcome(action: Callable[[], Any]) -> tuple[str, Any]:
    try:
        return "returned", action()
    except tuple(KINDS) as error:
        return "raised", next(kind for kind in KINDS if isinstance(error, kind))


def field_file(storage: Storage, name: str) -> FieldFile:
    field = models.FileField(storage=storage)
    field.set_attributes_from_name("file")
    return FieldFile(type("Instance", (), {})(), field, name)


class Comparison(RuleBasedStateMachine):
    """Calls the same methods of a file on S3 and of one on the disk."""

    def __init__(self, s3: Storage, disk: Storage) -> None:
        super().__init__()
        self.storages = (s3, disk)
        for storage in self.storages:
            for name in (*storage.listdir("")[1],):
                storage.delete(name)
        self.count = 0
        self.files = [field_file(storage, "a.txt") for storage in self.storages]

    def both(self, action: Callable[[Any], Any]) -> Any:
        ours, theirs = (outcome(partial(action, file)) for file in self.files)
        assert ours == theirs
        return ours

    @property
    def is_closed(self) -> bool:
        return self.files[1].closed

    def content(self, text: str) -> Any:
        # Writing text to a binary file is an error on a disk; herokuify encodes it as UTF-8.
        file = getattr(self.files[1], "_file", None)
        is_text = file is not None and isinstance(file.file, io.TextIOBase)
        return text if is_text else text.encode()

    @rule(mode=st.sampled_from(MODES))
    def open(self, mode: str) -> None:
        self.both(lambda file: file.open(mode) and None)

    @rule()
    def open_by_default(self) -> None:
        self.both(lambda file: file.open() and None)

    @rule()
    def close(self) -> None:
        self.both(lambda file: file.close())
        self.compare_stored()

    @rule(size=st.one_of(st.none(), SMALL))
    def read(self, size: int | None) -> None:
        self.both(lambda file: file.read() if size is None else file.read(max(size, -1)))

    @rule(text=TEXTS)
    def write(self, text: str) -> None:
        content = self.content(text)
        self.both(lambda file: file.write(content))

    @rule(texts=st.lists(TEXTS, max_size=3))
    def writelines(self, texts: list[str]) -> None:
        contents = [self.content(text) for text in texts]
        self.both(lambda file: file.writelines(contents))

    @rule(offset=SMALL, whence=st.sampled_from([0, 0, 1, 2, 9]))
    def seek(self, offset: int, whence: int) -> None:
        self.both(lambda file: file.seek(offset, whence))

    @rule(size=st.one_of(st.none(), SMALL))
    def truncate(self, size: int | None) -> None:
        self.both(lambda file: file.truncate() if size is None else file.truncate(size))

    @rule(name=st.sampled_from(["tell", "readline", "readlines", "flush", "isatty"]))
    def call(self, name: str) -> None:
        self.both(lambda file: getattr(file, name)())

    @rule()
    def look(self) -> None:
        self.both(lambda file: (file.closed, bool(file), str(file)))
        self.both(lambda file: (file.readable(), file.writable(), file.seekable()))

    @rule()
    def readinto(self) -> None:
        def action(file: Any) -> Any:
            buffer = bytearray(7)
            return file.readinto(buffer), bytes(buffer)

        if not isinstance(self.content(""), str):
            self.both(action)

    @rule(size=st.integers(1, 20))
    def chunks(self, size: int) -> None:
        self.both(lambda file: list(file.chunks(size)))

    @rule()
    def iterate(self) -> None:
        # list() calls len(), and a new file that is open has no size on S3 yet.
        self.both(lambda file: [line for line in file])  # noqa: C416

    @rule(mode=st.sampled_from(MODES), text=TEXTS)
    def use_a_block(self, mode: str, text: str) -> None:
        def action(file: Any) -> Any:
            with file.open(mode) as opened:
                content = text if isinstance(opened.file.file, io.TextIOBase) else text.encode()
                return opened.write(content) if opened.writable() else opened.read()

        self.both(action)
        self.both(lambda file: file.close())
        self.compare_stored()

    @precondition(lambda self: self.is_closed)
    @rule(text=TEXTS)
    def save(self, text: str) -> None:
        self.count += 1
        self.both(lambda file: file.save(f"{self.count}.txt", ContentFile(text), save=False))
        self.compare_stored()

    @precondition(lambda self: self.is_closed)
    @rule(text=TEXTS)
    def assign(self, text: str) -> None:
        """Assign a file as a form does, and commit it as the field does."""
        self.count += 1
        contents = [ContentFile(text.encode(), f"{self.count}.txt") for _ in self.files]
        for file, content in zip(self.files, contents, strict=True):
            file.name = content.name
            file.file = content
            file._committed = False
        self.both(lambda file: file.size)
        self.both(lambda file: file.save(file.name, file.file, save=False))
        # herokuify's save() keeps the position of the caller's file; Django's leaves it at the end.
        self.both(lambda file: file.seek(0))
        self.compare_stored()

    @rule()
    def delete(self) -> None:
        self.both(lambda file: file.delete(save=False))

    @precondition(lambda self: self.is_closed)
    @rule()
    def delete_behind_its_back(self) -> None:
        for storage in self.storages:
            storage.delete("a.txt")

    @precondition(lambda self: self.is_closed)
    @rule()
    def load_anew(self) -> None:
        self.files = [field_file(file.storage, file.name or "a.txt") for file in self.files]

    @precondition(lambda self: self.is_closed)
    @rule()
    def sizes(self) -> None:
        self.both(lambda file: (file.size, len(file), file.multiple_chunks(10)))

    def compare_stored(self) -> None:
        if self.is_closed:
            ours, theirs = (
                {name: read(storage, name) for name in storage.listdir("")[1]}
                for storage in self.storages
            )
            assert ours == theirs

    def teardown(self) -> None:
        for file in self.files:
            file.close()
        self.compare_stored()


@pytest.mark.parametrize("options", [{}, {"gzip": True, "gzip_content_types": ["text/plain"]}])
def test_behaves_as_on_a_disk(
    moto: S3Server,
    moto_bucket: str,
    connect: Connect,
    tmp_path: Path,
    options: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(moto, moto_bucket)
    # The storage must ignore a file of that name in the current folder.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("a namesake on the disk")
    s3, disk = S3MediaStorage(**options), FileSystemStorage(tmp_path / "disk")
    (tmp_path / "disk").mkdir()
    run_state_machine_as_test(
        cast(Any, partial(Comparison, s3, disk)),
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            # Shrinking a failing example takes minutes, and each is short enough.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert (tmp_path / "a.txt").read_text() == "a namesake on the disk"


class TestFieldFiles:
    @pytest.fixture
    def file(self, default_storage: Storage) -> FieldFile:
        return field_file(default_storage, "a.txt")

    def test_local_file_of_the_same_name_is_ignored(
        self, file: FieldFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for _ in range(2):  # without and with a local file of that name
            with file.open("wb") as opened:
                opened.write(b"content")
            with file.open("rb") as opened:
                assert opened.read() == b"content"
            file.close()
            assert read(file.storage, "a.txt") == b"content"
            (tmp_path / "a.txt").write_bytes(b"another file")
        assert (tmp_path / "a.txt").read_bytes() == b"another file"

    def test_exception_in_a_with_block_saves_nothing(self, file: FieldFile) -> None:
        """Django's File would call close(), which saves."""
        file.save("a.txt", ContentFile(b"whole"), save=False)
        with pytest.raises(AttributeError), file.open("wb") as opened:
            write_and_fail(opened, b"half")
        assert file.closed
        assert read(file.storage, "a.txt") == b"whole"

    def test_with_block_in_an_except_clause_saves(self, file: FieldFile) -> None:
        try:
            raise KeyError
        except KeyError:
            with file.open("wb") as opened:
                opened.write(b"a default")
        assert read(file.storage, "a.txt") == b"a default"
