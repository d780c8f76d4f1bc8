"""Bulk deletion, listing, and the contents that save() accepts."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.base import ContentFile

from herokuify.exceptions import S3Error
from herokuify.storage import CachedS3BotoStorage, S3BotoStorage, S3MediaStorage
from tests.replay import ERRORS, Document, Proxy
from tests.servers import S3Server, client_of
from tests.storage.helpers import on_ceph, read

pytestmark = pytest.mark.no_django


class TestDeleteMany:
    def test_deletes_only_the_given_names(self, default_storage: Any) -> None:
        for name in ("a.txt", "b&<c>.txt", "ü/d e.txt", "kept.txt"):
            default_storage.save(name, ContentFile(b"x"))
        names = (name for name in ["a.txt", "b&<c>.txt", "ü/d e.txt", "never-was.txt"])
        default_storage.delete_many(names)
        assert default_storage.listdir("") == ([], ["kept.txt"])

    def test_a_thousand_at_a_time(self, proxied: Proxy) -> None:
        S3BotoStorage().delete_many(f"{number}.txt" for number in range(2001))
        assert [request.method for request in proxied.requests] == ["POST"] * 3
        assert [request.body.count(b"<Key>") for request in proxied.requests] == [1000, 1000, 1]

    def test_no_names(self, proxied: Proxy) -> None:
        S3BotoStorage().delete_many([])
        assert not proxied.requests

    @pytest.mark.usefixtures("no_sockets")
    @pytest.mark.parametrize("names", [[""], ["a.txt", None]])
    def test_empty_name(self, names: list[Any]) -> None:
        with pytest.raises(ValueError, match="name"):
            S3MediaStorage(bucket_name="b", access_key="k", secret_key="s").delete_many(names)

    def test_error_names_what_was_not_deleted(self, proxied: Proxy) -> None:
        errors = "".join(
            f"<Error><Key>media/{n}.txt</Key><Code>AccessDenied</Code></Error>" for n in range(25)
        )
        body = f"<DeleteResult>{errors}</DeleteResult>".encode()
        proxied.rule = lambda request: Document(ERRORS, body)
        with pytest.raises(S3Error, match=r"media/0\.txt: AccessDenied.*and 5 more.*s3:DeleteObj"):
            S3MediaStorage().delete_many(["0.txt"])

    @on_ceph
    def test_refused(self, aws: S3Server, bucket: str) -> None:
        storage = S3MediaStorage()
        storage.save("a.txt", ContentFile(b"x"))
        statement = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:DeleteObject",
            "Resource": [f"arn:aws:s3:::{bucket}/*"],
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        client_of(aws).put_bucket_policy(Bucket=bucket, Policy=policy)
        with pytest.raises(S3Error, match="s3:DeleteObject"):
            storage.delete_many(["a.txt"])

    def test_local_copies(self, aws: S3Server, local_root: Any) -> None:
        storage = CachedS3BotoStorage()
        for name in ("a.txt", "b.txt"):
            storage.save(name, ContentFile(b"x"))
        storage.delete_many(name for name in ("a.txt", "never-was.txt"))
        assert [path.name for path in local_root.iterdir()] == ["b.txt"]
        assert storage.listdir("")[1] == ["b.txt"]


def test_listdir_is_one_request(proxied: Proxy) -> None:
    storage = S3BotoStorage()
    for number in range(3):
        storage.save(f"folder/{number}.txt", ContentFile(b""))
    proxied.requests.clear()
    assert len(storage.listdir("folder")[1]) == 3
    assert proxied.operations == ["ListObjects"]


class TestContents:
    @pytest.mark.parametrize("overwrite", [True, False])
    def test_generators(self, aws: S3Server, overwrite: bool) -> None:
        def pieces() -> Iterator[Any]:
            yield b"bytes, "
            yield "text: ä, "
            yield bytearray(b"an array")

        storage = S3MediaStorage(file_overwrite=overwrite)
        assert storage.save("a.txt", pieces()) == "a.txt"
        assert read(storage, "a.txt") == "bytes, text: ä, an array".encode()
        assert storage.save("b.txt", [b"a", b"list"]) == "b.txt"
        assert read(storage, "b.txt") == b"alist"

    def test_a_large_generator(self, default_storage: Any) -> None:
        name = default_storage.save("a.bin", (bytes([n]) * 2**20 for n in range(9)))
        assert default_storage.size(name) == 9 * 2**20
        assert read(default_storage, name)[-1] == 8

    def test_invalid_content(self, default_storage: Any) -> None:
        with pytest.raises(TypeError):
            default_storage.save("a.txt", 7)
        assert not default_storage.exists("a.txt")
