"""A guest signs the guest book, with and without errors; the admin shows the entries."""

from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from tests.browser import photos
from tests.browser.conftest import Visiting
from tests.browser.sites import ADMIN, Site
from tests.browser.visits import Visit

pytestmark = pytest.mark.newest

FOCUSED = "() => document.activeElement.id"


class TestSigning:
    def test_photo_is_previewed_sent_and_shown(self, visit: Visit, example_site: Site) -> None:
        page = visit.page
        page.get_by_label("A photo").set_input_files(photos.upload("dawn"))
        preview = page.get_by_alt_text("The photo you have chosen")
        preview.wait_for()
        assert preview.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 900

        visit.sign("Ada", "Up by the north ridge.", photos.upload("dawn"))
        thanks = page.get_by_role("status")
        assert thanks.inner_text() == "Thank you, Ada. Your page is in the book."
        assert page.evaluate(FOCUSED) == "thanks"  # so a screen reader reads it
        shown = page.get_by_role("img", name="Photo by Ada, full size")
        assert shown.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 900

        address = shown.get_attribute("src")
        assert address
        parts = urlsplit(address)
        media = f"/{example_site.app.bucket}/media/photos/"
        assert parts.path.startswith(media)
        assert "X-Amz-Signature=" in parts.query
        # Without the signature, S3 refuses the request.
        with pytest.raises(HTTPError, match="403") as refused:
            urlopen(example_site.s3.endpoint_url + parts.path)
        refused.value.close()
        assert visit.schemes() <= {"https", "blob", "data"}

    def test_form_errors_are_shown_and_read_out(self, visit: Visit, tmp_path: Path) -> None:
        text = tmp_path / "no-photo.jpg"
        text.write_text("This is no photo.")
        page = visit.page
        # The browser doesn't validate the form, so that the site has to.
        page.locator("form").evaluate("(form) => { form.noValidate = true; }")
        visit.sign("", "Windy.", text)
        visit.forget("status: 422", "console: Failed to load resource")

        assert page.title().startswith("Not in the book yet")
        assert page.evaluate(FOCUSED) == "refused"
        summary = page.locator("#refused")
        assert summary.get_by_role("link").all_inner_texts() == [
            "Please tell us your name.",
            "This file cannot be read as a photo. Is it damaged?",
        ]
        name = page.get_by_label("Your name")
        assert name.get_attribute("aria-invalid") == "true"
        assert page.get_by_label("A line or two").input_value() == "Windy."
        # The field's accessible description has the error.
        described = "(field) => field.ariaDescribedByElements.map((one) => one.innerText).join()"
        assert "Please tell us your name." in name.evaluate(described)
        assert "Is it damaged?" in page.get_by_label("A photo").evaluate(described)

        summary.get_by_role("link").first.click()
        assert page.evaluate(FOCUSED) == "id_name"
        visit.sign("Ada", "Windy.", photos.upload("dawn"))
        assert page.get_by_role("status").is_visible()

    def test_photo_that_is_too_large_is_not_even_sent(self, visit: Visit, tmp_path: Path) -> None:
        large = tmp_path / "large.jpg"
        large.write_bytes(bytes(10 * 1024 * 1024 + 1))
        field = visit.page.get_by_label("A photo")
        field.set_input_files(large)
        message = field.evaluate("(field) => field.validationMessage")
        assert message == "This photo is too large for the book."
        visit.page.get_by_label("Your name").fill("Ada")
        visit.page.get_by_label("A line or two").fill("Windy.")
        visit.page.get_by_role("button", name="Put it in the book").click()
        # The page asked the site for an upload, which was refused.
        sent = [request.url for request in visit.requests if request.method != "GET"]
        assert [url.rpartition("/uploads/")[2] for url in sent] == ["begin"]
        visit.forget("status: 413", "console: Failed to load resource")

    def test_button_shows_that_it_is_busy(self, visit: Visit) -> None:
        visit.page.locator("form").evaluate(
            """(form) => form.addEventListener("submit", (event) => event.preventDefault())"""
        )
        visit.page.locator("form").evaluate(
            """(form) => form.dispatchEvent(new Event("submit", { cancelable: true }))"""
        )
        button = visit.page.get_by_role("button", name="Carrying it up …")
        assert button.get_attribute("aria-disabled") == "true"

    def test_book_can_be_signed_without_scripts(self, visiting: Visiting, moto_site: Site) -> None:
        with visiting(moto_site, java_script_enabled=False) as visit:
            visit.page.goto(moto_site.url)
            visit.sign("Grace", "No script up here.", photos.upload("dawn"))
            assert visit.page.get_by_text("Thank you, Grace.").is_visible()


class TestFailures:
    def test_missing_page_has_the_sites_own_page(self, visit: Visit) -> None:
        visit.open("nowhere")
        assert visit.page.get_by_role("heading", name="This path ends here.").is_visible()
        visit.forget("status: 404", "console: Failed to load resource")

    def test_error_page_needs_no_other_file(self, visit: Visit, example_site: Site) -> None:
        example_site.sql("ALTER TABLE guestbook_entry RENAME TO away")
        try:
            visit.requests.clear()
            visit.open()
        finally:
            example_site.sql("ALTER TABLE away RENAME TO guestbook_entry")
        assert visit.page.get_by_role("heading", name="The hut is in the fog.").is_visible()
        colour = "() => getComputedStyle(document.body).backgroundColor"
        assert visit.page.evaluate(colour) == "rgb(13, 43, 58)"
        # The browser may request the site's icon, of the type "other", at any time.
        kinds = [request.resource_type for request in visit.requests]
        assert [kind for kind in kinds if kind != "other"] == ["document"]
        visit.forget("status: 500", "console: Failed to load resource")


def test_admin_works_under_the_policy(visit: Visit) -> None:
    visit.sign("Ada", "Up by the north ridge.", photos.upload("dawn"))
    page = visit.page
    visit.open("admin/guestbook/entry/")
    page.get_by_label("Username").fill(ADMIN["DJANGO_SUPERUSER_USERNAME"])
    page.get_by_label("Password").fill(ADMIN["DJANGO_SUPERUSER_PASSWORD"])
    page.get_by_role("button", name="Log in").click()
    page.wait_for_load_state()
    photo = page.locator("td img")
    assert photo.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 900
    page.get_by_role("link", name="Ada").click()
    page.wait_for_load_state()
    assert page.get_by_label("Message:").input_value() == "Up by the north ridge."
