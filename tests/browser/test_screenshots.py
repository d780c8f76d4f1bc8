"""Screenshots of the example.

Those whose names begin with "example" are for README, which has copies of them in docs/images.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser import photos
from tests.browser.conftest import Visiting
from tests.browser.sites import Site

pytestmark = pytest.mark.once

ENTRIES = [
    ("Grace H.", "Stars so close that we whispered.", "night", "2026-06-12"),
    ("The Lovelace family", "Fog all the way up, soup all the way down.", "fog", "2026-06-19"),
    (
        "Edsger",
        "The shortest path was not the steepest. It was the prettier one, though.",
        "noon",
        "2026-07-03",
    ),
    ("Karen & Yorick", "We came for the view and stayed for the dusk.", "dusk", "2026-07-18"),
    (
        "Ada",
        "Left the valley at four, and had the north ridge to myself when the sun came up.",
        "dawn",
        "2026-08-02",
    ),
]
# README shows the phone's screenshot at half its size.
LOOKS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 960}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True},
}
# Images below the viewport are lazy.
LOADED = """() => Promise.all([...document.querySelectorAll(".entry img")].map((photo) => {
  photo.loading = "eager";
  return photo.decode();
}))"""


@pytest.fixture(scope="module")
def signed_book(moto_site: Site, visiting: Visiting) -> Iterator[Site]:
    """The example with a guest book that several guests have signed."""
    moto_site.clear()
    with visiting(moto_site) as visit:
        visit.open()
        for name, message, hour, day in ENTRIES:
            visit.sign(name, message, photos.upload(hour))
            moto_site.sql(
                "UPDATE guestbook_entry SET created = ? WHERE name = ?", f"{day} 06:00:00", name
            )
    yield moto_site
    moto_site.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("look", LOOKS)
def test_screenshots_show_the_photos(
    visiting: Visiting, signed_book: Site, screenshots: Path, look: str, scheme: str
) -> None:
    with visiting(
        signed_book, color_scheme=scheme, reduced_motion="reduce", **LOOKS[look]
    ) as visit:
        visit.open()
        visit.page.evaluate(LOADED)
        path = screenshots / f"example-{look}-{scheme}.png"
        shot = visit.page.screenshot(animations="disabled")
        # A third smaller than Chromium's own PNG.
        Image.open(io.BytesIO(shot)).convert("RGB").save(path, optimize=True)
        with Image.open(path) as picture:
            assert picture.width == LOOKS[look]["viewport"]["width"]
            assert picture.getcolors(1000) is None  # more than 1000 colors, so the photos are shown
        visit.page.screenshot(full_page=True, path=screenshots / f"whole-{look}-{scheme}.png")
        visit.page.locator("form").evaluate("(form) => { form.noValidate = true; }")
        visit.page.get_by_label("A line or two").fill("Windy.")
        with visit.page.expect_navigation():
            visit.page.get_by_role("button", name="Put it in the book").click()
        visit.page.screenshot(path=screenshots / f"refused-{look}-{scheme}.png")
        visit.forget("status: 422", "console: Failed to load resource")
