"""The next build: an empty disk, and a bucket that has everything already."""

import os
import shutil

import pytest

from tests.projects import shop
from tests.projects.conftest import MakeSite
from tests.projects.site import Site
from tests.servers import S3Server

pytestmark = pytest.mark.ends
once = pytest.mark.once

WITH_APP = shop.DJANGO + shop.HEROKUIFY + shop.FRAGMENTS
ALONE = shop.DJANGO + shop.FRAGMENTS  # Django's own collectstatic
PLAIN = shop.storages(shop.CACHED) + shop.compress_storage(shop.CACHED)
HASHED = shop.storages(shop.CACHED_MANIFEST) + shop.compress_storage(shop.CACHED_MANIFEST)


@pytest.mark.parametrize(
    "storages", [pytest.param(PLAIN, id="plain", marks=once), pytest.param(HASHED, id="hashed")]
)
@pytest.mark.parametrize("base", [WITH_APP, ALONE], ids=["app", "alone"])
def test_from_an_empty_disk(base: str, storages: str, make_shop: MakeSite, moto: S3Server) -> None:
    first = make_shop(moto, base + storages)
    first.build()
    second = make_shop(moto, base + storages, folder="second", bucket=first.bucket)
    for path in second.project.folder.rglob("*"):
        os.utime(path, (0, 0))  # older than S3's
    second.build()
    assert second.local() == first.local()
    assert_pages_work(second)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(WITH_APP + HASHED, id="hashed-app"),
        pytest.param(ALONE + PLAIN, id="plain-alone", marks=once),
    ],
)
def test_from_an_emptied_bucket(settings: str, make_shop: MakeSite, moto: S3Server) -> None:
    site = make_shop(moto, settings)
    site.build()
    before = site.remote()
    client = moto.client()
    for name in before:
        client.delete_object(Bucket=site.bucket, Key=f"static/{name}")
    site.build()
    assert site.remote() == before


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(WITH_APP + HASHED, id="hashed-app", marks=once),
        pytest.param(ALONE + PLAIN, id="plain-alone"),
    ],
)
def test_after_a_change(settings: str, make_shop: MakeSite, moto: S3Server) -> None:
    site = make_shop(moto, settings)
    site.build()
    site.project.write(
        {
            "shop/static/shop/js/one.js": "window.one = 11;\n",
            "shop/static/shop/img/icons.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>\n',
        }
    )
    # A build starts from the slug's sources alone.
    shutil.rmtree(site.static_root)
    site.build()
    found = assert_pages_work(site)
    assert [body for name, body in found.items() if "icons" in name] == [
        b'<svg xmlns="http://www.w3.org/2000/svg"/>\n'
    ]
    assert any(b"window.one=11" in body for body in found.values())


def assert_pages_work(site: Site) -> dict[str, bytes]:
    found = site.load_pages()
    local = site.local()
    assert {name: local[name] for name in found} == found
    return found
