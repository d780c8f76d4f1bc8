"""collectstatic, compress and rendering without a network, for each static class."""

import json
import re
from collections.abc import Iterable

import pytest

from tests.projects import shop
from tests.projects.conftest import MakeSite
from tests.projects.site import OF_COMPRESS, Site, bundles, succeeded
from tests.servers import S3Server

pytestmark = pytest.mark.ends
# Rows that don't depend on the version of Django; others in the same test do.
once = pytest.mark.once

UNCOMPRESSED = "COMPRESS_ENABLED = False\n"
# Files in bundles, which pages load only if there are no bundles.
SOURCES = {"shop/css/base.css", "shop/css/pages/front.css", "shop/js/one.js", "shop/js/two.js"}
# Files that pages always load, directly or indirectly.
LOADED = {
    "shop/css/reset.css",
    "shop/fonts/shop.woff2",
    "shop/img/icons.svg",
    f"shop/img/{shop.ODD_NAME}",
    "shop/js/alone.js",
    "shop/js/alone.js.map",
}
HASHED_BY_DJANGO = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
# Without the app, Django's own collectstatic runs; the classic settings need the app.
ALONE = shop.DJANGO + shop.FRAGMENTS
WITH_APP = ALONE + shop.HEROKUIFY
BUNDLED = shop.compress_storage(shop.CACHED)
HASHED = shop.compress_storage(shop.CACHED_MANIFEST)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(WITH_APP + shop.ADMIN + shop.storages(shop.PLAIN), id="storages"),
        pytest.param(WITH_APP + shop.classic(shop.PLAIN), id="classic", marks=once),
    ],
)
def test_plain_names(settings: str, make_shop: MakeSite, moto: S3Server) -> None:
    site = make_shop(moto, settings + UNCOMPRESSED)
    site.build(compress=False)
    found = site.load_pages()
    assert found.keys() >= SOURCES | LOADED
    assert not hashed(found)
    assert not site.local()


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(WITH_APP + shop.ADMIN + shop.storages(shop.MANIFEST), id="storages"),
        pytest.param(WITH_APP + shop.classic(shop.MANIFEST), id="classic", marks=once),
        pytest.param(ALONE + shop.storages(shop.MANIFEST), id="alone"),
    ],
)
def test_hashed_names(settings: str, make_shop: MakeSite, moto: S3Server) -> None:
    site = make_shop(moto, settings + UNCOMPRESSED)
    site.build(compress=False)
    found = site.load_pages()
    assert {unhashed(name) for name in found} >= SOURCES | LOADED
    assert hashed(found) == found.keys()
    assert site.local().keys() == {"staticfiles.json"}


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(
            WITH_APP + shop.ADMIN + shop.storages(shop.CACHED) + BUNDLED, id="storages", marks=once
        ),
        pytest.param(WITH_APP + shop.classic(shop.CACHED) + BUNDLED, id="classic"),
        pytest.param(
            ALONE + shop.storages(shop.CACHED, compressor=shop.CACHED), id="alone", marks=once
        ),
    ],
)
def test_plain_names_and_bundles(settings: str, make_shop: MakeSite, moto: S3Server) -> None:
    check_bundles(make_shop(moto, settings), is_hashed=False)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(
            WITH_APP + shop.storages(shop.CACHED_MANIFEST) + BUNDLED,
            id="storages-plain",
            marks=once,
        ),
        pytest.param(
            WITH_APP + shop.classic(shop.CACHED_MANIFEST) + BUNDLED, id="classic-plain", marks=once
        ),
        pytest.param(WITH_APP + shop.classic(shop.CACHED_MANIFEST) + HASHED, id="classic"),
        pytest.param(
            WITH_APP + shop.storages(shop.CACHED_MANIFEST, compressor=shop.CACHED_MANIFEST),
            id="alias",
            marks=once,
        ),
        pytest.param(ALONE + shop.storages(shop.CACHED_MANIFEST) + HASHED, id="alone"),
    ],
)
def test_hashed_names_and_bundles(settings: str, make_shop: MakeSite, moto: S3Server) -> None:
    check_bundles(make_shop(moto, settings), is_hashed=True)


def test_hashed_names_equal_djangos(make_shop: MakeSite, moto: S3Server) -> None:
    settings = WITH_APP + shop.ADMIN + shop.compress_storage(shop.CACHED_MANIFEST)
    site = make_shop(moto, settings + shop.storages(shop.CACHED_MANIFEST))
    django = make_shop(moto, settings + shop.storages(HASHED_BY_DJANGO), folder="django")
    succeeded(site.collectstatic())
    succeeded(django.collectstatic())
    assert site.local() == django.local()
    succeeded(site.compress())
    assert {"admin/css/base.css", "admin/js/core.js"} <= {
        unhashed(name) for name in site.load_pages()
    }


@once  # depends on S3 alone
@pytest.mark.parametrize("storage", [shop.CACHED, shop.CACHED_MANIFEST])
def test_policy(storage: str, make_shop: MakeSite, ceph: S3Server) -> None:
    settings = WITH_APP + shop.storages(storage) + shop.compress_storage(storage)
    site = make_shop(ceph, settings)
    check_bundles(site, is_hashed=storage == shop.CACHED_MANIFEST)
    # Neither the listing nor objects outside static/ are public.
    site.server.client().put_object(Bucket=site.bucket, Key="media/x.css", Body=b"")
    root = site.origin.removesuffix("static/")
    assert [site.get(root + path).status for path in ("", "media/x.css")] == [403, 403]


def check_bundles(site: Site, *, is_hashed: bool) -> None:
    """Build, and compare the files on the disk, on S3 and in the pages."""
    site.build()
    found = site.load_pages()
    assert bundles(found) == shop.BUNDLES
    files = {name for name in found if not name.startswith("CACHE/")}
    assert {unhashed(name) for name in files} >= LOADED
    assert not {unhashed(name) for name in files} & SOURCES
    assert hashed(files) == (files if is_hashed else set())

    local, on_s3 = site.local(), site.remote()
    assert {name: local[name] for name in found} == found
    copies = {name for name in on_s3 if re.fullmatch(r"staticfiles\.[0-9a-f]{12}\.json", name)}
    assert len(copies) == is_hashed
    assert {name: body for name, body in on_s3.items() if name not in copies} == {
        name: body for name, body in local.items() if name not in OF_COMPRESS
    }
    if is_hashed:
        manifest = json.loads(local["staticfiles.json"])["paths"]
        assert not [name for name in manifest if name.startswith("CACHE/")]


def hashed(found: Iterable[str]) -> set[str]:
    return {name for name in found if unhashed(name) != name}


def unhashed(name: str) -> str:
    return re.sub(r"\.[0-9a-f]{12}(\.\w+)$", r"\1", name)
