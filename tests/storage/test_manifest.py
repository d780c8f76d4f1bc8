"""The manifest storages give what Django's own gives for the same files on the disk."""

import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from pytest_django import Settings

from herokuify.storage import (
    CachedS3ManifestStaticStorage,
    S3ManifestStaticStorage,
)
from herokuify.storage.manifest import SlugManifestStorage
from tests.replay import ACCESS_DENIED, Proxy
from tests.servers import S3Server, client_of
from tests.storage.helpers import files

TREE: dict[str, str | bytes] = {
    "css/base.css": (
        '@charset "utf-8";\n'
        '@import "other.css";\n'
        "@import url('nested/deep.css') screen;\n"
        'body { background: url("../img/logo.png") }\n'
        "a { background: url(../img/a%20b.svg#icon) }\n"
        "@font-face { src: url('../fonts/a.woff2?#iefix'), url(../fonts/a.woff2#x) }\n"
        "b { background: url(data:image/png;base64,AAAA); mask: url(#mask) }\n"
        'i { background: url("https://elsewhere.example.com/x.png"), url(//cdn/y.png) }\n'
        "/*# sourceMappingURL=base.css.map */\n"
    ),
    "css/base.css.map": '{"version":3}',
    "css/other.css": "p { background: url(/absolute.png) }\n",
    "css/nested/deep.css": '@import "../leaf.css"; q { background: url(../../img/logo.png) }\n',
    "css/leaf.css": "b {}\n",
    "css/empty.css": "",
    "img/logo.png": b"\x89PNG\r\n\x1a\n\x00\xff",
    "img/a b.svg": "<svg><g id='icon'/></svg>",
    "fonts/a.woff2": b"wOF2\x00\x01",
    "js/main.js": (
        'import def from "./module.js";\n'
        "import * as all from './module.js';\n"
        'import { one, two as three } from "./nested/one.js";\n'
        'export { four } from "./module.js";\n'
        # Django's pattern reads from an "import" to the next "from".
        'import "./side-effect.js";\n'
        'const lazy = import("./lazy.js");\n'
        "//# sourceMappingURL=main.js.map\n"
    ),
    "js/main.js.map": '{"version":3,"sources":[]}',
    "js/module.js": "export default 1; export const four = 4;\n",
    "js/nested/one.js": 'import "../module.js"; export const one = 1, two = 2;\n',
    "js/side-effect.js": "console.log(1)\n",
    "js/lazy.js": "export default 0;\n",
    "js/plain.js": "// Ünïcode 世界\n",
    "names/with space.txt": "a",
    "names/Ünïcode 世界.txt": "b",
    "names/100%.txt": "c",
    "names/a+b#c.txt": "d",
    "names/no-suffix": "e",
    "names/archive.tar.gz": b"\x1f\x8b",
    "zero": b"",
}


def write(folder: Path, tree: dict[str, str | bytes]) -> None:
    for name, content in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def collect(storage: Any, source: Path) -> list[tuple[str, Any, Any]]:
    """Do what Django's collectstatic does: copy, then post_process()."""
    finder = FileSystemStorage(location=source)
    names = sorted(files(source))
    for name in names:
        # As collectstatic.delete_file() does before it copies.
        if storage.exists(name):
            storage.delete(name)
        with finder.open(name) as file:
            storage.save(name, file)
    results = []
    for result in storage.post_process({name: (finder, name) for name in names}):
        if isinstance(result[2], Exception):
            raise result[2]
        results.append(result)
    return results


def on_s3(server: S3Server, bucket: str, prefix: str = "static/") -> dict[str, bytes]:
    client = client_of(server)
    listing = client.list_objects_v2(Bucket=bucket)
    return {
        item["Key"].removeprefix(prefix): client.get_object(Bucket=bucket, Key=item["Key"])[
            "Body"
        ].read()
        for item in listing.get("Contents", [])
    }


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    write(folder, TREE)
    return folder


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """References over two levels in few files, because each file takes six requests."""
    folder = tmp_path / "small"
    names = ("css/nested/deep.css", "css/leaf.css", "img/logo.png", "js/module.js", "zero")
    write(folder, {name: TREE[name] for name in names})
    return folder


