"""Direct uploads of the example, in Chromium: from the page to S3, and into the book."""

from typing import TYPE_CHECKING

import pytest

from tests import servers
from tests.browser import photos
from tests.browser.sites import Site
from tests.browser.visits import Visit

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.once


def keys(site: Site, folder: str) -> list[str]:
    client = servers.client_of(site.s3) if site.s3.endpoint_url.startswith("http:") else None
    assert client
    return []


def pending(site: Site) -> list[str]:
    client = servers.S3Server.client(site.s3, verify=False)
    listing = client.list_objects_v2(Bucket=site.app.bucket, Prefix="pending/")
    return [one["Key"] for one in listing.get("Contents", ())]


def test_photo_goes_from_the_browser_to_s3(visit: Visit, site: Site) -> None:
    page = visit.page
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("A line or two").fill("Up by the north ridge.")
    page.get_by_label("A photo").set_input_files(photos.upload("dawn"))
    try:
        page.get_by_text("dawn 100%.jpg is uploaded.").wait_for(timeout=5000)
    finally:
        print("\n".join(visit.problems))
    with page.expect_navigation(wait_until="load"):
        page.get_by_role("button", name="Put it in the book").click()
    assert page.get_by_text("Thank you, Ada.").is_visible()
    print(
        [
            (r.method, r.url[:100], len(r.post_data_buffer or b""))
            for r in visit.requests
            if r.method in ("PUT", "POST")
        ]
    )
