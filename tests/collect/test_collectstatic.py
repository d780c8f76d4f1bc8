"""`collectstatic` sends what differs, and no more."""

import gzip
import json
import os
import shutil
from pathlib import Path

import pytest

from herokuify.collect.index import dump_index
from tests.collect.conftest import (
    INDEX,
    MANIFEST_CLASS,
    PLAIN_CLASS,
    MakeSite,
    Site,
    tree,
    write,
)
from tests.collect.sites import SMALL
from tests.fault_proxy import recorded
from tests.replay import ACCESS_DENIED
from tests.servers import S3Server

ETERNAL = "public, max-age=31536000, immutable"
BRIEF = "public, max-age=300"

each_class = pytest.mark.parametrize("backend", [MANIFEST_CLASS, PLAIN_CLASS])


def sent(site: Site, *arguments: str) -> list[str]:
    """Run collectstatic; return the names that it has written, without the index."""
    with recorded(site.proxy) as traffic:
        site.collect(*arguments)
    assert "DeleteObject" not in traffic.operations
    assert not [request for request in traffic.requests if "delete" in request.query]
    return [key.removeprefix("static/") for key in traffic.writes if key != INDEX]


def manifest_names(site: Site) -> set[str]:
    """Return the two names of the current manifest."""
    digest = json.loads(site.read("staticfiles.json"))["hash"]
    return {"staticfiles.json", f"staticfiles.{digest}.json"}


class TestUnchanged:
    @each_class
    def test_sends_nothing_in_three_requests(self, each_site: Site, backend: str) -> None:
        site = each_site
        site.use(backend)
        assert sent(site)
        with recorded(site.proxy) as traffic:
            site.collect()
        assert traffic.operations == {"ListObjects": 1, "GetObject": 2}
        assert "0 sent" in site.output
        assert "in 3 requests" in site.output

    @each_class
    def test_another_build_of_the_same_files_sends_nothing(self, site: Site, backend: str) -> None:
        site.use(backend)
        sent(site)
        first = tree(site.root)
        other = site.folder / "other"
        shutil.copytree(site.source, other / "source")
        for path in (other / "source").rglob("*"):
            os.utime(path, (1, 1))
        site.configure(
            STATICFILES_DIRS=[other / "source"],
            STATIC_ROOT=other / "collected",
            COMPRESS_ROOT=other / "collected",
        )
        with recorded(site.proxy) as traffic:
            site.collect()
        assert traffic.operations == {"ListObjects": 1, "GetObject": 2}
        assert tree(other / "collected") == first

    def test_first_run_asks_once_for_each_file(self, site: Site) -> None:
        with recorded(site.proxy) as traffic:
            site.collect()
        count = len(site.names())
        assert traffic.operations == {"ListObjects": 1, "GetObject": 4, "PutObject": count + 1}
        assert f"{count} static files: {count} sent, 0 unchanged, 0 failed; " in site.output
        assert f" in {count + 6} requests, " in site.output

    def test_missing_local_tree_is_written_again(self, site: Site) -> None:
        site.collect()
        first = tree(site.root)
        shutil.rmtree(site.root)
        assert sent(site) == []
        assert tree(site.root) == first

    def test_changed_local_tree_is_restored(self, site: Site) -> None:
        site.collect()
        first = tree(site.root)
        (site.root / "robots.txt").write_text("User-agent: !\n")  # as long as the right one
        (site.root / site.hashed("css/site.css")).unlink()
        assert sent(site) == []
        assert tree(site.root) == first