def oracle(root: Path, **attributes: Any) -> ManifestStaticFilesStorage:
    storage_class = type("Oracle", (ManifestStaticFilesStorage,), attributes)
    storage: ManifestStaticFilesStorage = storage_class(location=str(root))
    return storage


VARIANTS: dict[str, dict[str, Any]] = {
    "modules": {"support_js_module_import_aggregation": True},
    "intermediate files": {"keep_intermediate_files": True},
    "other name": {"manifest_name": "assets.v1.json"},
}
BASES = [S3ManifestStaticStorage, CachedS3ManifestStaticStorage]


class TestOracle:
    @pytest.mark.parametrize("base", BASES)
    def test_names_contents_and_manifest(
        self,
        aws: S3Server,
        bucket: str,
        local_root: Path,
        source: Path,
        tmp_path: Path,
        base: Any,
    ) -> None:
        self.check(base(), {}, aws, bucket, source, tmp_path / "oracle", local_root)

    @pytest.mark.parametrize("attributes", VARIANTS.values(), ids=VARIANTS)
    def test_variants(
        self,
        moto: S3Server,
        proxied: Proxy,
        moto_bucket: str,
        local_root: Path,
        source: Path,
        tmp_path: Path,
        attributes: dict[str, Any],
    ) -> None:
        storage = type("Tested", (S3ManifestStaticStorage,), attributes)()
        self.check(storage, attributes, moto, moto_bucket, source, tmp_path / "oracle", local_root)

    def check(
        self,
        storage: Any,
        attributes: dict[str, Any],
        server: S3Server,
        bucket: str,
        source: Path,
        root: Path,
        local_root: Path,
    ) -> None:
        expected = oracle(root, **attributes)
        assert collect(storage, source) == collect(expected, source)
        assert storage.hashed_files == expected.hashed_files
        self.compare(server, bucket, local_root, root, storage)

    def test_repeated_runs(
        self,
        moto: S3Server,
        proxied: Proxy,
        moto_bucket: str,
        local_root: Path,
        small: Path,
        tmp_path: Path,
    ) -> None:
        """Unchanged, then with changes deep in the tree, then without one of the files."""
        root = tmp_path / "oracle"
        expected = oracle(root)
        storage = CachedS3ManifestStaticStorage()
        changes: list[dict[str, str | bytes]] = [
            {},
            {},
            {"css/leaf.css": "b { color: red }\n", "img/logo.png": b"new"},
            {name: TREE[name] for name in ("css/leaf.css", "img/logo.png")},
        ]
        for change in changes:
            write(small, change)
            assert collect(storage, small) == collect(expected, small)
            self.compare(moto, moto_bucket, local_root, root, storage, may_hold_more=True)
        (small / "zero").unlink()
        assert collect(storage, small) == collect(expected, small)
        assert "zero" not in storage.hashed_files

    def compare(
        self,
        server: S3Server,
        bucket: str,
        local_root: Path,
        oracle_root: Path,
        storage: Any,
        *,
        may_hold_more: bool = False,
    ) -> None:
        wanted, kept, local = files(oracle_root), on_s3(server, bucket), files(local_root)
        manifest = wanted[storage.manifest_name]
        copy = storage.manifest_names(storage.manifest_hash)[0]
        assert copy.partition(".")[0] == storage.manifest_name.partition(".")[0]
        assert kept[copy] == kept[storage.manifest_name] == manifest
        if may_hold_more:
            # Copies of earlier manifests, and files that Django deletes before writing them.
            assert wanted.items() <= kept.items()
            assert wanted.items() <= local.items()
        else:
            assert kept == {**wanted, copy: manifest}
            is_cached = isinstance(storage, CachedS3ManifestStaticStorage)
            assert local == (wanted if is_cached else {storage.manifest_name: manifest})

    def test_files_in_use_are_never_deleted(
        self, proxied: Proxy, local_root: Path, small: Path
    ) -> None:
        """A PUT replaces a file that visitors may be loading; Django would delete it first."""
        storage = S3ManifestStaticStorage()
        finder = FileSystemStorage(location=small)
        paths = {name: (finder, name) for name in files(small)}
        list(storage.post_process(dict(paths)))
        proxied.requests.clear()
        list(storage.post_process(dict(paths)))
        assert "PutObject" in proxied.operations
        deleted = {
            request.path.partition("/static/")[2]
            for request in proxied.requests
            if request.operation == "DeleteObject"
        }
        assert not deleted & {*storage.hashed_files.values(), *storage.hashed_files}

    def test_broken_reference(self, proxied: Proxy, local_root: Path, tmp_path: Path) -> None:
        """collectstatic raises the first exception that post_process() yields."""
        write(tmp_path / "source", {"a.css": "a { background: url(missing.png) }"})
        storage = S3ManifestStaticStorage()
        with pytest.raises(ValueError, match=r"missing\.png"):
            collect(storage, tmp_path / "source")
        assert not local_root.exists()
        # After post_process(), delete() deletes again.
        storage.delete("a.css")
        assert proxied.operations[-1] == "DeleteObject"

    def test_dry_run(self, proxied: Proxy, local_root: Path, small: Path) -> None:
        storage = S3ManifestStaticStorage()
        finder = FileSystemStorage(location=small)
        assert not list(storage.post_process({"zero": (finder, "zero")}, dry_run=True))
        assert not proxied.requests
        assert not local_root.exists()


