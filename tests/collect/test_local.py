import gzip
import io
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from herokuify.collect.local import LocalFile, Stage
from herokuify.storage.content import CHUNK, LARGE, ChangedError, Content, compressed


class TestContent:
    @pytest.mark.parametrize(
        "size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, LARGE - 1, LARGE, LARGE + 1, 2 * LARGE + 5]
    )
    def test_of_file_has_size_and_digest(self, tmp_path: Path, size: int) -> None:
        data = os.urandom(size)
        path = tmp_path / "file"
        path.write_bytes(data)
        content = Content.of_file(lambda: path.open("rb"))
        assert content.size == size
        assert content.digest == Content.of_bytes(data).digest
        assert len(content.digest) == 32
        assert content.is_large == (size >= LARGE)
        assert (content.data is None) == content.is_large
        assert content.is_large or content.read() == data
        with content.open() as file:
            assert file.read() == data

    def test_reads_a_small_file_once(self) -> None:
        calls = []

        def opener() -> BinaryIO:
            calls.append(1)
            return io.BytesIO(b"content")

        content = Content.of_file(opener)
        assert (content.read(), content.open().read()) == (b"content", b"content")
        assert len(calls) == 1
        away = content.without_data()
        assert away.data is None
        assert away == replace(content, data=None)
        assert away.read() == b"content"
        assert len(calls) == 2

    def test_reads_in_small_chunks(self) -> None:
        """Each read allocates its buffer first; many of 8 MB would fragment the heap."""
        sizes = []

        class Asked(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                sizes.append(size)
                return super().read(size)

        Content.of_file(lambda: Asked(b"a" * LARGE))
        assert set(sizes) == {CHUNK}

    @pytest.mark.parametrize("size", [3, LARGE])
    def test_changed_file_is_an_error(self, tmp_path: Path, size: int) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"a" * size)
        content = Content.of_file(lambda: path.open("rb")).without_data()
        assert content.confirm().digest == content.digest
        path.write_bytes(b"b" * size)
        with pytest.raises(ChangedError, match="Run collectstatic again"):
            content.confirm()
        with pytest.raises(ChangedError):
            content.read()

    def test_bytes_without_a_file_are_kept(self) -> None:
        content = Content.of_bytes(b"made here")
        assert content.without_data().read() == b"made here"

    def test_digests_of_contents_differ(self) -> None:
        contents = [b"", b"a", b"b", b"a" * LARGE, b"a" * LARGE + b"b"]
        openers: list[Callable[[], BinaryIO]] = [lambda c=c: io.BytesIO(c) for c in contents]  # type: ignore[misc]
        assert len({Content.of_file(opener).digest for opener in openers}) == len(contents)

    def test_written_to_compares_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        content = Content.of_bytes(b"right")
        assert not content.written_to(path)
        path.write_bytes(b"wrong")
        assert not content.written_to(path)
        path.write_bytes(b"rightly")
        assert not content.written_to(path)
        path.write_bytes(b"right")
        assert content.written_to(path)
        assert not content.written_to(tmp_path)
        assert not content.written_to(path / "below a file")


class TestCompressed:
    def test_is_smaller_and_reproducible(self) -> None:
        source = io.BytesIO(b"a { color: red }\n" * 1000)
        results = []
        for _ in range(2):
            source.seek(0)
            target = compressed(source)
            assert target is not None
            with target:
                results.append(target.read())
        assert results[0] == results[1]
        assert gzip.decompress(results[0]) == source.getvalue()
        assert results[0][4:8] == b"\0\0\0\0"  # no time

    @pytest.mark.parametrize("data", [b"", b"short", os.urandom(10_000)])
    def test_is_none_where_it_gains_nothing(self, data: bytes) -> None:
        assert compressed(io.BytesIO(data)) is None

    def test_large_result_is_on_the_disk(self) -> None:
        half = os.urandom(LARGE)
        target = compressed(io.BytesIO(half + bytes(LARGE)))
        assert target is not None
        with target:
            assert gzip.decompress(target.read()) == half + bytes(LARGE)
            assert stat.S_ISREG(os.fstat(target.fileno()).st_mode)


def local_file(parameters: dict[str, Any], *, is_gzipped: bool = False) -> LocalFile:
    content = Content.of_bytes(b"")
    return LocalFile("a.css", "static/a.css", Stage.PLAIN, content, parameters, is_gzipped)


class TestFingerprint:
    def test_ignores_the_order(self) -> None:
        one = local_file({"CacheControl": "no-cache", "ContentType": "text/css"})
        other = local_file({"ContentType": "text/css", "CacheControl": "no-cache"})
        assert one.fingerprint == other.fingerprint
        assert len(one.fingerprint) == 16

    def test_differs_for_all_parameters(self) -> None:
        date = datetime(2037, 1, 1, tzinfo=timezone.utc)
        variants: list[dict[str, Any]] = [
            {},
            {"ContentType": "text/css"},
            {"ContentType": "text/html"},
            {"ContentType": "text/css", "ContentEncoding": "gzip"},
            {"ContentType": "text/css", "CacheControl": "max-age=1"},
            {"ContentType": "text/css", "CacheControl": "max-age=2"},
            {"ContentType": "text/css", "Metadata": {"a": "1"}},
            {"ContentType": "text/css", "Metadata": {"a": "2"}},
            {"ContentType": "text/css", "Expires": date},
            {"ContentType": "text/css", "ACL": "public-read"},
            {"ContentType": "text/css", "BucketKeyEnabled": True},
            {"ContentType": "text/css", "BucketKeyEnabled": "True"},
        ]
        files = [local_file(parameters) for parameters in variants]
        files += [local_file(parameters, is_gzipped=True) for parameters in variants]
        assert len({file.fingerprint for file in files}) == 2 * len(variants)

    def test_is_constant(self) -> None:
        """Otherwise the index of an older release would be useless."""
        file = local_file({"ContentType": "text/css", "CacheControl": "public, max-age=300"})
        assert file.fingerprint == "dbd7da2347daf1e2"


def test_stages_are_in_the_order_of_publication() -> None:
    assert sorted(Stage) == [
        Stage.HASHED,
        Stage.PLAIN,
        Stage.MANIFEST_COPY,
        Stage.MANIFEST,
    ]