class TestChanged:
    def test_file_of_a_manifest_class_is_sent_with_its_references(self, site: Site) -> None:
        site.collect()
        site.write({"img/dot.png": b"\x89PNG other"})
        names = sent(site)
        # The image, what refers to it, and the manifest that names both.
        changed = {"img/dot.png", "css/site.css"}
        hashed = {site.published()[name] for name in changed}
        assert set(names) == {"img/dot.png", *hashed, *manifest_names(site)}
        assert len(names) == 5
        site.assert_whole()
        assert site.read("img/dot.png") == b"\x89PNG other"

    def test_file_of_a_plain_class_is_sent(self, site: Site) -> None:
        site.use(PLAIN_CLASS)
        site.collect()
        site.write({"img/dot.png": b"\x89PNG other"})
        assert sent(site) == ["img/dot.png"]
        assert site.read("img/dot.png") == b"\x89PNG other"

    def test_file_of_the_same_length_is_sent(self, site: Site) -> None:
        site.use(PLAIN_CLASS)
        site.collect()
        site.write({"robots.txt": "User-agent: !\n"})
        assert sent(site) == ["robots.txt"]

    @each_class
    def test_setting_of_headers_sends_its_files(self, site: Site, backend: str) -> None:
        site.use(backend)
        site.collect()
        site.configure(AWS_EXTRA_HEADERS=[(r".*\.css$", {"Cache-Control": "max-age=7"})])
        names = sent(site)
        assert set(names) == {name for name in site.names() if name.endswith(".css")}
        assert len(names) == len(set(names)) > 0
        assert site.head("css/site.css")["CacheControl"] == "max-age=7"
        assert sent(site) == []

    def test_setting_of_gzip_sends_its_files(self, site: Site) -> None:
        site.use(PLAIN_CLASS)
        site.write({"css/long.css": "a { color: red }\n" * 100})
        site.collect()
        site.configure(AWS_IS_GZIPPED=True)
        names = sent(site)
        stored = site.get("css/long.css")
        assert stored["ContentEncoding"] == "gzip"
        assert gzip.decompress(stored["Body"].read()) == b"a { color: red }\n" * 100
        # Files too short to compress are sent again, too, because their setting changed.
        assert "ContentEncoding" not in site.head("css/base.css")
        assert set(names) == {"css/long.css", "css/base.css", "css/site.css", "js/site.js"}
        assert sent(site) == []
        site.configure(AWS_IS_GZIPPED=False)
        assert set(sent(site)) == set(names)
        assert "ContentEncoding" not in site.head("css/long.css")
        assert sent(site) == []

    def test_only_hashed_names_are_cached_for_good(self, site: Site) -> None:
        site.collect()
        names = site.names()
        hashed = set(site.published().values())
        copies = site.manifests() - {"staticfiles.json"}
        assert {name: site.head(name)["CacheControl"] for name in names} == {
            name: ETERNAL if name in hashed | copies else BRIEF for name in names
        }
        assert len(copies) == 1


NO_ENTRIES = gzip.decompress(dump_index({}))
INDEXES: dict[str, bytes | None] = {
    "missing": None,
    "empty": b"",
    "no gzip": NO_ENTRIES,
    "cut": dump_index({})[:-9],
    "no JSON": gzip.compress(b"index"),
    "other version": gzip.compress(b'{"version": 1, "objects": {"static/robots.txt": {}}}\n'),
    "no object": gzip.compress(b"[]"),
    "strange entries": gzip.compress(NO_ENTRIES + b'{"static/robots.txt": [1]}\n'),
}


class TestIndex:
    @pytest.mark.parametrize("stored", INDEXES.values(), ids=INDEXES)
    @each_class
    def test_damaged_index_is_restored(
        self, site: Site, backend: str, stored: bytes | None
    ) -> None:
        site.use(backend)
        site.collect()
        index = site.index()
        if stored is None:
            site.client.delete_object(Bucket=site.bucket, Key=INDEX)
        else:
            site.put_index(stored)
        with recorded(site.proxy) as traffic:
            site.collect()
        # Each object is checked by HEAD, and none is sent again.
        assert traffic.operations["HeadObject"] == len(site.names())
        assert traffic.writes == [INDEX]
        assert site.index() == index
        assert sent(site) == []

    def test_index_of_an_older_release_is_valid(self, site: Site) -> None:
        site.collect()
        old = site.client.get_object(Bucket=site.bucket, Key=INDEX)["Body"].read()
        before = site.remote_tree()
        site.write({"img/dot.png": b"other", "new.txt": "new"})
        site.collect()
        site.put_index(old)
        assert sent(site) == []
        site.write(SMALL)
        site.remove("new.txt")
        assert set(sent(site)) == {"img/dot.png", "staticfiles.json"}
        assert before.items() <= site.remote_tree().items()

    @each_class
    def test_objects_changed_by_hand_are_sent_again(self, site: Site, backend: str) -> None:
        site.use(backend)
        site.collect()
        before = site.remote_tree()
        site.put("robots.txt", b"User-agent: !\n")
        site.put("css/base.css", b"html { color: blue }")
        site.delete("img/dot.png", "js/site.js")
        with recorded(site.proxy) as traffic:
            site.collect()
        touched = ["robots.txt", "css/base.css", "img/dot.png", "js/site.js"]
        assert sorted(traffic.writes) == sorted(f"static/{name}" for name in touched)
        assert site.remote_tree() == before
        assert sent(site) == []

    def test_headers_changed_by_hand_are_not_noticed(self, site: Site) -> None:
        # The ETag is the same and listings have no headers, so the engine can't notice ...
        site.collect()
        site.put("robots.txt", site.read("robots.txt"), CacheControl="no-store")
        assert sent(site) == []
        # ... unless the index is lost.
        site.put_index(b"")
        assert sent(site) == ["robots.txt"]
        assert site.head("robots.txt")["CacheControl"] == BRIEF

    def test_objects_with_other_headers_are_sent_again(self, site: Site) -> None:
        """As after django-storages: the same content with other headers."""
        for name in SMALL:
            content = (site.source / name).read_bytes()
            site.put(name, content, ContentType="text/html")
        names = sent(site)
        assert set(names) == site.names()
        assert site.head("css/site.css")["ContentType"] == "text/css"

    def test_denied_index_is_a_warning(self, site: Site, caplog: pytest.LogCaptureFixture) -> None:
        """Without permission for the index, a run is slower and logs a warning."""
        site.proxy.rule = lambda request: ACCESS_DENIED if INDEX in request.path else None
        sent(site)
        assert "s3:GetObject" in caplog.text
        assert INDEX in caplog.text
        site.assert_whole()
        with recorded(site.proxy) as traffic:
            site.collect()
        assert traffic.operations["HeadObject"] == len(site.names())