class TestManifest:
    def test_written_last_on_s3(self, proxied: Proxy, local_root: Path, small: Path) -> None:
        """Assets, then the manifest's copy, then its usual name."""
        storage = S3ManifestStaticStorage()
        collect(storage, small)
        names = [
            request.path.partition("/static/")[2]
            for request in proxied.requests
            if request.operation == "PutObject"
        ]
        assert names[-2:] == [f"staticfiles.{storage.manifest_hash}.json", "staticfiles.json"]
        assert not [name for name in names[:-2] if name.startswith("staticfiles")]

    def test_failure_keeps_the_old_manifest(
        self, proxied: Proxy, local_root: Path, small: Path
    ) -> None:
        storage = S3ManifestStaticStorage()
        collect(storage, small)
        before = files(local_root)
        write(small, {"css/leaf.css": "b { color: red }"})
        proxied.on("PutObject", *[None] * 6, ACCESS_DENIED)
        with pytest.raises(OSError, match="s3:PutObject"):
            collect(storage, small)
        assert files(local_root) == before

    def test_reloaded_by_every_instance(self, aws: S3Server, local_root: Path, small: Path) -> None:
        reader, cached = S3ManifestStaticStorage(), CachedS3ManifestStaticStorage()
        with pytest.raises(ValueError, match="manifest"):
            reader.url("css/nested/deep.css")
        writer = S3ManifestStaticStorage()
        for text in ("a {}", "b {}"):
            write(small, {"css/nested/deep.css": text})
            collect(writer, small)
            url = writer.url("css/nested/deep.css")
            assert url == reader.url("css/nested/deep.css") == cached.url("css/nested/deep.css")
            assert S3ManifestStaticStorage().url("css/nested/deep.css") == url

    @pytest.mark.usefixtures("no_sockets")
    def test_read_from_the_slug(self, settings: Settings, local_root: Path) -> None:
        settings.STATIC_URL = "https://cdn.example.com/"
        write(local_root, {"staticfiles.json": manifest_of({"a.css": "a.1.css"})})
        assert S3ManifestStaticStorage().url("a.css") == "https://cdn.example.com/a.1.css"

    @pytest.mark.usefixtures("no_sockets")
    def test_activate_manifest_by_another_command(
        self, settings: Settings, local_root: Path
    ) -> None:
        """It is written to STATIC_ROOT and reaches every instance; the command uploads it to S3."""
        settings.STATIC_URL = "https://cdn.example.com/"
        reader, writer = S3ManifestStaticStorage(), S3ManifestStaticStorage()
        for number in range(2):
            manifest = manifest_of({"a.css": f"a.{number}.css"}).encode()
            writer.activate_manifest(manifest)
            assert files(local_root) == {"staticfiles.json": manifest}
            assert reader.url("a.css") == f"https://cdn.example.com/a.{number}.css"

    @pytest.mark.parametrize("storage_class", BASES)
    @pytest.mark.usefixtures("no_sockets")
    def test_needs_static_root(self, settings: Settings, storage_class: Any) -> None:
        """FileSystemStorage without a location would use MEDIA_ROOT."""
        settings.STATIC_ROOT = None
        with pytest.raises(ImproperlyConfigured, match="STATIC_ROOT is not set") as caught:
            storage_class()
        assert 'STATIC_ROOT = BASE_DIR / "staticfiles"' in str(caught.value)

    @pytest.mark.usefixtures("no_sockets")
    def test_manifest_storage_option(self, settings: Settings, tmp_path: Path) -> None:
        settings.STATIC_ROOT = None
        settings.STATIC_URL = "https://cdn.example.com/"
        write(tmp_path, {"staticfiles.json": manifest_of({"a.css": "a.1.css"})})
        storage = S3ManifestStaticStorage(manifest_storage=FileSystemStorage(location=tmp_path))
        assert storage.url("a.css") == "https://cdn.example.com/a.1.css"

    def test_replaced_atomically(self, local_root: Path, settings: Settings) -> None:
        storage = SlugManifestStorage()
        for text in ("{}", '{"a": 1}'):
            # As Django does it.
            storage.delete("staticfiles.json")
            assert storage._save("staticfiles.json", ContentFile(text)) == "staticfiles.json"
            assert files(local_root) == {"staticfiles.json": text.encode()}


