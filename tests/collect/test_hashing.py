"""Files and manifest, on S3 and on the disk, are the same as Django writes locally."""

import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, staticfiles_storage
from django.core.management.base import CommandError

from herokuify.storage.content import Content
from herokuify.storage.hashing import HashingTree
from tests.collect import sites
from tests.collect.conftest import FINDER, MakeSite, Site, tree, write
from tests.collect.sites import Files
from tests.collect.storages import LocalModulesStorage
from tests.fault_proxy import recorded
from tests.servers import S3Server

ADMIN = "django.contrib.staticfiles.finders.AppDirectoriesFinder"


def assert_as_django(site: Site, django: dict[str, bytes]) -> None:
    manifest = django["staticfiles.json"]
    assert tree(site.root) == django
    remote = site.remote_tree()
    copies = {name for name in remote if name not in django}
    assert copies == site.manifests() - {"staticfiles.json"}
    assert [remote.pop(name) for name in copies] == [manifest]
    assert remote == django


class TestOnS3:
    def test_nasty_names_and_references(self, make_site: MakeSite, s3: S3Server) -> None:
        site = make_site(s3, sites.NASTY)
        site.collect()
        assert_as_django(site, site.as_django())
        # All names are recognized in the listing.
        with recorded(site.proxy) as traffic:
            site.collect()
        assert traffic.operations == {"ListObjects": 1, "GetObject": 2}

    def test_with_the_admin(self, site: Site) -> None:
        site.configure(STATICFILES_FINDERS=[FINDER, ADMIN])
        site.collect()
        django = site.as_django()
        assert len(django) > 250
        assert_as_django(site, django)

    def test_javascript_modules(self, make_site: MakeSite, moto: S3Server) -> None:
        site = make_site(moto, sites.NASTY)
        site.use("tests.collect.storages.ModulesStorage")
        site.collect()
        django = site.as_django(LocalModulesStorage(location=site.folder / "django"))
        assert_as_django(site, django)
        assert b'"./side-effect.' in site.read(site.hashed("js/app.js"))

    def test_a_file_in_a_hashed_ones_place(self, site: Site) -> None:
        site.write({"a.css": "one", "a.f97c5d29941b.css": "another"})
        site.collect()
        assert site.read("a.f97c5d29941b.css") == b"one"
        assert_as_django(site, site.as_django())

    def test_files_of_a_finder_without_a_disk(self, site: Site) -> None:
        site.configure(STATICFILES_FINDERS=["tests.collect.storages.MemoryFinder"])
        site.collect()
        assert site.read("deep/memory.css") == b"a { b: url(dot.png) }"
        assert_as_django(site, site.as_django())

    def test_post_process_without_a_manifest(self, site: Site) -> None:
        site.use("tests.collect.storages.ForgetfulStorage")
        with pytest.raises(
            CommandError, match=r"ForgetfulStorage\.post_process\(\) did not save a"
        ):
            site.collect()
        assert site.manifests() == set()

    def test_site_without_files(self, make_site: MakeSite, moto: S3Server) -> None:
        site = make_site(moto, {})
        site.collect()
        assert_as_django(site, site.as_django())


def hashed_by_herokuify() -> tuple[dict[str, bytes] | None, str]:
    """Return the files that the engine would send, or None and Django's error."""
    found = {path: (storage, path) for each in get_finders() for path, storage in each.list([])}
    result: dict[str, bytes] = {}

    def emit(name: str, content: Content) -> None:
        assert name not in result, f"{name} is sent twice"
        result[name] = content.read()

    hashing = HashingTree(found, emit)
    storage: Any = staticfiles_storage
    for _, _, processed in storage.hash_files(hashing):
        if isinstance(processed, Exception):
            return None, str(processed).replace(repr(hashing), "…")
    assert hashing.manifest is not None
    return {
        **{name: hashing.read(name).read() for name in found},
        **result,
        "staticfiles.json": hashing.manifest,
    }, ""


