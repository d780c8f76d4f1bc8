"""The storages as Django's own: files and fields, names, reading, URLs, pickling."""

import pickle
import random
from datetime import datetime, timedelta, timezone
from pathlib import PurePosixPath
from typing import Any, cast
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest
from botocore.config import Config
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.db import models
from pytest_django import Settings

from herokuify.storage import (
    S3BotoStorage,
    S3ManifestStaticStorage,
    S3MediaStorage,
    S3StaticStorage,
)
from tests.replay import ERRORS, Answer, Proxy
from tests.servers import S3Server
from tests.storage.helpers import NAMES, on_ceph, read
from tests.testapp.models import Document

calls: list[str] = []


def random_folder(instance: models.Model, filename: str) -> str:
    calls.append(filename)
    return f"random/{random.randrange(10**9)}/{filename}"


class Story(models.Model):
    default = models.FileField(upload_to="tests", default="tests/default.txt")
    anywhere = models.FileField(upload_to=random_folder)

    class Meta:
        app_label = "testapp"


class TestFiles:
    def test_write_read_and_delete(self, each_storage: Storage) -> None:
        storage = each_storage
        assert not storage.exists("storage_test")
        file = storage.open("storage_test", "w")
        file.write("storage contents")
        assert not storage.exists("storage_test")
        file.close()
        assert storage.exists("storage_test")
        with storage.open("storage_test", "r") as file:
            assert file.read() == "storage contents"
        with storage.open("storage_test") as file:
            assert file.read() == b"storage contents"
        storage.delete("storage_test")
        assert not storage.exists("storage_test")

    def test_file_field(self, default_storage: Storage) -> None:
        first = Document()
        assert not first.file
        with pytest.raises(ValueError, match="no file"):
            first.file.size  # noqa: B018
        first.file.save("django_test.txt", ContentFile("content"), save=False)
        assert first.file.name == "documents/django_test.txt"
        assert first.file.size == 7
        assert first.file.read() == b"content"
        first.file.close()

        first.file.open()
        assert first.file.read(3) == b"con"
        assert first.file.read() == b"tent"
        first.file.close()

        first.file.open()
        assert list(first.file.chunks(chunk_size=2)) == [b"co", b"nt", b"en", b"t"]
        first.file.close()

    def test_second_file_of_a_name_gets_another_name(self, default_storage: Storage) -> None:
        first, second = Document(), Document()
        first.file.save("django_test.txt", ContentFile("content"), save=False)
        second.file.save("django_test.txt", ContentFile("more content"), save=False)
        assert second.file.name != first.file.name
        assert str(second.file.name).startswith("documents/django_test_")
        assert second.file.size == 12
        with first.file as one, second.file as two:
            assert (one.read(), two.read()) == (b"content", b"more content")
        assert default_storage.listdir("documents")[1] == sorted(
            str(file.name).partition("/")[2] for file in (second.file, first.file)
        )

    @pytest.mark.django_db
    def test_model_instances_with_files_can_be_cached(self, default_storage: Storage) -> None:
        document = Document()
        document.file.save("cached.txt", ContentFile("content"))
        document.file.read()
        cache.set("document", document)
        document.file.close()
        cached = cache.get("document")
        assert cached == document
        assert cached.file.name == document.file.name
        with cached.file as file:
            assert file.read() == b"content"

    @pytest.mark.django_db
    def test_default_of_a_field(self, default_storage: Storage) -> None:
        default_storage.save("tests/default.txt", ContentFile("default content"))
        story = Story()
        story.save()
        assert story.default.name == "tests/default.txt"
        assert story.default.read() == b"default content"
        story.default.close()
        story.delete()
        with Story().default as file:
            assert file.read() == b"default content"

    def test_upload_to_is_called_once(self, default_storage: Storage) -> None:
        calls.clear()
        story = Story()
        story.anywhere.save("file.txt", ContentFile("random content"), save=False)
        assert calls == ["file.txt"]
        assert str(story.anywhere.name).endswith("/file.txt")
        with story.anywhere as file:
            assert file.read() == b"random content"

    def test_deleting_a_missing_file(self, each_storage: Storage) -> None:
        each_storage.delete("nothing")
        each_storage.delete("no/folder/nothing.txt")

    def test_deleting_a_missing_file_may_be_answered_by_404(self, proxied: Proxy) -> None:
        """S3 answers 204."""
        proxied.on("DeleteObject", Answer(ERRORS, 404, "NoSuchKey", "The key does not exist."))
        S3BotoStorage().delete("nothing")

    @pytest.mark.usefixtures("no_sockets")
    def test_deleting_needs_a_name(self) -> None:
        """An empty name would mean the location itself."""
        with pytest.raises(ValueError, match="name"):
            S3MediaStorage().delete("")

    def test_field_file_deletes_its_file(self, default_storage: Storage) -> None:
        document = Document()
        document.file.save("a.txt", ContentFile("a"), save=False)
        name = str(document.file.name)
        document.file.delete(save=False)
        assert not default_storage.exists(name)
        assert not document.file


