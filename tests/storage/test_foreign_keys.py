"""Unusual keys that other programs wrote: a walk ends, and all listed names can be used."""

import posixpath
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from herokuify.storage import S3MediaStorage
from tests.servers import S3Server
from tests.storage.helpers import read, status

pytestmark = pytest.mark.no_django

SEGMENTS = ["", ".", "..", "a", "b c", "ä€", "a\\b", "x\ny", "%2F", "a+b", "...", " ", "~"]


def walk(storage: Any, folder: str = "", join: Any = posixpath.join) -> list[str]:
    """Return the names of all files below a folder; an endless walk is an error."""
    waiting = [folder]
    found: list[str] = []
    for _ in range(200):
        if not waiting:
            return found
        path = waiting.pop()
        folders, files = storage.listdir(path)
        waiting += [join(path, one) for one in folders]
        found += [join(path, one) for one in files]
    raise AssertionError(f"endless: {waiting[-3:]}")


def put(storage: Any, key: str, body: bytes) -> None:
    storage.client.put_object(Bucket=storage.bucket_name, Key=key, Body=body)


def keys(storage: Any) -> set[str]:
    listing = storage.client.list_objects_v2(Bucket=storage.bucket_name)
    return {one["Key"] for one in listing.get("Contents", [])}


class TestWalking:
    @pytest.mark.parametrize("location", ["media", "", "two/levels"])
    def test_any_keys(self, aws: S3Server, location: str) -> None:
        storage: Any = S3MediaStorage(location=location)
        prefix = f"{location}/" if location else ""
        # Ceph 16 can't list keys with control characters: its XML would be invalid.
        segments = [*SEGMENTS, "\x01"] if aws.name == "moto" else SEGMENTS
        paths = st.lists(st.sampled_from(segments), min_size=1, max_size=4).map("/".join)

        @settings(
            max_examples=12,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.sets(paths.filter(bool), min_size=1, max_size=5))
        def check(names: set[str]) -> None:
            bodies = {prefix + name: name.encode() for name in names}
            for key, body in bodies.items():
                with suppress(ClientError):  # servers refuse some keys
                    put(storage, key, body)
            there = keys(storage)
            listed = walk(storage)
            assert len(listed) == len(set(listed))
            assert {prefix + name for name in listed} <= there
            clean = {
                key
                for key in there
                if not {"", ".", ".."} & set(key.split("/")) and "\\" not in key
            }
            assert {prefix + name for name in listed} == clean
            for name in listed:
                assert storage.exists(name)
                assert storage.size(name) == len(bodies[prefix + name])
                assert read(storage, name) == bodies[prefix + name]
                assert status(storage.url(name)) == 200
                storage.delete(name)
            assert keys(storage) == there - clean
            for key in there - clean:
                storage.client.delete_object(Bucket=storage.bucket_name, Key=key)

        check()

    def test_folder_markers(self, default_storage: Any) -> None:
        for key in ("media/", "media/a/", "media/a/b/"):
            put(default_storage, key, b"")
        assert default_storage.listdir("") == (["a"], [])
        assert default_storage.listdir("a/") == (["b"], [])
        assert walk(default_storage) == []
        default_storage.delete("a/b/")
        assert keys(default_storage) == {"media/", "media/a/"}


class TestUncleanNames:
    @pytest.mark.parametrize("name", ["a//b.txt", "./a/b.txt", "a\\b.txt", "a/./b.txt"])
    def test_literal_key_takes_precedence_over_the_clean_name(
        self, default_storage: Any, name: str
    ) -> None:
        put(default_storage, f"media/{name}", b"spelled")
        assert default_storage.exists(name)
        assert not default_storage.exists("a/b.txt")
        default_storage.save("a/b.txt", ContentFile(b"clean"))
        assert (read(default_storage, name), default_storage.size(name)) == (b"spelled", 7)
        assert read(default_storage, "a/b.txt") == b"clean"
        default_storage.delete(name)
        assert keys(default_storage) == {"media/a/b.txt"}
        # Without it, the name means the clean name, as on a disk.
        assert (read(default_storage, name), default_storage.size(name)) == (b"clean", 5)
        default_storage.delete_many([name])
        assert keys(default_storage) == set()

    @pytest.mark.parametrize(
        "name", ["../secret.txt", "/secret.txt", "a/../../secret.txt", "..\\secret.txt"]
    )
    def test_path_traversal_is_refused(self, default_storage: Any, name: str) -> None:
        put(default_storage, "secret.txt", b"secret")
        for action in (
            *(default_storage.open, default_storage.size, default_storage.exists),
            *(default_storage.delete, default_storage.url, default_storage.get_modified_time),
        ):
            with pytest.raises(SuspiciousFileOperation):
                action(name)
        assert "secret.txt" in keys(default_storage)
