"""The example with a keyboard, a screen reader, a phone, dark mode and reduced motion."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser import photos
from tests.browser.conftest import Visiting
from tests.browser.sites import Site
from tests.browser.visits import violations

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = pytest.mark.once

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
# The focused element's accessible name, and whether its focus is visible.
FOCUSED = """() => {
  const one = document.activeElement;
  const style = getComputedStyle(one);
  const box = one.getBoundingClientRect();
  return {
    name: one.labels?.[0]?.innerText || one.innerText || one.querySelector("img")?.alt || one.id,
    outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
    visible: box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight,
  };
}"""
TABS = [
    "Skip to the guest book",
    "Kestrel Hut",
    "Sign the book",
    "Photo by Ada, full size",
    "Your name",
    "A line or two",
    "A photo",
    "Put it in the book",
    "Warden’s room",
]


@pytest.fixture(scope="module")
def entry(moto_site: Site, visiting: Visiting) -> Iterator[Site]:
    """The example, with a guest's entry saved in a table of its own for ``signed``."""
    moto_site.clear()
    with visiting(moto_site) as visit:
        visit.open()
        visit.sign("Ada", "Up by the north ridge.", photos.upload("fog"))
    moto_site.sql("CREATE TABLE aside AS SELECT * FROM guestbook_entry")
    yield moto_site
    moto_site.sql("DROP TABLE aside")


@pytest.fixture
def signed(entry: Site) -> Iterator[Site]:
    """The example with one entry in its guest book."""
    entry.clear()
    entry.sql("INSERT INTO guestbook_entry SELECT * FROM aside")
    yield entry
    entry.clear()


def top(element: "Locator") -> float:
    box = element.bounding_box()
    assert box
    return box["y"]


class TestKeyboard:
    def test_tab_follows_the_order_of_the_page(self, visiting: Visiting, signed: Site) -> None:
        with visiting(signed, viewport=DESKTOP, reduced_motion="reduce") as visit:
            visit.open()
            reached = []
            for _ in TABS:
                visit.page.keyboard.press("Tab")
                focus = visit.page.evaluate(FOCUSED)
                assert focus["outline"] >= 2, focus
                assert focus["visible"], focus
                reached.append(focus["name"])
            assert reached == TABS

    def test_skip_link_leads_past_the_header(self, visiting: Visiting, signed: Site) -> None:
        with visiting(signed, viewport=PHONE, reduced_motion="reduce") as visit:
            visit.open()
            link = visit.page.get_by_role("link", name="Skip to the guest book")
            assert top(link) < 0
            visit.page.keyboard.press("Tab")
            assert top(link) >= 0
            visit.page.keyboard.press("Enter")
            assert visit.page.evaluate("() => document.activeElement.id") == "content"
            visit.page.keyboard.press("Tab")
            assert visit.page.evaluate(FOCUSED)["name"] == "Photo by Ada, full size"

    def test_book_can_be_signed_with_the_keyboard(
        self, visiting: Visiting, moto_site: Site
    ) -> None:
        with visiting(moto_site) as visit:
            # Listens from the start; later, Chromium might already have opened its own window.
            visit.page.on("filechooser", lambda _: None)
            visit.open()
            keyboard = visit.page.keyboard
            visit.page.get_by_role("link", name="Sign the book").focus()
            keyboard.press("Enter")
            arrived = "() => document.activeElement.id === 'sign-the-book'"
            visit.page.wait_for_function(arrived, polling=50)
            keyboard.press("Tab")
            keyboard.type("Grace")
            keyboard.press("Tab")
            keyboard.type("Foggy.")
            keyboard.press("Tab")
            # Enter opens the system's file dialog, which only the browser can fill in.
            with visit.page.expect_file_chooser() as chooser:
                keyboard.press("Enter")
            chooser.value.set_files(photos.upload("fog"))
            visit.page.get_by_text("is uploaded.").wait_for()
            keyboard.press("Tab")  # the button that removes the photo again
            keyboard.press("Tab")
            with visit.page.expect_navigation():
                keyboard.press("Enter")
            assert visit.page.get_by_text("Thank you, Grace.").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
class TestAxe:
    def test_finds_no_violations(
        self, visiting: Visiting, signed: Site, viewport: dict[str, int], scheme: str
    ) -> None:
        with visiting(signed, viewport=viewport, color_scheme=scheme) as visit:
            visit.open()
            assert violations(visit) == []
            # With an empty guest book, and with errors in the form.
            signed.clear()
            visit.open()
            assert violations(visit) == []
            visit.page.locator("form").evaluate("(form) => { form.noValidate = true; }")
            with visit.page.expect_navigation():
                visit.page.get_by_role("button", name="Put it in the book").click()
            assert visit.page.get_by_text("Not in the book yet.").is_visible()
            assert violations(visit) == []
            visit.open("nowhere")
            assert violations(visit) == []
            visit.forget("status: 422", "status: 404", "console: Failed to load resource")


class TestLayout:
    # 320 px is what WCAG 2.2's 1.4.10 (Reflow) asks for.
    @pytest.mark.parametrize("width", [320, 390, 768, 1280])
    def test_nothing_scrolls_sideways(self, visiting: Visiting, signed: Site, width: int) -> None:
        signed.sql("UPDATE guestbook_entry SET name = ?, message = ?", "A" * 60, "m" * 500)
        with visiting(signed, viewport={"width": width, "height": 700}) as visit:
            visit.open()
            widest = "() => document.documentElement.scrollWidth"
            assert visit.page.evaluate(widest) == width

    def test_touch_targets_are_large_enough(self, visiting: Visiting, signed: Site) -> None:
        """WCAG 2.2, 2.5.5: targets have 44 pixels, except for links within sentences."""
        with visiting(signed, viewport=PHONE, has_touch=True, is_mobile=True) as visit:
            visit.open()
            for target in visit.page.locator("input:visible, textarea, button, a.sign").all():
                box = target.bounding_box()
                assert box, target
                assert min(box["width"], box["height"]) >= 44, (target, box)


class TestPreferences:
    @pytest.mark.parametrize(
        ("scheme", "background"),
        [("light", "rgb(242, 245, 243)"), ("dark", "rgb(12, 22, 20)")],
    )
    def test_page_follows_the_color_scheme(
        self, visiting: Visiting, signed: Site, scheme: str, background: str
    ) -> None:
        with visiting(signed, color_scheme=scheme) as visit:
            visit.open()
            found = visit.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
            assert found == background

    def test_nothing_moves_with_reduced_motion(self, visiting: Visiting, signed: Site) -> None:
        moving = """() => [
          getComputedStyle(document.documentElement).scrollBehavior,
          getComputedStyle(document.querySelector(".sign"), "::before").transitionProperty,
        ]"""
        with visiting(signed, reduced_motion="reduce") as visit:
            visit.open()
            assert visit.page.evaluate(moving) == ["auto", "none"]
        with visiting(signed, reduced_motion="no-preference") as visit:
            visit.open()
            assert visit.page.evaluate(moving) == ["smooth", "transform"]