class TestNames:
    @pytest.mark.parametrize("name", NAMES)
    def test_any_name(self, default_storage: Any, name: str) -> None:
        body = name.encode()
        assert default_storage.save(name, ContentFile(body)) == name
        assert default_storage.exists(name)
        assert default_storage.size(name) == len(body)
        with default_storage.open(name) as file:
            assert file.name == name
            assert file.read() == body
        with urlopen(default_storage.url(name)) as answer:
            assert answer.read() == body
        folder, _, base = name.rpartition("/")
        assert default_storage.listdir(folder)[1] == [base]
        keys = [item.key for item in default_storage.bucket.objects.all()]
        assert keys == [f"media/{name}"]
        default_storage.delete(name)
        assert not default_storage.exists(name)

    @pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "..", "a/../../media2/x"])
    @pytest.mark.parametrize(
        "action",
        [
            lambda storage, name: storage.save(name, ContentFile(b"")),
            lambda storage, name: storage.open(name),
            lambda storage, name: storage.open(name, "w"),
            lambda storage, name: storage.exists(name),
            lambda storage, name: storage.size(name),
            lambda storage, name: storage.get_modified_time(name),
            lambda storage, name: storage.delete(name),
            lambda storage, name: storage.listdir(name),
            lambda storage, name: storage.url(name),
        ],
        ids=["save", "open", "open-w", "exists", "size", "modified", "delete", "listdir", "url"],
    )
    @pytest.mark.usefixtures("no_sockets")
    def test_path_traversal(self, settings: Settings, action: Any, name: str) -> None:
        settings.AWS_STORAGE_BUCKET_NAME = "bucket"
        settings.AWS_S3_REGION_NAME = "us-east-1"
        with pytest.raises(SuspiciousOperation):
            action(S3MediaStorage(access_key="x", secret_key="x"), name)

    def test_traversal_inside_the_location(self, default_storage: Any) -> None:
        default_storage.save("a.txt", ContentFile(b"x"))
        assert default_storage.exists("folder/../a.txt")
        assert default_storage.exists("./a.txt")
        assert default_storage.exists(PurePosixPath("a.txt"))

    def test_windows_separators(self, each_storage: Any) -> None:
        with each_storage.open("folder\\a.txt", "w") as file:
            file.write("x")
        assert each_storage.listdir("folder") == ([], ["a.txt"])


class TestReading:
    @pytest.mark.parametrize("data", [b"", "Grüße\r\n世界\n".encode()], ids=["empty", "text"])
    def test_text_and_binary(self, default_storage: Storage, data: bytes) -> None:
        name = default_storage.save("a.txt", ContentFile(data))
        assert default_storage.size(name) == len(data)
        assert read(default_storage, name) == data
        assert read(default_storage, name, "rb") == data
        # As with a local file, text mode converts newlines.
        text = data.decode().replace("\r\n", "\n")
        assert read(default_storage, name, "r") == text
        assert read(default_storage, name, "rt") == text

    def test_lines(self, default_storage: Storage) -> None:
        name = default_storage.save("a.txt", ContentFile(b"one\ntwo\n\nthree"))
        with default_storage.open(name) as file:
            assert list(file) == [b"one\n", b"two\n", b"\n", b"three"]
        with default_storage.open(name, "r") as text:
            assert text.readline() == "one\n"
            assert text.read() == "two\n\nthree"

    def test_seek_and_reopen(self, default_storage: Storage) -> None:
        name = default_storage.save("a.txt", ContentFile(b"content"))
        file = default_storage.open(name)
        file.seek(3)
        assert file.read() == b"tent"
        file.open()
        assert file.read() == b"content"
        file.close()
        assert file.closed
        file.open()
        assert file.read() == b"content"
        file.close()

    def test_open_downloads_nothing(self, proxied: Proxy) -> None:
        storage = S3BotoStorage()
        storage.save("a.txt", ContentFile(b"content"))
        proxied.requests.clear()
        with storage.open("a.txt") as file:
            assert proxied.operations == ["HeadObject"]
            assert file.read() == b"content"
        # The oldest s3transfer asks for the size by itself.
        assert set(proxied.operations) == {"HeadObject", "GetObject"}

    def test_missing_file(self, each_storage: Any) -> None:
        for action in (
            each_storage.open,
            each_storage.size,
            each_storage.get_modified_time,
        ):
            with pytest.raises(FileNotFoundError, match=r"gone\.txt"):
                action("gone.txt")
        assert each_storage.listdir("gone") == ([], [])

    def test_deleted_between_open_and_read(self, default_storage: Storage) -> None:
        name = default_storage.save("a.txt", ContentFile(b"content"))
        file = default_storage.open(name)
        default_storage.delete(name)
        # Twice: the first attempt must not leave partial content behind.
        for _ in range(2):
            with pytest.raises(FileNotFoundError, match=r"a\.txt"):
                file.read()

    def test_listdir(self, default_storage: Storage) -> None:
        for name in ("a.txt", "folder/b.txt", "folder/sub/c.txt", "folder/sub/d.txt"):
            default_storage.save(name, ContentFile(b""))
        assert default_storage.listdir("") == (["folder"], ["a.txt"])
        assert default_storage.listdir("folder") == (["sub"], ["b.txt"])
        assert default_storage.listdir("folder/") == (["sub"], ["b.txt"])

    @pytest.mark.parametrize("use_tz", [True, False])
    def test_modified_time(self, default_storage: Any, settings: Settings, use_tz: bool) -> None:
        settings.USE_TZ = use_tz
        settings.TIME_ZONE = "Asia/Tokyo"
        name = default_storage.save("a.txt", ContentFile(b""))
        modified = default_storage.get_modified_time(name)
        assert (modified.tzinfo is not None) == use_tz
        now = datetime.now(timezone.utc)
        if not use_tz:
            now = now.replace(tzinfo=None) + timedelta(hours=9)
        assert abs(now - modified) < timedelta(minutes=5)

    @pytest.mark.parametrize("mode", ["", "q", "rw", "rbt", "b", "+"])
    @pytest.mark.usefixtures("no_sockets")
    def test_invalid_modes(self, mode: str) -> None:
        with pytest.raises(ValueError, match="invalid mode: "):
            S3BotoStorage().open("a.txt", mode)


