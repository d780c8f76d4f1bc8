"""open(name, "w"): the object exists only after a successful close()."""

import gc
import os
import random
import threading
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from django.core.files.base import ContentFile

from herokuify.exceptions import S3Error
from herokuify.s3 import multipart
from herokuify.storage import S3BotoStorage, S3MediaStorage
from tests.project import Project
from tests.replay import ACCESS_DENIED, SLOW_DOWN, Fault, Proxy
from tests.servers import S3Server, client_of
from tests.storage.helpers import on_moto, read, status
from tests.storages import Connect

pytestmark = pytest.mark.no_django

MEGABYTE = 2**20
SETTINGS = """
from herokuify.aws import *
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = ["herokuify"]
"""


def uploads(storage: Any) -> list[Any]:
    answer = storage.client.list_multipart_uploads(Bucket=storage.bucket_name)
    found: list[Any] = answer.get("Uploads", [])
    return found


class TestStreaming:
    def test_parts_are_sent_while_writing(self, proxied: Proxy) -> None:
        storage = S3MediaStorage()
        content = random.randbytes(20 * MEGABYTE)
        with storage.open("a.bin", "wb") as file:
            for start in range(0, len(content), 300_000):
                file.write(content[start : start + 300_000])
            assert proxied.operations.count("CreateMultipartUpload") == 1
            assert not storage.exists("a.bin")
            assert file.size == file.tell() == len(content)
        assert read(storage, "a.bin") == content
        parts = [r for r in proxied.requests if r.operation == "UploadPart"]
        assert sorted(len(part.body) for part in parts) == [4 * MEGABYTE, *[8 * MEGABYTE] * 2]

    @pytest.mark.parametrize("size", [8 * MEGABYTE - 1, 8 * MEGABYTE, 16 * MEGABYTE])
    def test_sizes_around_the_part_size(self, proxied: Proxy, size: int) -> None:
        storage = S3MediaStorage()
        with storage.open("a.bin", "wb") as file:
            file.write(bytes(size))
        assert storage.size("a.bin") == size
        assert proxied.operations.count("UploadPart") == size // (8 * MEGABYTE)
        assert proxied.operations.count("PutObject") == (size < 8 * MEGABYTE)

    def test_small_files_are_one_request(self, proxied: Proxy) -> None:
        with S3MediaStorage().open("a.txt", "w") as file:
            file.write("text")
        assert proxied.operations == ["PutObject"]
        assert proxied.requests[0].body == b"text"

    def test_unreliable_server(self, proxied: Proxy, no_pauses: list[float]) -> None:
        storage = S3MediaStorage()
        content = random.randbytes(20 * MEGABYTE)
        proxied.on("CreateMultipartUpload", Fault.DROPPED, None)
        proxied.on("UploadPart", Fault.LOST, SLOW_DOWN, None, Fault.DROPPED, None)
        proxied.on("CompleteMultipartUpload", Fault.LOST, None)
        with storage.open("a.bin", "wb") as file:
            file.write(content)
        assert read(storage, "a.bin") == content

    def test_creates_the_bucket(self, s3: S3Server, bucket_name: str, connect: Connect) -> None:
        connect(s3, bucket_name, AWS_AUTO_CREATE_BUCKET=True)
        storage = S3MediaStorage()
        with storage.open("a.bin", "wb") as file:
            file.write(bytes(9 * MEGABYTE))
        assert storage.size("a.bin") == 9 * MEGABYTE
        if s3.name == "ceph":  # moto ignores policies
            assert status(storage.url("a.bin").partition("?")[0]) == 403


