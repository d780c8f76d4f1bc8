"""django-compressor's bundles under every kind of STATIC_URL, and through rollbacks."""

import pytest

from tests.projects import shop
from tests.projects.conftest import MakeSite
from tests.projects.site import bundles, succeeded
from tests.servers import S3Server

pytestmark = pytest.mark.ends
once = pytest.mark.once

PLAIN = shop.storages(shop.CACHED) + shop.compress_storage(shop.CACHED)
HASHED = shop.storages(shop.CACHED_MANIFEST) + shop.compress_storage(shop.CACHED_MANIFEST)
BASE = shop.DJANGO + shop.HEROKUIFY + shop.FRAGMENTS
CDN = "https://cdn.example.com/assets/"
# The lines that users of compressor have without herokuify's fragment.
WITHOUT_FRAGMENT = BASE.replace("from herokuify.compress import *\n", "")


each = pytest.mark.parametrize(
    "storages", [pytest.param(PLAIN, id="plain", marks=once), pytest.param(HASHED, id="hashed")]
)


@pytest.mark.parametrize(
    ("settings", "env", "static_url"),
    [
        pytest.param(HASHED + f'STATIC_URL = "{CDN}"\n', {}, CDN, id="hashed"),
        pytest.param(
            PLAIN,
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
    site = make_shop(moto, BASE + settings, env=env)
    site.build()
    found = site.load_pages(static_url)
    assert bundles(found) == shop.BUNDLES
    local = site.local()
    assert {name: local[name] for name in found} == found


@each
def test_without_the_fragment(storages: str, make_shop: MakeSite, moto: S3Server) -> None:
    """compressor's own filters write absolute URLs, which are right, too."""
    site = make_shop(moto, WITHOUT_FRAGMENT + storages)
    site.build()
    found = site.load_pages()
    assert bundles(found) == shop.BUNDLES
    bundle = next(body for name, body in found.items() if name.startswith("CACHE/css/output"))
    assert f"url({site.origin}shop/".encode() in bundle.replace(b'"', b"")


@once
def test_a_rollback_renders_with_its_own_manifest(make_shop: MakeSite, moto: S3Server) -> None:
    old = make_shop(moto, BASE + HASHED)
    old.build()
    before = old.load_pages()

    new = make_shop(moto, BASE + HASHED, folder="new", bucket=old.bucket)
    new.project.write({"shop/static/shop/css/base.css": "body { color: red }\n"})
    new.build()
    assert bundles(new.load_pages().keys() - before.keys()) == {"CACHE/css/output.#.css"}
    # The slug of the old release, as the rollback brings it back.
    assert old.load_pages() == before


@once
def test_a_second_build_in_the_same_folder(make_shop: MakeSite, moto: S3Server) -> None:
    site = make_shop(moto, BASE + HASHED)
    site.build()
    before = site.local(), site.remote()
    site.build()
    assert (site.local(), site.remote()) == before


@once
def test_bundles_that_s3_has_lost(make_shop: MakeSite, moto: S3Server) -> None:
    site = make_shop(moto, BASE + HASHED)
    site.build()
    client = moto.client()
    lost = [name for name in site.remote() if name.startswith("CACHE/")]
    for name in lost:
        client.delete_object(Bucket=site.bucket, Key=f"static/{name}")
    succeeded(site.compress())
    assert set(lost) <= site.remote().keys()


@each
def test_pages_without_compress(storages: str, make_shop: MakeSite, moto: S3Server) -> None:
    """What is missing is said by name, not looked for on S3."""
    site = make_shop(moto, BASE + storages)
    succeeded(site.collectstatic())
    result = site.project.snippet(
        "from django.template.loader import render_to_string\n"
        "print(render_to_string('shop/front.html'))",
        sockets=False,
    )
    assert result.returncode == 1
    assert "python manage.py compress" in result.stderr


def test_before_collectstatic(make_shop: MakeSite, moto: S3Server) -> None:
    site = make_shop(moto, BASE + HASHED)
    result = site.compress()
    assert result.returncode != 0
    assert "shop/css/base.css" in result.stderr
    assert not (site.static_root / "CACHE/manifest.json").exists()


def test_a_name_that_is_not_there(make_shop: MakeSite, moto: S3Server) -> None:
    """compressor alone loses this in a thread, and reports success."""
    site = make_shop(moto, BASE + HASHED)
    template = site.project.folder / "shop/templates/shop/about.html"
    template.write_text(template.read_text().replace("css/about.css", "css/abuot.css"))
    succeeded(site.collectstatic())
    result = site.compress()
    assert result.returncode != 0
    assert "CommandError: shop/about.html: " in result.stderr
    assert "shop/css/abuot.css" in result.stderr