def hashed_by_django(site: Site, folder: str) -> tuple[dict[str, bytes] | None, str]:
    try:
        storage = ManifestStaticFilesStorage(location=site.folder / folder)
        return site.as_django(storage), ""
    except (CommandError, RuntimeError, ValueError) as error:  # old Djangos raise the cause
        return None, str(error.__cause__ or error)


class TestReferences:
    """The hashed files are the same as Django's; without a server."""

    @pytest.fixture
    def compare(self, site: Site, tmp_path: Path) -> Callable[[Files], str]:
        runs = iter(range(1000))

        def compare(files: Files) -> str:
            """Check that both make the same files; return Django's error."""
            run = next(runs)
            source = tmp_path / f"source{run}"
            write(source, files)
            site.configure(STATICFILES_DIRS=[source])
            expected, complaint = hashed_by_django(site, f"django{run}")
            result, own = hashed_by_herokuify()
            assert result == expected
            assert bool(own) == bool(complaint)
            return complaint

        return compare

    @pytest.mark.parametrize("block", range(4))
    def test_at_random_are_hashed_as_by_django(
        self, compare: Callable[[Files], str], block: int
    ) -> None:
        for seed in range(block * 10, block * 10 + 10):
            assert compare(sites.graph(seed)) == "", f"seed {seed}"

    def test_in_random_circles_are_hashed_or_errors_as_by_django(
        self, compare: Callable[[Files], str]
    ) -> None:
        complaints = [compare(sites.graph(seed, cycles=True)) for seed in range(30)]
        assert {"", "Max post-process passes exceeded."} == set(complaints)

    def test_in_a_long_chain(self, compare: Callable[[Files], str]) -> None:
        # As deep as Django's passes reach and one deeper, in a random order.
        for depth in range(2, 9):
            names = [f"{'d/' * number}{number}.css" for number in range(depth)]
            random.Random(depth).shuffle(names)
            root = {name: "../" * name.count("/") for name in names}
            links = pairwise(names)
            files = {name: f'@import "{root[name]}{target}";' for name, target in links}
            compare({**files, names[-1]: "a {}"})

    def test_to_a_folder(self, compare: Callable[[Files], str]) -> None:
        folder = "a { b: url(img) } c { d: url(../img) } e { f: url(.) } g { h: url(img/) }"
        assert compare({"css/x.css": folder, "css/img/a.png": b"1", "img/b.png": b"2"}) == ""

    def test_to_itself(self, compare: Callable[[Files], str]) -> None:
        assert "passes exceeded" in compare({"a.css": '@import "a.css";'})

    def test_to_a_missing_file(self, compare: Callable[[Files], str]) -> None:
        assert "could not be found" in compare({"a.css": "b { c: url(gone.png) }"})

    def test_that_are_hashed_already(self, site: Site) -> None:
        """A reference to a hashed name works and doesn't change; Django would hash it again."""
        link = "a { b: url(img/dot.c4ca4238a0b9.png) }"
        site.write({"img/dot.png": b"1", "x.css": link})
        result, complaint = hashed_by_herokuify()
        assert result is not None, complaint
        (name,) = (name for name in result if name.startswith("x.") and name != "x.css")
        assert result[name] == b'a { b: url("img/dot.c4ca4238a0b9.png") }'
        assert result["img/dot.c4ca4238a0b9.png"] == b"1"

    def test_of_names_that_are_hashed_already(self, compare: Callable[[Files], str]) -> None:
        # As in the output folder of another collectstatic.
        compare({"a.txt": "one", "a.f97c5d29941b.txt": "another"})
        compare({"a.css": "one", "a.f97c5d29941b.css": "another"})
        compare({"a.css": "a{}", "a.a8a8d9dfa4a5.css": "b{}", "c.css": '@import "a.css";'})
        # Django treats names as URLs, so these two have the same hashed name.
        compare({"a b.css": "same", "a%20b.css": "same", "a b.gif": "1", "a%20b.gif": "1"})