class TestAborting:
    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
    def test_exception_in_a_with_block(self, aws: S3Server, error: type[BaseException]) -> None:
        storage = S3MediaStorage()

        def write_and_fail(file: Any) -> None:
            file.write(bytes(9 * MEGABYTE))
            raise error

        with pytest.raises(error), storage.open("a.bin", "wb") as file:
            write_and_fail(file)
        assert file.closed
        assert not storage.exists("a.bin")
        assert not uploads(storage)

    def test_failed_part(self, proxied: Proxy) -> None:
        storage = S3MediaStorage()
        proxied.on("UploadPart", None, ACCESS_DENIED)
        content = bytes(64 * MEGABYTE)
        with pytest.raises(S3Error, match="s3:PutObject"), storage.open("a.bin", "wb") as file:
            file.write(content)
        assert not storage.exists("a.bin")
        assert not uploads(storage)

    def test_close_after_a_failed_part(self, proxied: Proxy) -> None:
        storage = S3MediaStorage(transfer_config=TransferConfig(use_threads=False))
        proxied.on("UploadPart", ACCESS_DENIED, None)
        file = storage.open("a.bin", "wb")
        file.write(bytes(8 * MEGABYTE))
        for _ in range(2):
            with pytest.raises(S3Error, match="s3:PutObject"):
                file.write(bytes(8 * MEGABYTE))
        with pytest.raises(S3Error, match="s3:PutObject"):
            file.close()
        assert file.closed
        file.close()
        assert not storage.exists("a.bin")
        assert not uploads(storage)

    def test_file_that_is_never_closed(self, aws: S3Server, caplog: Any) -> None:
        storage = S3MediaStorage()
        for size in (10, 9 * MEGABYTE):
            file = storage.open("a.bin", "wb")
            file.write(bytes(size))
            del file
            gc.collect()
            assert not storage.exists("a.bin")
            assert not uploads(storage)
        assert caplog.text.count("a.bin was opened for writing and not closed") == 2

    def test_discarded(self, aws: S3Server, caplog: Any) -> None:
        storage = S3MediaStorage()
        file: Any = storage.open("a.bin", "wb")
        file.write(bytes(9 * MEGABYTE))
        file.discard()
        assert not uploads(storage)
        assert not storage.exists("a.bin")
        with pytest.raises(ValueError, match="closed"):
            file.write(b"more")
        assert not caplog.text

    def test_abort_waits_for_parts_in_transit(
        self, proxied: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A part that arrives after the abort would never be deleted."""
        arrived, let_go = threading.Event(), threading.Event()

        def rule(request: Any) -> None:
            if request.operation == "UploadPart":
                arrived.set()
                let_go.wait()

        proxied.rule = rule
        storage = S3MediaStorage()
        file: Any = storage.open("a.bin", "wb")
        file.write(bytes(8 * MEGABYTE))
        assert arrived.wait(60)
        arrived.clear()
        threading.Timer(0.3, let_go.set).start()
        file.discard()
        assert proxied.operations[-1] == "AbortMultipartUpload"
        assert let_go.is_set()
        # It doesn't wait forever.
        let_go.clear()
        monkeypatch.setattr(multipart, "PATIENCE", 0.1)
        file = storage.open("a.bin", "wb")
        file.write(bytes(8 * MEGABYTE))
        assert arrived.wait(60)
        file.discard()
        assert proxied.operations[-1] == "AbortMultipartUpload"
        let_go.set()

    @on_moto
    def test_too_many_parts(self, aws: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(multipart, "MOST_PARTS", 2)
        storage = S3MediaStorage()
        with (
            pytest.raises(ValueError, match=r"2 parts.*AWS_S3_TRANSFER_CONFIG"),
            storage.open("a.bin", "wb") as file,
        ):
            file.write(bytes(24 * MEGABYTE))
        assert not uploads(storage)


EXITS = {
    "the end": "",
    "sys.exit": "sys.exit(3)",
    "an exception": "raise RuntimeError('on purpose')",
    "a daemon thread": "threading.Thread(target=write_on, daemon=True).start(); has_written.wait()",
}
EXIT = """
import sys, threading, time
from herokuify.storage import S3MediaStorage

storage = S3MediaStorage()
file = storage.open("a.bin", "wb")
file.write(bytes(20 * 2**20))

has_written = threading.Event()

def write_on():
    while True:
        file.write(bytes(2**20))
        has_written.set()
        time.sleep(0.01)  # lets the interpreter exit

{end}
"""
AT_EXIT = """
import atexit
from django.core.files.base import ContentFile
from herokuify.storage import S3MediaStorage

storage = S3MediaStorage()

def save():
    print(storage.save("a.bin", ContentFile(bytes(20 * 2**20))))
    with storage.open("b.bin", "wb") as file:
        file.write(bytes(20 * 2**20))

atexit.register(save)
"""
FORK = """
import os
from herokuify.storage import S3MediaStorage

storage = S3MediaStorage()
file = storage.open("a.bin", "wb")
file.write(b"1" * (9 * 2**20))
child = os.fork()
if not child:
    try:
        file.write(b"2" * (9 * 2**20))
    except ValueError as error:
        assert "fork" in str(error), error
    else:
        os._exit(9)
    file.close()
    raise SystemExit  # runs the functions that are registered with atexit
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
file.write(b"1")
file.close()
print(storage.size("a.bin"))
"""


class TestInterpreterExit:
    @pytest.mark.once
    @pytest.mark.parametrize("end", EXITS.values(), ids=EXITS)
    def test_aborts(
        self, moto_project: Project, moto: S3Server, moto_bucket: str, end: str
    ) -> None:
        result = moto_project.snippet(EXIT.format(end=end))
        if end != EXITS["a daemon thread"]:
            expected = {"": 0, EXITS["sys.exit"]: 3, EXITS["an exception"]: 1}
            assert result.returncode == expected[end], result.stderr
        client = client_of(moto)
        assert client.list_objects_v2(Bucket=moto_bucket)["KeyCount"] == 0
        assert not client.list_multipart_uploads(Bucket=moto_bucket).get("Uploads")

    def test_saves(self, moto_project: Project, moto: S3Server, moto_bucket: str) -> None:
        """s3transfer "cannot schedule new futures after shutdown"."""
        result = moto_project.snippet(AT_EXIT)
        assert result.stdout == "a.bin\n", result.stderr
        listing = client_of(moto).list_objects_v2(Bucket=moto_bucket)["Contents"]
        assert [entry["Size"] for entry in listing] == [20 * MEGABYTE] * 2

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    def test_child_cannot_write_to_its_parents_file(
        self, moto_project: Project, moto: S3Server, moto_bucket: str
    ) -> None:
        result = moto_project.snippet(
            "import warnings; warnings.filterwarnings('ignore', category=DeprecationWarning)\n"
            + FORK
        )
        assert result.stdout == f"{9 * MEGABYTE + 1}\n", result.stderr
        assert not client_of(moto).list_multipart_uploads(Bucket=moto_bucket).get("Uploads")


class TestConcurrency:
    def test_three_parts_at_a_time(self, proxied: Proxy) -> None:
        lock = threading.Lock()
        running = most = 0
        gate = threading.Event()

        def rule(request: Any) -> None:
            nonlocal running, most
            if request.operation != "UploadPart":
                return
            with lock:
                running += 1
                most = max(most, running)
                if running == 3:
                    gate.set()
            gate.wait(10)
            with lock:
                running -= 1

        proxied.rule = rule
        storage = S3BotoStorage()
        storage.save("a.bin", ContentFile(bytes(64 * MEGABYTE)))
        assert most == 3
        assert storage.size("a.bin") == 64 * MEGABYTE
