import os
import random
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import boto3.session
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage as lazy_storage
from pytest_django import Settings

from herokuify.s3.client import PATIENT, connect
from herokuify.s3.destination import Destination
from herokuify.storage import S3BotoStorage, S3MediaStorage, S3StaticStorage
from tests.processes import wait_until
from tests.project import Project
from tests.replay import INTERNAL_ERROR, SLOW_DOWN, Fault, Proxy, Request
from tests.storage.helpers import read

pytestmark = pytest.mark.no_django

SECRETS = ("marked-secret-key", "marked-session-token")


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list with an item for each session that boto3 creates."""
    made: list[int] = []
    session_class = boto3.session.Session

    def slow_session(**options: Any) -> Any:
        made.append(threading.get_ident())
        time.sleep(0.05)  # so that several threads need one at the same time
        return session_class(**options)

    monkeypatch.setattr("boto3.session.Session", slow_session)
    return made


def options(**changes: Any) -> dict[str, Any]:
    """Return options that no other storage in this process has."""
    plain = {
        "bucket_name": "bucket",
        "access_key": uuid.uuid4().hex,
        "secret_key": "secret",
        "endpoint_url": "http://127.0.0.1:1",
        "region_name": "us-east-1",
    }
    return {**plain, **changes}


@pytest.mark.usefixtures("no_sockets")
class TestSharing:
    def test_client_is_created_on_first_use(self, sessions: list[int]) -> None:
        storage = S3BotoStorage(**options())
        assert not sessions
        assert storage.client is storage.client
        assert len(sessions) == 1

    def test_threads_share_a_client(self, sessions: list[int]) -> None:
        threads = 16
        barrier = threading.Barrier(threads)
        same = options()

        def first_use(_: int) -> int:
            barrier.wait()
            return id(S3BotoStorage(**same).client)

        with ThreadPoolExecutor(threads) as pool:
            assert len(set(pool.map(first_use, range(threads)))) == 1
        assert len(sessions) == 1

    def test_storages_with_equal_options_share_a_client(self, sessions: list[int]) -> None:
        same = options()
        storages = [
            S3BotoStorage(**same),
            S3BotoStorage(**same, location="other"),
            S3BotoStorage(**{**same, "bucket_name": "other"}),
            S3MediaStorage(**same),
            S3StaticStorage(**same, base_url="https://cdn.example.com/"),
        ]
        assert len({id(storage.client) for storage in storages}) == 1
        assert len(sessions) == 1

    @pytest.mark.parametrize(
        "difference",
        [
            {"access_key": "other"},
            {"secret_key": "other"},
            {"security_token": "other"},
            {"region_name": "eu-west-1"},
            {"endpoint_url": "http://127.0.0.1:2"},
            {"addressing_style": "virtual"},
            {"signature_version": "s3"},
            {"use_ssl": False},
            {"verify": False},
            {"proxies": {"http": "127.0.0.1:3"}},
            {"client_config": Config(read_timeout=1)},
        ],
        ids=lambda difference: next(iter(difference)),
    )
    def test_other_options_need_another_client(self, difference: dict[str, Any]) -> None:
        same = options()
        one, other = S3BotoStorage(**same), S3BotoStorage(**{**same, **difference})
        assert one.client is not other.client
        assert other.client is S3BotoStorage(**{**same, **difference}).client

    def test_unsigned_requests_need_another_client(self) -> None:
        signed = S3BotoStorage(**options()).destination
        unsigned = replace(signed, is_signed=False)
        assert connect(unsigned) is connect(unsigned)
        assert connect(unsigned) is not connect(signed)

    def test_failure_is_not_cached(self, sessions: list[int]) -> None:
        storage = S3BotoStorage(bucket_name="bucket", session_profile="missing")
        for number in range(2):
            with pytest.raises(Exception, match="missing"):
                storage.client  # noqa: B018
            assert len(sessions) == number + 1


def destination(**changes: Any) -> Destination:
    return Destination(**{"storage": "S3Test", "bucket": "b", "region": "us-east-1", **changes})


def config_of(**changes: Any) -> Any:
    return connect(destination(**changes)).meta.config


class TestConfiguration:
    def test_retries_and_timeouts_for_commands(self) -> None:
        config = config_of()
        assert config.retries == {"mode": "standard", "total_max_attempts": PATIENT.attempts}
        assert PATIENT.attempts >= 10
        assert config.connect_timeout <= 10
        assert config.read_timeout <= 60

    def test_checksums(self) -> None:
        """Many services refuse boto3's default since 1.36 (boto3's issue 4398)."""
        aws = config_of()
        assert aws.request_checksum_calculation == "when_supported"
        assert aws.response_checksum_validation == "when_supported"
        other = config_of(endpoint_url="http://127.0.0.1:1")
        assert other.request_checksum_calculation == "when_required"
        assert other.response_checksum_validation == "when_required"

    def test_client_config_takes_precedence(self) -> None:
        own = Config(
            retries={"mode": "adaptive", "total_max_attempts": 3},
            read_timeout=7,
            request_checksum_calculation="when_supported",
            s3={"addressing_style": "virtual"},
        )
        config = config_of(endpoint_url="http://127.0.0.1:1", client_config=own)
        assert config.retries == {"mode": "adaptive", "total_max_attempts": 3}
        assert config.read_timeout == 7
        assert config.request_checksum_calculation == "when_supported"
        assert config.response_checksum_validation == "when_required"
        assert config.s3["addressing_style"] == "virtual"

    def test_session_token(self, proxied: Proxy, settings: Settings) -> None:
        settings.AWS_SESSION_TOKEN = "the-token"
        S3BotoStorage().exists("a.txt")
        assert proxied.requests[0].headers["x-amz-security-token"] == "the-token"

    def test_secrets_stay_out_of_reprs(self) -> None:
        secret = destination(
            access_key="key",
            secret_key=SECRETS[0],
            security_token=SECRETS[1],
            endpoint_url=f"https://user:{SECRETS[0]}@s3.example.com",
        )
        for text in (repr(secret), str(secret), f"{secret}"):
            assert "s3.example.com" in text
            assert not any(word in text for word in SECRETS)


class TestResources:
    """The attributes that code for django-storages uses, such as ``default_storage.connection``."""

    def test_bucket(self, default_storage: Any) -> None:
        assert default_storage.bucket.name == default_storage.bucket_name
        default_storage.save("a.txt", ContentFile(b"content"))
        body = default_storage.bucket.Object("media/a.txt").get()["Body"]
        assert body.read() == b"content"
        assert [found.key for found in default_storage.bucket.objects.all()] == ["media/a.txt"]
        bucket = default_storage.connection.Bucket(default_storage.bucket_name)
        bucket.put_object(Key="media/b.txt", Body=b"more")
        assert default_storage.listdir("")[1] == ["a.txt", "b.txt"]

    def test_default_storage(self, default_storage: Any) -> None:
        lazy: Any = lazy_storage
        assert lazy.connection is default_storage.connection
        assert lazy.client.list_objects_v2(Bucket=lazy.bucket.name)["KeyCount"] == 0
        names = {bucket.name for bucket in lazy.connection.buckets.all()}
        assert default_storage.bucket_name in names


FORK = """
import os
from django.core.files.base import ContentFile
from herokuify.storage import S3MediaStorage

