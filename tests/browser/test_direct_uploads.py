"""Direct uploads in the example, from the page to S3 and into the guest book."""

import gzip
import re
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

import herokuify.uploads
from tests import servers
from tests.browser import photos
from tests.browser.conftest import Visiting
from tests.browser.sites import ADMIN, Site
from tests.browser.visits import Visit, violations

if TYPE_CHECKING:
    from playwright.sync_api import Route

pytestmark = pytest.mark.once

SIGNED = {"content-type", "if-none-match", "x-amz-meta-herokuify-upload"}
PENDING = re.compile(r"/pending/")


def pending(site: Site) -> set[str]:
    client = servers.S3Server.client(site.s3, verify=False)
    listing = client.list_objects_v2(Bucket=site.app.bucket, Prefix="pending/")
    return {one["Key"] for one in listing.get("Contents", ())}


@pytest.fixture(autouse=True)
def _no_certificate_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def fill(visit: Visit, photo: str = "dawn") -> None:
    visit.page.get_by_label("Your name").fill("Ada")
    visit.page.get_by_label("A line or two").fill("Up by the north ridge.")
    visit.page.get_by_label("A photo").set_input_files(photos.upload(photo))


def send(visit: Visit) -> None:
    with visit.page.expect_navigation(wait_until="load"):
        visit.page.get_by_role("button", name="Put it in the book").click()


class TestVisit:
    def test_photo_goes_from_the_browser_to_s3(self, visit: Visit, example_site: Site) -> None:
        before = pending(example_site)  # uploads that other tests have abandoned
        fill(visit)
        visit.page.get_by_text("dawn 100%.jpg is uploaded.").wait_for()
        assert violations(visit) == []
        assert len(pending(example_site) - before) == 1
        send(visit)
        assert visit.page.get_by_text("Thank you, Ada.").is_visible()
        assert pending(example_site) == before
        sent = [one for one in visit.requests if one.method in {"POST", "PUT"}]
        assert [one.method for one in sent] == ["POST", "PUT", "POST", "POST"]
        # The dyno has received only tokens.
        assert all(len(one.post_data_buffer or b"") < 2000 for one in sent if one.method == "POST")

    def test_photo_is_kept_after_form_errors(self, visit: Visit, example_site: Site) -> None:
        fill(visit)
        visit.page.get_by_text("is uploaded.").wait_for()
        visit.page.get_by_label("A line or two").fill(" ")
        visit.page.locator("form").evaluate("(form) => { form.noValidate = true; }")
        send(visit)
        visit.forget("status: 422", "console: Failed to load resource")
        assert visit.page.get_by_text(re.compile(r"dawn 100%.jpg \(.+\) is uploaded")).is_visible()
        assert violations(visit) == []
        visit.page.get_by_label("A line or two").fill("Windy.")
        send(visit)
        assert visit.page.get_by_text("Thank you, Ada.").is_visible()
        assert sum(PENDING.search(one.url) is not None for one in visit.requests) == 1

    def test_lost_response_needs_no_second_upload(self, visit: Visit, example_site: Site) -> None:
        """S3 has the photo, but the page doesn't receive the response."""
        lost: list[str] = []

        def lose(route: "Route") -> None:
            if not lost:
                lost.append(route.request.url)
                # Playwright doesn't have the body of such a request.
                put = Request(
                    route.request.url,
                    photos.photo("dawn"),
                    {k: v for k, v in route.request.headers.items() if k in SIGNED},
                    method="PUT",
                )
                urlopen(put, context=ssl._create_unverified_context()).close()
                route.abort("connectionreset")
            else:
                route.continue_()

        visit.page.route(PENDING, lose)
        fill(visit)
        visit.page.get_by_text("is uploaded.").wait_for()
        visit.forget("net::ERR_CONNECTION_RESET")
        assert sum(PENDING.search(one.url) is not None for one in visit.requests) == 1
        send(visit)
        assert visit.page.get_by_text("Thank you, Ada.").is_visible()

    def test_form_sends_the_photo_if_s3_is_unreachable(
        self, visit: Visit, example_site: Site
    ) -> None:
        """The photo is sent with the form, as it is small enough; pauses are skipped."""
        visit.page.evaluate(
            """() => {
                const wait = window.setTimeout.bind(window);
                window.setTimeout = (go, ms) => wait(go, ms > 10000 ? ms : 0);
            }"""
        )
        visit.page.route(PENDING, lambda route: route.abort("connectionrefused"))
        fill(visit)
        visit.page.get_by_text("dawn 100%.jpg will be sent with the form.").wait_for()
        visit.forget("net::ERR_CONNECTION_REFUSED")
        send(visit)
        assert visit.page.get_by_text("Thank you, Ada.").is_visible()

    def test_form_waits_for_an_upload_that_can_be_cancelled(
        self, visit: Visit, example_site: Site
    ) -> None:
        held: list[Any] = []
        visit.page.route(PENDING, lambda route: held.append(route))  # noqa: PLW0108
        fill(visit)
        visit.page.get_by_role("button", name="Put it in the book").click()
        visit.page.get_by_text("The form is sent when the upload is done.").wait_for()
        bar = visit.page.get_by_role("progressbar")
        assert bar.get_attribute("aria-label") == "Uploading dawn 100%.jpg"
        visit.page.get_by_role("button", name="Cancel: dawn 100%.jpg").click()
        assert bar.count() == 0
        photo = visit.page.get_by_label("A photo")
        assert photo.input_value() == ""
        assert photo.get_attribute("name") == "photo"
        visit.page.unroute(PENDING)
        photo.set_input_files(photos.upload("fog"))
        send(visit)  # at once: it waits for the upload
        assert visit.page.get_by_text("Thank you, Ada.").is_visible()

    def test_upload_that_is_cancelled_with_its_last_byte(
        self, visit: Visit, example_site: Site
    ) -> None:
        """Nothing more is requested for it, and it isn't sent with the next one."""
        visit.page.evaluate("""() => {
            const { open } = XMLHttpRequest.prototype;
            const cancel = () => document.querySelector(".herokuify-upload button").click();
            XMLHttpRequest.prototype.open = function (...given) {
                XMLHttpRequest.prototype.open = open;
                this.addEventListener("loadend", cancel);
                return open.apply(this, given);
            };
        }""")
        asked: list[str] = []
        visit.page.on(
            "request", lambda request: asked.append(urlsplit(request.url).path.split("/")[-1])
        )
        with visit.page.expect_response("**/uploads/abort"):
            fill(visit)
        fill(visit, "fog")
        send(visit)
        assert visit.page.get_by_text("Thank you, Ada.").is_visible()
        actions = [name for name in asked if name in {"begin", "parts", "finish", "abort"}]
        assert actions == ["begin", "abort", "begin", "finish"]

    def test_refusal_is_shown(self, visit: Visit, example_site: Site) -> None:
        file = {"name": "a.txt", "mimeType": "text/plain", "buffer": b"text"}
        visit.page.get_by_label("A photo").set_input_files(file)  # type: ignore[arg-type]
        visit.page.get_by_text("a.txt could not be uploaded. Files of this type").wait_for()
        visit.forget("status: 415", "console: Failed to load resource")
        visit.page.get_by_label("Your name").fill("Ada")
        visit.page.get_by_label("A line or two").fill("Windy.")
        visit.page.get_by_role("button", name="Put it in the book").click()
        focused = "() => document.activeElement.textContent"
        assert visit.page.evaluate(focused) == "Try again"


