"""django-compressor's bundles with each kind of STATIC_URL, and after rollbacks."""

import pytest

from tests.projects import shop
from tests.projects.conftest import MakeSite
from tests.projects.site import bundles, succeeded
from tests.servers import S3Server

pytestmark = pytest.mark.ends
once = pytest.mark.once

CDN = "https://cdn.example.com/assets/"
WITHOUT_FRAGMENT = shop.BASE.replace("from herokuify.compress import *\n", "")


each = pytest.mark.parametrize(
    "storages",
    [
        pytest.param(shop.PLAIN_STORAGES, id="plain", marks=once),
        pytest.param(shop.HASHED_STORAGES, id="hashed"),
    ],
)


@pytest.mark.parametrize(
    ("settings", "env", "static_url"),
    [
        pytest.param(shop.HASHED_STORAGES + f'STATIC_URL = "{CDN}"\n', {}, CDN, id="hashed"),
        pytest.param(
            shop.PLAIN_STORAGES,
            {"AWS_S3_CUSTOM_DOMAIN": "cdn.example.com"},
            "https://cdn.example.com/static/",
            id="plain",
            marks=once,
        ),
    ],
)
def test_cdn(
    settings: str, env: dict[str, str], static_url: str, make_shop: MakeSite, moto: S3Server
) -> None:
    site = make_shop(moto, shop.BASE + settings, env=env)
    site.build()
    found = site.load_pages(static_url)
    assert bundles(found) == shop.BUNDLES
    local = site.local()
    assert {name: local[name] for name in found} == found


@each
def test_without_the_fragment(storages: str, make_shop: MakeSite, moto: S3Server) -> None:
    """compressor's own filters write absolute URLs."""
    site = make_shop(moto, WITHOUT_FRAGMENT + storages)
    site.build()
    found = site.load_pages()
    assert bundles(found) == shop.BUNDLES
    bundle = next(body for name, body in found.items() if name.startswith("CACHE/css/output"))
    assert f"url({site.origin}shop/".encode() in bundle.replace(b'"', b"")


@once
def test_rollback_renders_with_its_own_manifest(make_shop: MakeSite, moto: S3Server) -> None:
    old = make_shop(moto, shop.BASE + shop.HASHED_STORAGES)
    old.build()
    before = old.load_pages()

    new = make_shop(moto, shop.BASE + shop.HASHED_STORAGES, folder="new", bucket=old.bucket)
    new.project.write({"shop/static/shop/css/base.css": "body { color: red }\n"})
    new.build()
    assert bundles(new.load_pages().keys() - before.keys()) == {"CACHE/css/output.#.css"}
    # A rollback restores the old release's slug.
    assert old.load_pages() == before


@once
def test_second_build_changes_nothing(make_shop: MakeSite, moto: S3Server) -> None:
    site = make_shop(moto, shop.BASE + shop.HASHED_STORAGES)
    site.build()
    before = site.local(), site.remote()
    site.build()
    assert (site.local(), site.remote()) == before


@once
def test_missing_bundles_are_sent_again(make_shop: MakeSite, moto: S3Server) -> None:
    site = make_shop(moto, shop.BASE + shop.HASHED_STORAGES)
    site.build()
    client = moto.client()
    lost = [name for name in site.remote() if name.startswith("CACHE/")]
    for name in lost:
        client.delete_object(Bucket=site.bucket, Key=f"static/{name}")
    succeeded(site.compress())
    assert set(lost) <= site.remote().keys()


@each
def test_pages_without_compress(storages: str, make_shop: MakeSite, moto: S3Server) -> None:
    """The error names the command, and S3 is not asked."""
    site = make_shop(moto, shop.BASE + storages)
    succeeded(site.collectstatic())
    result = site.project.snippet(
        "from django.template.loader import render_to_string\n"
        "print(render_to_string('shop/front.html'))",
        sockets=False,
    )
    assert result.returncode == 1
    assert "python manage.py compress" in result.stderr


def test_compress_before_collectstatic(make_shop: MakeSite, moto: S3Server) -> None:
    site = make_shop(moto, shop.BASE + shop.HASHED_STORAGES)
    result = site.compress()
    assert result.returncode != 0
    assert "shop/css/base.css" in result.stderr
    assert not (site.static_root / "CACHE/manifest.json").exists()


def test_compress_with_a_missing_file(make_shop: MakeSite, moto: S3Server) -> None:
    """compressor's own command reports success, as the error occurs in a thread."""
    site = make_shop(moto, shop.BASE + shop.HASHED_STORAGES)
    template = site.project.folder / "shop/templates/shop/about.html"
    template.write_text(template.read_text().replace("css/about.css", "css/abuot.css"))
    succeeded(site.collectstatic())
    result = site.compress()
    assert result.returncode != 0
    assert "CommandError: shop/about.html: " in result.stderr
    assert "shop/css/abuot.css" in result.stderr
