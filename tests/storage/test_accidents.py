"""Killed writers and cut connections: no truncated files, and no reported save is lost."""

import hashlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.base import ContentFile

from herokuify.exceptions import S3Error
from herokuify.s3 import reader
from herokuify.storage import S3MediaStorage
from tests.cutting_proxy import Cutter
from tests.project import SNIPPET, Project, clean_environment
from tests.servers import S3Server, client_of
from tests.storage.helpers import read
from tests.storages import Connect

MEGABYTE = 2**20
KILLS = 5
SETTINGS = """
from herokuify.aws import *
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = ["herokuify"]
"""
WRITER = """
import hashlib, random, sys
from boto3.s3.transfer import TransferConfig
from django.core.files.base import ContentFile
from herokuify.storage import S3MediaStorage

chance = random.Random(int(sys.argv[1]))
config = TransferConfig(multipart_threshold=5 * 2**20, multipart_chunksize=5 * 2**20)
storage = S3MediaStorage(transfer_config=config)
storage.exists("warm-up.txt")
print("ready", flush=True)
while True:
    body = chance.randbytes(chance.choice([100, 100, 300_000, 6 * 2**20]))
    # The hash shows whether the file is complete.
    body = hashlib.sha256(body).digest() + body
    if chance.random() < 0.5:
        name = storage.save("a.bin", ContentFile(body))
    else:
        name = f"b-{chance.randrange(10**9)}.bin"
        with storage.open(name, "wb") as file:
            for start in range(0, len(body), 1_000_000):
                file.write(body[start : start + 1_000_000])
    print(name, flush=True)
"""


def is_whole(body: bytes) -> bool:
    return hashlib.sha256(body[32:]).digest() == body[:32]


@pytest.mark.once
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_killed_writer_leaves_complete_files(
    make_project: Callable[..., Project], s3: S3Server, bucket: str
) -> None:
    variables = {**s3.variables, "AWS_STORAGE_BUCKET_NAME": bucket}
    project = make_project(SETTINGS, env=variables)
    chance = random.Random(11)
    reported: set[str] = set()
    for number in range(KILLS):
        worker = subprocess.Popen(
            [sys.executable, "-c", SNIPPET + WRITER, str(number)],
            cwd=project.folder,
            env={**clean_environment(project.folder), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n", worker.communicate()
        time.sleep(chance.uniform(0.1, 0.9))  # kill it at a random moment
        worker.send_signal(signal.SIGKILL)
        output, errors = worker.communicate()
        assert not errors
        # A line without its newline was cut off.
        reported.update(line.strip() for line in output.splitlines(keepends=True) if "\n" in line)
    client = client_of(s3)
    listing = client.list_objects_v2(Bucket=bucket, Prefix="media/").get("Contents", [])
    keys = {entry["Key"] for entry in listing}
    assert {f"media/{name}" for name in reported} <= keys
    for key in keys:
        assert is_whole(client.get_object(Bucket=bucket, Key=key)["Body"].read())


@pytest.mark.once
class TestCutConnections:
    @pytest.fixture(autouse=True)
    def use_cutter(self, s3: S3Server, bucket: str, connect: Connect, cutter: Cutter) -> None:
        connect(s3, bucket, endpoint_url=cutter.url)

    @pytest.mark.parametrize("size", [300_000, 20 * MEGABYTE])
    @pytest.mark.parametrize("way", ["save", "open"])
    def test_uploads_are_retried(
        self, cutter: Cutter, no_pauses: list[float], size: int, way: str
    ) -> None:
        chance = random.Random(size)
        content = chance.randbytes(size)

        def rule(number: int) -> tuple[int | None, int | None]:
            return (chance.randrange(1, min(size, 8 * MEGABYTE)) if number < 6 else None), None

        storage = S3MediaStorage()
        cutter.rule = rule
        if way == "save":
            name = storage.save("a.bin", ContentFile(content))
        else:
            name = "a.bin"
            with storage.open(name, "wb") as file:
                file.write(content)
        assert cutter.cuts
        cutter.rule = lambda number: (None, None)
        assert read(storage, name) == content
        for found in storage.listdir("")[1]:
            assert read(storage, found) == content

    def test_upload_fails_if_every_connection_is_cut(
        self, cutter: Cutter, no_pauses: list[float], s3: S3Server
    ) -> None:
        storage: Any = S3MediaStorage()
        cutter.rule = lambda number: (2 * MEGABYTE, None)
        with pytest.raises(S3Error, match="s3:PutObject"):
            storage.save("a.bin", ContentFile(bytes(20 * MEGABYTE)))
        cutter.rule = lambda number: (None, None)
        assert storage.listdir("") == ([], [])
        answer = client_of(s3).list_multipart_uploads(Bucket=storage.bucket_name)
        assert not answer.get("Uploads")

    def test_downloads_are_resumed(self, cutter: Cutter, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reader, "PAUSE", 0)
        content = random.Random(3).randbytes(20 * MEGABYTE)
        storage = S3MediaStorage()
        storage.save("a.bin", ContentFile(content))
        chance = random.Random(4)
        cutter.rule = lambda number: (None, chance.randrange(100_000, 4 * MEGABYTE))
        storage.client.close()  # connections that are already open would not be cut
        fresh = S3MediaStorage(use_ssl=False)
        with fresh.open("a.bin") as file:
            assert b"".join(file.chunks()) == content
        assert cutter.cuts