storage = S3MediaStorage()
storage.save("parent.txt", ContentFile(b"parent"))
before = storage.client, storage.bucket.meta.client
children = []
for number in range(4):
    child = os.fork()
    if not child:
        assert storage.client not in before, "the child uses its parent's client"
        assert storage.bucket.meta.client not in before
        for turn in range(10):
            storage.save(f"child-{number}.txt", ContentFile(b"%d" % number))
            with storage.open(f"child-{number}.txt") as file:
                assert file.read() == b"%d" % number
        os._exit(0)
    children.append(child)
for turn in range(10):
    with storage.open("parent.txt") as file:
        assert file.read() == b"parent"
assert storage.client is before[0]
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
"""
FORK_WHILE_CONNECTING = """
import os, signal, threading, warnings
import boto3.session
from herokuify.storage import S3MediaStorage

# Python 3.12 warns about a fork with threads.
warnings.filterwarnings("ignore", category=DeprecationWarning)
session_class = boto3.session.Session
connecting, forked = threading.Event(), threading.Event()

def slow_session(**options):
    connecting.set()
    forked.wait()
    return session_class(**options)

boto3.session.Session = slow_session
thread = threading.Thread(target=lambda: S3MediaStorage().client)
thread.start()
connecting.wait()
child = os.fork()
if not child:
    signal.alarm(20)
    boto3.session.Session = session_class
    S3MediaStorage().client
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
forked.set()
thread.join()
"""
SETTINGS = """
from herokuify.aws import *
AWS_S3_FILE_OVERWRITE = True
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = ["herokuify"]
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
class TestForks:
    def test_children_have_clients_of_their_own(self, moto_project: Project) -> None:
        result = moto_project.snippet(FORK)
        assert result.stdout == "[0, 0, 0, 0]\n", result.stderr

    def test_while_another_thread_connects(self, moto_project: Project) -> None:
        """A lock that the thread holds is never released in the child."""
        result = moto_project.snippet(FORK_WHILE_CONNECTING)
        assert result.stdout == "0\n", result.stderr