class TestETags:
    def test_of_multipart_uploads_need_the_index(self, each_site: Site) -> None:
        site = each_site
        site.use(PLAIN_CLASS)
        site.write({"video.mp4": os.urandom(9 * 1024 * 1024)})
        site.collect()
        assert site.head("video.mp4")["ETag"].strip('"').endswith("-2")
        assert site.read("video.mp4") == (site.source / "video.mp4").read_bytes()
        assert sent(site) == []
        # Without the index, such an ETag can't be compared.
        site.put_index(b"")
        assert set(sent(site)) == {"video.mp4"}
        assert sent(site) == []
        site.configure(AWS_HEADERS={"Cache-Control": "no-cache"})
        assert "video.mp4" in sent(site)

    @each_class
    def test_with_kms_need_the_index(self, site: Site, backend: str) -> None:
        site.use(backend)
        site.proxy.has_kms_etags = True
        names = sent(site)
        assert sent(site) == []
        site.write({"robots.txt": "User-agent: !\n"})
        assert "robots.txt" in sent(site)
        site.put_index(b"")
        # Without the index, these ETags can't be compared: everything is sent again.
        assert set(names) <= set(sent(site)) | {
            name for name in names if name.startswith("staticfiles") or "robots" in name
        }
        assert sent(site) == []


class TestTwoSources:
    def test_first_finder_wins(self, site: Site, tmp_path: Path) -> None:
        write(tmp_path / "second", {"robots.txt": "second", "only.txt": "second"})
        site.configure(STATICFILES_DIRS=[site.source, tmp_path / "second"])
        output = site.collect(verbosity=2)
        assert site.read("robots.txt") == SMALL["robots.txt"].encode()  # type: ignore[union-attr]
        assert site.read("only.txt") == b"second"
        assert "Found another file with the destination path 'robots.txt'" in output
        assert tree(site.root) == site.as_django()

    def test_prefixed_folders(self, site: Site, tmp_path: Path) -> None:
        write(tmp_path / "vendor", {"lib.css": "a { b: url(x.png) }", "x.png": b"1"})
        site.configure(STATICFILES_DIRS=[site.source, ("vendor", tmp_path / "vendor")])
        site.collect()
        assert site.read("vendor/x.png") == b"1"
        assert tree(site.root) == site.as_django()


def test_large_files_are_compared_by_content(make_site: MakeSite, moto: S3Server) -> None:
    site = make_site(moto, {"data.bin": bytes(8 * 1024 * 1024)})
    site.use(PLAIN_CLASS)
    site.collect()
    site.write({"data.bin": bytes(8 * 1024 * 1024 - 1) + b"1"})
    assert sent(site) == ["data.bin"]
    assert site.read("data.bin")[-1:] == b"1"
