"""The errors that follow if a check is silenced and its problem remains."""

import json
import uuid

import pytest

from tests.projects import shop
from tests.projects.conftest import MakeSite
from tests.projects.site import Site, succeeded
from tests.servers import S3Server

pytestmark = pytest.mark.once
ON_DISK = "compressor.storage.CompressorFileStorage"


def silenced(*names: str, static: str, bundles: str, more: str = "") -> str:
    """Return settings with these checks silenced."""
    silence = f"SILENCED_SYSTEM_CHECKS = {[f'herokuify.{name}' for name in names]}\n"
    return shop.BASE + shop.storages(static) + shop.compress_storage(bundles) + more + silence


def bundles_on_s3(site: Site) -> set[str]:
    return {name for name in site.remote() if name.startswith("CACHE/")}


@pytest.mark.parametrize("bundles", [shop.MANIFEST, shop.CACHED_MANIFEST])
def test_e006_no_sources(bundles: str, make_shop: MakeSite, moto: S3Server) -> None:
    site = make_shop(moto, silenced("E006", "E007", static=shop.MANIFEST, bundles=bundles))
    succeeded(site.collectstatic())
    result = site.compress()
    assert result.returncode != 0
    assert "could not be found in the COMPRESS_ROOT" in result.stderr


def test_e007_bundles_on_the_disk(make_shop: MakeSite, moto: S3Server) -> None:
    site = make_shop(moto, silenced("E007", static=shop.CACHED_MANIFEST, bundles=ON_DISK))
    site.build()
    assert not bundles_on_s3(site)
    with pytest.raises(AssertionError, match="CACHE/"):
        site.load_pages()


def test_e007_release_without_its_bundles(make_shop: MakeSite, moto: S3Server) -> None:
    site = make_shop(moto, silenced("E007", static=shop.CACHED_MANIFEST, bundles=shop.MANIFEST))
    site.build()
    result = site.collectstatic()
    assert result.returncode != 0
    assert "herokuify-bundles.json was not written by compress" in result.stderr


def test_e007_promotion_without_its_bundles(make_shop: MakeSite, moto: S3Server) -> None:
    site = make_shop(moto, silenced("E007", static=shop.PLAIN, bundles=shop.PLAIN))
    site.build()
    assert bundles_on_s3(site)
    promoted = f"test-{uuid.uuid4().hex}"
    succeeded(
        site.project.manage("collectstatic", "--noinput", env={"AWS_STORAGE_BUCKET_NAME": promoted})
    )
    there = Site(site.project, moto, promoted)
    assert there.remote()
    assert not bundles_on_s3(there)


@pytest.mark.parametrize("url", ["https://cdn.example.com/", ""])
def test_e008_manifest_names_the_bucket(url: str, make_shop: MakeSite, moto: S3Server) -> None:
    hashed = shop.CACHED_MANIFEST
    more = f"COMPRESS_URL = {url!r}\n" if url else ""
    site = make_shop(moto, silenced("E008", static=hashed, bundles=hashed, more=more))
    site.build()
    tags = json.loads((site.static_root / "CACHE" / "manifest.json").read_text())
    assert (site.bucket in str(tags)) == bool(url)


def test_e009_no_finder(make_shop: MakeSite, moto: S3Server) -> None:
    hashed = shop.CACHED_MANIFEST
    more = "STATICFILES_FINDERS.pop()\n"
    site = make_shop(moto, silenced("E009", static=hashed, bundles=hashed, more=more))
    succeeded(site.collectstatic())
    result = site.compress()
    assert result.returncode != 0
    assert "add 'compressor.finders.CompressorFinder'" in result.stderr
