"""One slug for several apps and releases: promotions, review apps, rollbacks and --prune."""

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

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pipelines.md"
IN_ONE = "HEROKUIFY_COMPRESS = True\n"

CopySlug = Callable[..., Site]


@pytest.fixture
def copy_slug(make_shop: MakeSite) -> CopySlug:
    """Create an app with a copy of a slug: ``copy_slug(site, "folder", server=…, env=…)``."""

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
    "settings",
    [shop.HASHED_STORAGES, shop.HASHED_STORAGES + IN_ONE, shop.PLAIN_STORAGES],
    ids=["hashed", "hashed-in-one", "plain"],
)
def test_promoted_slug(
    settings: str, make_shop: MakeSite, copy_slug: CopySlug, moto: S3Server, s3: S3Server
) -> None:
    # The same server by another host name, to search the slug for it.
    elsewhere = {"AWS_S3_ENDPOINT_URL": moto.endpoint_url.replace("127.0.0.1", "localhost")}
    staging = make_shop(moto, shop.BASE + settings, folder="staging", env=elsewhere)
    staging.build(compress=IN_ONE not in settings)
    slug = staging.local()
    assert "CACHE/manifest.json" in slug
    for name, body in slug.items():
        for address in (staging.bucket, "localhost", "127.0.0.1"):
            assert address.encode() not in body, f"{name} names {address}"

    # The release phase and web dynos have separate copies of the slug.
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
    # A release for a config var has the same slug, and sends nothing.
    assert " 0 sent" in succeeded(phase.release()).stdout


def test_review_app(make_shop: MakeSite, moto: S3Server) -> None:
    """The settings in docs/pipelines.md name the bucket after the app."""
    bucket = f"my-company-test-pr-{uuid.uuid4().hex[:12]}"
    heroku = {
        "HEROKU_APP_NAME": bucket.removeprefix("my-company-"),
        "HEROKU_PARENT_APP_NAME": "test",
        "AWS_AUTO_CREATE_BUCKET": "",
    }
    (lines,) = re.findall(
        "# settings.py, above.*?(?=```)", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    site = make_shop(moto, lines + shop.BASE + shop.HASHED_STORAGES, env=heroku, bucket=bucket)
    other = {"AWS_STORAGE_BUCKET_NAME": "the-bucket-of-the-parent"}
    succeeded(site.project.manage("collectstatic", "--noinput", env=other))
    succeeded(site.project.manage("compress", env=other))
    assert bundles(site.load_pages()) == shop.BUNDLES


def test_rollback_with_prune_days(make_shop: MakeSite, copy_slug: CopySlug, moto: S3Server) -> None:
    settings = shop.BASE + shop.HASHED_STORAGES + IN_ONE + "HEROKUIFY_PRUNE_DAYS = 30\n"
    slugs = releases(make_shop, moto, settings, 3)
    before = [site.load_pages() for site in slugs]
    assert len({name for found in before for name in found if name.startswith("CACHE/css/o")}) == 3
    oldest = copy_slug(slugs[0], "rolled-back", bucket=slugs[0].bucket)
    output = succeeded(oldest.release()).stdout
    assert "removed" not in output
    assert [site.load_pages() for site in (oldest, *slugs)] == [before[0], *before]


def test_rollback_to_a_pruned_release(
    make_shop: MakeSite, copy_slug: CopySlug, moto: S3Server
) -> None:
    """The release command uploads all files again, including bundles, from the slug."""
    settings = shop.BASE + shop.HASHED_STORAGES + IN_ONE + "HEROKUIFY_PRUNE_DAYS = 0\n"
    slugs = releases(make_shop, moto, settings, 3)
    slug = slugs[0].local()
    lost = slug.keys() - slugs[0].remote().keys() - OF_COMPRESS
    assert bundles(lost) == {"CACHE/css/output.#.css"}
    oldest = copy_slug(slugs[0], "rolled-back", bucket=slugs[0].bucket)
    succeeded(oldest.release())
    assert lost <= oldest.remote().keys()
    found = oldest.load_pages()
    assert {name: slug[name] for name in found} == found


def releases(make_shop: MakeSite, server: S3Server, settings: str, count: int) -> list[Site]:
    """Build releases of a shop with different style sheets."""
    sites: list[Site] = []
    for number in range(count):
        bucket = sites[0].bucket if sites else ""
        site = make_shop(server, settings, folder=f"release-{number}", bucket=bucket)
        style = f"body {{ z-index: {number}; background: url(../img/dot.png) }}\n"
        site.project.write({"shop/static/shop/css/base.css": style})
        succeeded(site.collectstatic())
        sites.append(site)
    return sites