def manifest_of(paths: dict[str, str]) -> str:
    return json.dumps({"paths": paths, "version": "1.1", "hash": "0" * 12})


@pytest.mark.usefixtures("no_sockets")
class TestUrl:
    PATHS = {  # noqa: RUF012
        "css/base.css": "css/base.0.css",
        "fonts/a.svg": "fonts/a.1.svg",
        "fonts/a.eot": "fonts/a.2.eot",
        "a b.txt": "a b.3.txt",
        "Ünïcode.txt": "Ünïcode.4.txt",
        "100%.txt": "100%.5.txt",
        "a+b.txt": "a+b.6.txt",
        "CACHE/css/output.0123456789ab.css": "CACHE/css/output.0123456789ab.7.css",
        "folder/": "folder/",
    }

    @pytest.fixture
    def storages(self, settings: Settings, local_root: Path) -> tuple[Any, Any]:
        """herokuify's and Django's, with the same manifest."""
        settings.STATIC_URL = "https://cdn.example.com/v1/"
        write(local_root, {"staticfiles.json": manifest_of(self.PATHS)})
        return S3ManifestStaticStorage(), oracle(local_root)

    @pytest.mark.parametrize("debug", [True, False])
    @pytest.mark.parametrize("force", [True, False])
    @pytest.mark.parametrize(
        "name",
        [
            *PATHS,
            "fonts/a.svg#icon",
            "fonts/a.eot?#iefix",
            "fonts/a.eot?x=1#y",
            "css/base.css?v=1",
            "css/base.css?",
            "css/base.css#",
            "a b.txt#x",
        ],
    )
    def test_equals_djangos(
        self, storages: tuple[Any, Any], settings: Settings, debug: bool, force: bool, name: str
    ) -> None:
        """Apart from quoting: Django leaves "%" and spaces as they are."""
        settings.DEBUG = debug
        ours, djangos = storages
        url = ours.url(name, force=force)
        assert unquote(url) == djangos.url(name, force=force)
        assert url.isascii()
        assert " " not in url

    def test_quoted(self, storages: tuple[Any, Any]) -> None:
        ours, _ = storages
        base = "https://cdn.example.com/v1/"
        assert ours.url("a b.txt") == f"{base}a%20b.3.txt"
        assert ours.url("100%.txt") == f"{base}100%25.5.txt"
        assert ours.url("a+b.txt") == f"{base}a%2Bb.6.txt"
        assert ours.url("fonts/a.svg#icon") == f"{base}fonts/a.1.svg#icon"
        assert ours.url("a b.txt#x") == f"{base}a%20b.3.txt#x"

    @pytest.mark.parametrize("name", ["missing.css", "css/missing.css#x", "CACHEd.css"])
    def test_missing_entry(self, storages: tuple[Any, Any], name: str) -> None:
        ours, _ = storages
        with pytest.raises(ValueError, match="Missing staticfiles manifest entry for"):
            ours.url(name)

    def test_compressors_output_needs_no_entry(
        self, storages: tuple[Any, Any], settings: Settings
    ) -> None:
        """Its name has a hash; it gets another only if collectstatic found it."""
        ours, _ = storages
        name = "CACHE/js/output.ba9876543210.js"
        assert ours.url(name) == f"https://cdn.example.com/v1/{name}"
        hashed = ours.url("CACHE/css/output.0123456789ab.css")
        assert hashed.endswith("CACHE/css/output.0123456789ab.7.css")
        settings.COMPRESS_OUTPUT_DIR = "bundles/"
        assert ours.url("bundles/a.js") == "https://cdn.example.com/v1/bundles/a.js"
        with pytest.raises(ValueError, match="Missing"):
            ours.url(name)

    @pytest.mark.parametrize("name", ["css/base.css", "a.css#x"])
    def test_no_manifest(self, settings: Settings, local_root: Path, name: str) -> None:
        settings.STATIC_URL = "https://cdn.example.com/"
        with pytest.raises(ValueError, match=r"staticfiles\.json") as caught:
            S3ManifestStaticStorage().url(name)
        message = str(caught.value)
        assert str(local_root) in message
        assert "STATIC_ROOT" in message
        assert "python manage.py collectstatic" in message
        output = "CACHE/css/output.0123456789ab.css"
        assert S3ManifestStaticStorage().url(output) == f"https://cdn.example.com/{output}"

    def test_debug_needs_no_manifest(self, settings: Settings, local_root: Path) -> None:
        settings.STATIC_URL = "https://cdn.example.com/"
        settings.DEBUG = True
        assert S3ManifestStaticStorage().url("a b.css") == "https://cdn.example.com/a%20b.css"

    @pytest.mark.parametrize("text", ["", "no JSON", '{"version": "9"}'])
    def test_broken_manifest(self, settings: Settings, local_root: Path, text: str) -> None:
        write(local_root, {"staticfiles.json": text})
        with pytest.raises(ValueError, match="staticfiles.json|manifest"):
            S3ManifestStaticStorage()

    def test_wrong_static_url(self, storages: tuple[Any, Any], settings: Settings) -> None:
        ours, _ = storages
        ours.bucket_name = "my-bucket"
        settings.STATIC_URL = "/static/"
        for name in ("css/base.css", "fonts/a.svg#icon"):
            with pytest.raises(ImproperlyConfigured, match="STATIC_URL"):
                ours.url(name)


