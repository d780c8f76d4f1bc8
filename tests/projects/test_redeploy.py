"""Later builds, with an empty disk and a bucket that has all files."""

import os
import shutil

import pytest

from tests.projects import shop
from tests.projects.conftest import MakeSite
from tests.projects.site import Site
from tests.servers import S3Server

pytestmark = pytest.mark.ends
once = pytest.mark.once

ALONE = shop.DJANGO + shop.FRAGMENTS  # Django's own collectstatic


@pytest.mark.parametrize(
    "storages",
    [
        pytest.param(shop.PLAIN_STORAGES, id="plain", marks=once),
        pytest.param(shop.HASHED_STORAGES, id="hashed"),
    ],
)
@pytest.mark.parametrize("base", [shop.BASE, ALONE], ids=["app", "alone"])
def test_with_an_empty_disk(base: str, storages: str, make_shop: MakeSite, moto: S3Server) -> None:
    first = make_shop(moto, base + storages)
    first.build()
    second = make_shop(moto, base + storages, folder="second", bucket=first.bucket)
    for path in second.project.folder.rglob("*"):
        os.utime(path, (0, 0))  # older than the objects
    second.build()
    assert second.local() == first.local()
    assert_pages_work(second)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(shop.BASE + shop.HASHED_STORAGES, id="hashed-app"),
        pytest.param(ALONE + shop.PLAIN_STORAGES, id="plain-alone", marks=once),
    ],
)
def test_with_an_emptied_bucket(settings: str, make_shop: MakeSite, moto: S3Server) -> None:
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
        pytest.param(shop.BASE + shop.HASHED_STORAGES, id="hashed-app", marks=once),
        pytest.param(ALONE + shop.PLAIN_STORAGES, id="plain-alone"),
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
    # A build starts without STATIC_ROOT.
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
