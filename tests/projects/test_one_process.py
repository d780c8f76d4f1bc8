"""collectstatic and compress in one process, as in deployment scripts."""

import json

import pytest

from tests.projects import shop
from tests.projects.conftest import MakeSite
from tests.projects.site import bundles, succeeded
from tests.servers import S3Server

pytestmark = pytest.mark.ends

BOTH = """
import json
from django.core.management import call_command
from django.template.loader import render_to_string
call_command("collectstatic", interactive=False, verbosity=0)
call_command("compress", verbosity=0)
print(json.dumps([render_to_string("shop/front.html"), render_to_string("shop/about.html")]))
"""
# A process that has already used its storages.
BEFORE = """
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.files.storage import default_storage, storages
from compressor.storage import default_storage as bundles
assert type(storages["staticfiles"]).__name__ in str(staticfiles_storage.__class__)
bundles.exists("x")
"""


@pytest.mark.parametrize(
    ("app", "static", "bundled", "before"),
    [
        pytest.param(shop.HEROKUIFY, shop.CACHED, shop.CACHED, "", id="plain"),
        pytest.param(shop.HEROKUIFY, shop.CACHED_MANIFEST, shop.CACHED, BEFORE, id="mixed-warm"),
        pytest.param(shop.HEROKUIFY, shop.CACHED_MANIFEST, shop.CACHED_MANIFEST, "", id="hashed"),
        pytest.param("", shop.CACHED_MANIFEST, shop.CACHED_MANIFEST, BEFORE, id="alone-warm"),
    ],
)
def test_pages_render_in_this_and_later_processes(
    app: str, static: str, bundled: str, before: str, make_shop: MakeSite, moto: S3Server
) -> None:
    settings = shop.DJANGO + app + shop.FRAGMENTS + shop.storages(static)
    site = make_shop(moto, settings + shop.compress_storage(bundled))
    pages = json.loads(succeeded(site.project.snippet(before + BOTH)).stdout)
    later = site.render()
    assert pages == [later.pages["/"], later.pages["/about/"]]
    assert bundles(site.load_pages(rendered=later)) == shop.BUNDLES