def test_name_without_an_entry_is_hashed_if_not_strict(aws: S3Server, local_root: Path) -> None:
    """As in Django, the file itself is hashed."""

    class Lenient(S3ManifestStaticStorage):
        manifest_strict = False

    storage = Lenient()
    storage.save("a.css", ContentFile(b"a {}"))
    hashed = storage.hashed_name("a.css", ContentFile(b"a {}"))
    assert storage.url("a.css").endswith(f"/static/{hashed}")


def test_cache_headers(aws: S3Server, bucket: str, local_root: Path, small: Path) -> None:
    """Files are cached forever if their names change with the content."""
    storage: Any = S3ManifestStaticStorage()
    collect(storage, small)
    for name in on_s3(aws, bucket):
        head = client_of(aws).head_object(Bucket=bucket, Key=f"static/{name}")
        keeps_its_name = name in TREE or name == "staticfiles.json"
        assert ("immutable" in head["CacheControl"]) != keeps_its_name, name


def test_result_does_not_depend_on_the_folder(
    proxied: Proxy, moto: S3Server, moto_bucket: str, local_root: Path, small: Path, tmp_path: Path
) -> None:
    collect(CachedS3ManifestStaticStorage(), small)
    first = on_s3(moto, moto_bucket), files(local_root)
    shutil.copytree(small, tmp_path / "elsewhere")
    shutil.rmtree(local_root)
    collect(CachedS3ManifestStaticStorage(), tmp_path / "elsewhere")
    assert (on_s3(moto, moto_bucket), files(local_root)) == first