class TestUrl:
    def test_signed_and_expiring(self, default_storage: Any) -> None:
        name = default_storage.save("a.txt", ContentFile(b"x"))
        query = parse_qs(urlsplit(default_storage.url(name)).query)
        assert query["X-Amz-Expires"] == ["3600"]
        assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
        url = default_storage.url(name, expire=60)
        assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["60"]

    def test_parameters_and_method(self, default_storage: Any) -> None:
        name = default_storage.save("a.txt", ContentFile(b"x"))
        url = default_storage.url(name, {"ResponseContentType": "text/x-special"})
        with urlopen(url) as answer:
            assert answer.headers["Content-Type"] == "text/x-special"

    @on_ceph
    def test_signature_is_for_one_method(self, default_storage: Any) -> None:
        default_storage.save("a.txt", ContentFile(b"x"))
        with pytest.raises(HTTPError) as caught:
            urlopen(default_storage.url("a.txt", http_method="HEAD"))
        assert caught.value.code == 403
        caught.value.close()

    @pytest.mark.usefixtures("no_sockets")
    def test_needs_no_network(self, settings: Settings) -> None:
        storage = S3BotoStorage(
            bucket_name="my-bucket",
            region_name="eu-west-1",
            access_key="x",
            secret_key="x",
        )
        assert storage.url("a b.txt").startswith(
            "https://my-bucket.s3.eu-west-1.amazonaws.com/a%20b.txt?"
        )

    @pytest.mark.usefixtures("no_sockets")
    def test_without_signature(self) -> None:
        storage = S3BotoStorage(
            bucket_name="my-bucket",
            region_name="eu-west-1",
            querystring_auth=False,
            access_key="x",
            secret_key="x",
        )
        url = "https://my-bucket.s3.eu-west-1.amazonaws.com/a%20b.txt"
        assert storage.url("a b.txt") == url

    @pytest.mark.usefixtures("no_sockets")
    def test_without_credentials(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        storage = S3BotoStorage(bucket_name="my-bucket", region_name="eu-central-2")
        with pytest.raises(ImproperlyConfigured, match="AWS_ACCESS_KEY_ID") as caught:
            storage.url("a.txt")
        assert "heroku config:set AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…" in str(caught.value)


class TestPickling:
    @pytest.mark.parametrize(
        "storage_class", [S3BotoStorage, S3MediaStorage, S3StaticStorage, S3ManifestStaticStorage]
    )
    def test_storages(
        self, aws: S3Server, settings: Settings, tmp_path: Any, storage_class: Any
    ) -> None:
        settings.STATIC_ROOT = tmp_path
        storage = storage_class(headers={"Cache-Control": "x"})
        client = storage.client
        pickled = pickle.dumps(storage)
        for name in (b"ServiceResource", b"boto3.session", b"botocore.client"):
            assert name not in pickled
        copy = pickle.loads(pickled)
        # The same configuration, so the same client of this process.
        assert copy.client is client
        assert copy.header_rules == storage.header_rules
        cast(S3BotoStorage, copy).save("a.txt", ContentFile(b"x"))
        assert storage.exists("a.txt")

    def test_client_config_is_kept(self) -> None:
        storage = S3BotoStorage(client_config=Config(read_timeout=7))
        assert pickle.loads(pickle.dumps(storage)).client_config.read_timeout == 7

    def test_files_of_fields(self, default_storage: Storage) -> None:
        document = Document()
        document.file.save("a.txt", ContentFile(b"content"), save=False)
        copy = pickle.loads(pickle.dumps(document))
        with copy.file as file:
            assert file.read() == b"content"
