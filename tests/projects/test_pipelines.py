"""One slug, several apps and releases: promotion, and rollback beside --prune."""

import re
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.projects import shop
from tests.projects.conftest import MakeSite
from tests.projects.site import OF_COMPRESS, Site, bundles, succeeded
from tests.servers import S3Server

pytestmark = pytest.mark.once

BASE = shop.DJANGO + shop.HEROKUIFY + shop.FRAGMENTS
PLAIN = shop.storages(shop.CACHED) + shop.compress_storage(shop.CACHED)
HASHED = shop.storages(shop.CACHED_MANIFEST) + shop.compress_storage(shop.CACHED_MANIFEST)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "pipelines.md"
IN_ONE = "HEROKUIFY_COMPRESS = True\n"

CopySlug = Callable[..., Site]


@pytest.fixture
def copy_slug(make_shop: MakeSite) -> CopySlug:
    """Start an app on a copy of another's slug: ``copy_slug(site, "folder", server=…, env=…)``."""

    def copy(site: Site, folder: str, **options: object) -> Site:
        source = site.project.folder
        settings = (source / "settings.py").read_text(encoding="utf-8")
        server = options.pop("server", site.server)
        made: Site = make_shop(server, settings, folder=folder, **options)
        shutil.rmtree(made.project.folder)
        shutil.copytree(source, made.project.folder)
        return made

    return copy


@pytest.mark.parametrize(
    "settings", [HASHED, HASHED + IN_ONE, PLAIN], ids=["hashed", "hashed-in-one", "plain"]
)
def test_a_promoted_slug(
    settings: str, make_shop: MakeSite, copy_slug: CopySlug, moto: S3Server, s3: S3Server
) -> None:
    # Under another host than the other app's on the same server.
    elsewhere = {"AWS_S3_ENDPOINT_URL": moto.endpoint_url.replace("127.0.0.1", "localhost")}
    staging = make_shop(moto, BASE + settings, folder="staging", env=elsewhere)
    staging.build(compress=IN_ONE not in settings)
    slug = staging.local()
    assert "CACHE/manifest.json" in slug
    for name, body in slug.items():
        for address in (staging.bucket, "localhost", "127.0.0.1"):
            assert address.encode() not in body, f"{name} names {address}"

    # The release phase and the web dynos have a copy of the slug each: what the one writes to
    # its disk, the other never sees.
    phase = copy_slug(staging, "phase", server=s3, env={"AWS_LOCATION": "live"})
    web = copy_slug(staging, "web", server=s3, env={"AWS_LOCATION": "live"}, bucket=phase.bucket)
    shutil.rmtree(staging.project.folder)
    output = succeeded(phase.release()).stdout
    assert "0 unchanged" in output
    assert phase.local() == web.local() == slug

    rendered = web.render()
    found = web.load_pages(rendered=rendered)
    assert bundles(found) == shop.BUNDLES
    assert {name: slug[name] for name in found} == found
    for html in rendered.pages.values():
        assert staging.bucket not in html
        assert "localhost" not in html
    # Another release of the same slug, as a config var makes one, has nothing to send.
    assert " 0 sent" in succeeded(phase.release()).stdout


def test_a_review_app(make_shop: MakeSite, moto: S3Server) -> None:
    """The lines of docs/pipelines.md: a bucket that bears the app's name."""
    bucket = f"my-company-test-pr-{uuid.uuid4().hex[:12]}"
    heroku = {
        "HEROKU_APP_NAME": bucket.removeprefix("my-company-"),
        "HEROKU_PARENT_APP_NAME": "test",
        "AWS_AUTO_CREATE_BUCKET": "",
    }
    (lines,) = re.findall(
        "# settings.py, above.*?(?=```)", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    site = make_shop(moto, lines + BASE + HASHED, env=heroku, bucket=bucket)
    other = {"AWS_STORAGE_BUCKET_NAME": "the-bucket-of-the-parent"}
    succeeded(site.project.manage("collectstatic", "--noinput", env=other))
    succeeded(site.project.manage("compress", env=other))
    assert bundles(site.load_pages()) == shop.BUNDLES


def test_a_rollback_beside_prune(make_shop: MakeSite, copy_slug: CopySlug, moto: S3Server) -> None:
    settings = BASE + HASHED + IN_ONE + "HEROKUIFY_PRUNE_DAYS = 30\n"
    slugs = releases(make_shop, moto, settings, 3)
    before = [site.load_pages() for site in slugs]
    assert len({name for found in before for name in found if name.startswith("CACHE/css/o")}) == 3
    oldest = copy_slug(slugs[0], "rolled-back", bucket=slugs[0].bucket)
    output = succeeded(oldest.release()).stdout
    assert "removed" not in output
    assert [site.load_pages() for site in (oldest, *slugs)] == [before[0], *before]


def test_a_rollback_to_what_was_pruned(
    make_shop: MakeSite, copy_slug: CopySlug, moto: S3Server
) -> None:
    """The release command brings it all back, bundles included, from the slug."""
    settings = BASE + HASHED + IN_ONE + "HEROKUIFY_PRUNE_DAYS = 0\n"
    slugs = releases(make_shop, moto, settings, 3)
    slug = slugs[0].local()
    lost = slug.keys() - slugs[0].remote().keys() - OF_COMPRESS
    assert bundles(lost) == {"CACHE/css/output.#.css"}
    oldest = copy_slug(slugs[0], "rolled-back", bucket=slugs[0].bucket)
    succeeded(oldest.release())
    assert lost <= oldest.remote().keys()
    found = oldest.load_pages()
    assert {name: slug[name] for name in found} == found


def releases(make_site: MakeSite, server: S3Server, settings: str, count: int) -> list[Site]:
    """Build releases of a shop one after the other, each with another stylesheet."""
    sites: list[Site] = []
    for number in range(count):
        bucket = sites[0].bucket if sites else ""
        site = make_site(server, settings, folder=f"release-{number}", bucket=bucket)
        style = f"body {{ z-index: {number}; background: url(../img/dot.png) }}\n"
        site.project.write({"shop/static/shop/css/base.css": style})
        succeeded(site.collectstatic())
        sites.append(site)
    return sites