class TestRetries:
    @pytest.mark.parametrize("fault", [SLOW_DOWN, INTERNAL_ERROR, Fault.DROPPED, Fault.LOST])
    def test_last_attempt_succeeds(
        self, proxied: Proxy, no_pauses: list[float], fault: Any
    ) -> None:
        storage = S3BotoStorage()
        proxied.on("PutObject", *[fault] * (PATIENT.attempts - 1), None)
        storage.save("a.txt", ContentFile(b"content"))
        assert proxied.operations == ["PutObject"] * PATIENT.attempts
        assert {request.body for request in proxied.requests} == {b"content"}
        assert len(no_pauses) == PATIENT.attempts - 1

    def test_gives_up_after_the_last_attempt(self, proxied: Proxy, no_pauses: list[float]) -> None:
        storage = S3BotoStorage()
        proxied.on("PutObject", SLOW_DOWN)
        with pytest.raises(OSError, match=f"503 SlowDown.*after {PATIENT.attempts} tries"):
            storage.save("a.txt", ContentFile(b"content"))
        assert proxied.operations == ["PutObject"] * PATIENT.attempts

    def test_pauses_grow(self, proxied: Proxy, no_pauses: list[float]) -> None:
        proxied.on("PutObject", *[SLOW_DOWN] * (PATIENT.attempts - 1), None)
        for _ in range(5):
            S3BotoStorage().save("a.txt", ContentFile(b"content"))
            proxied.on("PutObject", *[SLOW_DOWN] * (PATIENT.attempts - 1), None)
        rounds = [no_pauses[start : start + PATIENT.attempts - 1] for start in range(0, 45, 9)]
        means = [sum(column) / 5 for column in zip(*rounds, strict=True)]
        assert sum(means[:3]) < sum(means[-3:])
        assert max(no_pauses) <= 20

    def test_unreliable_server(self, proxied: Proxy, no_pauses: list[float]) -> None:
        """10 % SlowDown and 5 % dropped connections: every object is complete."""
        chance = random.Random(7)
        lock = threading.Lock()

        def rule(request: Request) -> Any:
            with lock:
                draw = chance.random()
            return SLOW_DOWN if draw < 0.1 else Fault.DROPPED if draw < 0.15 else None

        proxied.rule = rule
        storage = S3BotoStorage()
        names = [f"{number}.txt" for number in range(60)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: storage.save(name, ContentFile(name)), names))
        assert len(proxied.requests) > 62
        for name in names:
            with storage.open(name) as file:
                assert file.read() == name.encode()

    def test_large_upload(self, proxied: Proxy, no_pauses: list[float]) -> None:
        content = os.urandom(20 * 2**20)
        proxied.on("CreateMultipartUpload", SLOW_DOWN, Fault.DROPPED, None)
        proxied.on("UploadPart", Fault.DROPPED, None, SLOW_DOWN, None, Fault.LOST, None)
        proxied.on("CompleteMultipartUpload", SLOW_DOWN, None)
        storage = S3BotoStorage()
        storage.save("a.bin", ContentFile(content))
        with storage.open("a.bin") as file:
            assert file.read() == content


class TestThreads:
    """The threads of multipart uploads."""

    @pytest.fixture
    def started(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
        """Return a function that lists the threads started by the test, without the proxy's."""
        names: list[str] = []
        start = threading.Thread.start

        def record(thread: threading.Thread) -> None:
            names.append(thread.name)
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", record)
        return lambda: [name for name in names if "process_request_thread" not in name]

    def test_no_thread_for_small_files_and_for_reading(
        self, proxied: Proxy, started: Callable[[], list[str]]
    ) -> None:
        storage = S3BotoStorage()
        storage.save("a.bin", ContentFile(bytes(7 * 2**20)))
        assert len(read(storage, "a.bin")) == 7 * 2**20
        assert not started()

    @pytest.mark.parametrize(
        ("config", "count"),
        [
            (None, 3),
            (TransferConfig(multipart_chunksize=5 * 2**20, max_concurrency=2), 2),
            (TransferConfig(multipart_chunksize=8 * 2**20, use_threads=False), 0),
        ],
    )
    def test_threads_end_with_the_upload(
        self, proxied: Proxy, started: Callable[[], list[str]], config: Any, count: int
    ) -> None:
        before = set(
            threading.enumerate()
        )  # other tests' threads may still wait for a silent server
        storage = S3BotoStorage(**({"transfer_config": config} if config else {}))
        storage.save("a.bin", ContentFile(bytes(17 * 2**20)))
        assert started() == ["herokuify-upload"] * count
        wait_until(
            lambda: (
                not any(
                    thread.name == "herokuify-upload"
                    for thread in set(threading.enumerate()) - before
                )
            )
        )

    def test_upload_without_threads(self, proxied: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
        """At the interpreter's exit or a dyno's limit, no thread can be started."""
        start = threading.Thread.start

        def refuse(thread: threading.Thread) -> None:
            if thread.name == "herokuify-upload":
                raise RuntimeError("can't start new thread")
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", refuse)
        content = os.urandom(20 * 2**20)
        storage = S3BotoStorage()
        storage.save("a.bin", ContentFile(content))
        assert read(storage, "a.bin") == content