def test_form_works_without_javascript(visiting: Visiting, example_site: Site) -> None:
    with visiting(example_site, java_script_enabled=False) as visit:
        visit.page.goto(example_site.url)
        visit.sign("Ada", "By hand.", photos.upload("noon"))
        assert visit.page.get_by_text("Thank you, Ada.").is_visible()
        assert not [one for one in visit.requests if one.method == "PUT"]


def test_admin_uploads_directly(visiting: Visiting, example_site: Site) -> None:
    with visiting(example_site) as visit:
        visit.open("admin/")
        visit.page.get_by_label("Username").fill(ADMIN["DJANGO_SUPERUSER_USERNAME"])
        visit.page.get_by_label("Password").fill(ADMIN["DJANGO_SUPERUSER_PASSWORD"])
        visit.page.get_by_role("button", name="Log in").click()
        visit.open("admin/guestbook/entry/add/")
        visit.page.get_by_label("Name").fill("Warden")
        visit.page.get_by_label("Message").fill("Soup.")
        before = pending(example_site)
        visit.page.get_by_label("Photo").set_input_files(photos.upload("dusk"))
        visit.page.get_by_text("dusk 100%.jpg is uploaded.").wait_for()
        visit.page.get_by_role("button", name="Save", exact=True).click()
        visit.page.get_by_text("was added successfully").wait_for()
        assert len([one for one in visit.requests if one.method == "PUT"]) == 1
        assert pending(example_site) == before


def test_script_is_small_and_self_contained() -> None:
    folder = Path(herokuify.uploads.__file__).parent / "static" / "herokuify"
    files = [folder / "uploads.js", folder / "uploads.css"]
    sizes = [len(gzip.compress(one.read_bytes(), 9, mtime=0)) for one in files]
    assert sum(sizes) <= 6000
    assert sizes[0] <= 5000
    text = files[0].read_text(encoding="utf-8")
    assert not re.search(r"https?://|\beval\b|innerHTML|\.style\b|import\b", text)
