"""Large direct uploads in Chromium: in parts, interrupted, resumed; and inlines of the admin."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from herokuify.s3.policies import cors_rule
from herokuify.uploads import staging
from tests.browser import photos
from tests.browser.conftest import ARGUMENTS
from tests.cutting_proxy import Cutter
from tests.servers import S3Server, client_of
from tests.testapp.models import Album, Document, Photo
from tests.uploads.site import configure

if TYPE_CHECKING:
    from playwright.sync_api import Page, Playwright

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

PART = 5 * 2**20
HEADERS = ("content-type", "if-none-match", "x-amz-meta-herokuify-upload")
ADD = "/admin/testapp/document/add/"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "form-action 'self'; connect-src 'self' {}"
)


def with_policy(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Middleware that sends a strict Content-Security-Policy."""
    from django.conf import settings

    s3: str = settings.AWS_S3_ENDPOINT_URL  # type: ignore[misc]  # of the package's own

    def answer(request: Any) -> Any:
        response = get_response(request)
        response["Content-Security-Policy"] = POLICY.format(s3)
        return response

    return answer


@pytest.fixture(scope="module", autouse=True)
def database_beside_a_loop() -> Iterator[None]:
    """Let Django use the database in this thread, where Playwright's event loop runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield


@pytest.fixture
def upload_page(
    monkeypatch: pytest.MonkeyPatch,
    aws: S3Server,
    bucket: str,
    name_storages: Callable[..., None],
    settings: Settings,
    cutter: Cutter,
    playwright: "Playwright",
    executable: str,
) -> Iterator["Page"]:
    """A page of a superuser who has logged in; parts have 5 MB."""
    monkeypatch.setattr(staging, "LARGEST_PUT", PART)
    monkeypatch.setattr(staging, "PART", PART)
    configure(settings)
    name_storages(default="herokuify.storage.S3MediaStorage")
    settings.STATIC_URL = "/static/"
    settings.ALLOWED_HOSTS = ["localhost"]
    settings.AWS_S3_ENDPOINT_URL = cutter.url
    settings.MIDDLEWARE = [f"{__name__}.with_policy", *settings.MIDDLEWARE]
    # Not pytest-django's session-wide server, which keeps the middleware of its first test.
    site = LiveServer("localhost")
    rules: Any = {"CORSRules": [cors_rule([site.url], HEADERS)]}
    client_of(aws).put_bucket_cors(Bucket=bucket, CORSConfiguration=rules)
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    browser = playwright.chromium.launch(executable_path=executable, args=[*ARGUMENTS])
    context = browser.new_context(base_url=site.url)
    session = client.cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": session, "url": site.url}])
    opened = context.new_page()
    violations: list[str] = []
    opened.on(
        "console",
        lambda m: (
            violations.append(m.text)
            if "Content Security Policy" in m.text and "uploads" in m.text
            else None
        ),
    )
    yield opened
    browser.close()
    site.stop()
    assert violations == []


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A file of three parts."""
    path = tmp_path / "film.bin"
    path.write_bytes(bytes(range(256)) * (2 * PART // 256) + b"the end")
    return path


def parts(requests: list[str]) -> list[str]:
    """Return the numbers of the parts in these requests, in order."""
    found = [re.search(r"partNumber=(\d+)", url) for url in requests]
    return sorted(one[1] for one in found if one)


def save(page: "Page") -> None:
    with page.expect_navigation():
        page.get_by_role("button", name="Save", exact=True).click()


def test_cut_connection_is_taken_up(upload_page: "Page", film: Path, cutter: Cutter) -> None:
    upload_page.goto(ADD)
    cutter.rule = lambda number: (None if cutter.cuts >= 2 else 1_000_000, None)
    upload_page.locator("#id_file").set_input_files(film)
    upload_page.get_by_text("film.bin is uploaded.").wait_for()
    assert cutter.cuts >= 2
    save(upload_page)
    saved = Document.objects.get().file
    assert saved.name == "documents/film.bin"
    assert saved.read() == film.read_bytes()


def test_upload_goes_on_after_a_reload(upload_page: "Page", film: Path) -> None:
    sent: list[str] = []
    arrived: list[str] = []
    upload_page.on("request", lambda request: sent.append(request.url))
    upload_page.on("response", lambda answer: arrived.append(answer.url) if answer.ok else None)
    upload_page.route(re.compile("partNumber=2"), lambda route: None)  # never answered
    upload_page.goto(ADD)
    upload_page.locator("#id_file").set_input_files(film)
    while parts(arrived) != ["1", "3"]:
        upload_page.wait_for_event("response")
    upload_page.reload()
    upload_page.unroute(re.compile("partNumber=2"))
    sent.clear()
    upload_page.locator("#id_file").set_input_files(film)
    upload_page.get_by_text("film.bin is uploaded.").wait_for()
    assert parts(sent) == ["2"]
    save(upload_page)
    assert Document.objects.get().file.read() == film.read_bytes()


def test_nothing_of_a_failed_upload_is_left_when_it_is_tried_again(
    upload_page: "Page", film: Path
) -> None:
    """All three parts are cut, one of them is refused then, and the others wait for a retry."""
    one_part, asking = re.compile("partNumber="), re.compile("/parts$")
    upload_page.goto(ADD)
    upload_page.evaluate(
        """() => {
            const [wait, ask] = [window.setTimeout.bind(window), window.fetch.bind(window)];
            window.pauses = [];
            window.setTimeout = (go, ms) => ms < 60000 ? pauses.push(go) : wait(go, ms);
            window.asked = [];
            window.fetch = (url, options) => {
                if (!options.signal.aborted) asked.push(url);
                return ask(url, options);
            };
            window.turns = async (isReady) => {
                do await new Promise((go) => wait(go, 1)); while (!isReady());
            };
        }"""
    )
    upload_page.route(one_part, lambda route: route.abort("connectionreset"))
    upload_page.locator("#id_file").set_input_files(film)
    upload_page.evaluate("() => turns(() => pauses.length === 3)")
    upload_page.route(asking, lambda route: route.fulfill(status=400, json={"error": "No."}))
    upload_page.evaluate("() => pauses.shift()()")
    upload_page.get_by_role("button", name="Try again").wait_for()
    upload_page.unroute(one_part)
    upload_page.unroute(asking)
    upload_page.get_by_role("button", name="Try again").click()
    upload_page.get_by_text("film.bin is uploaded.").wait_for()
    asked = "async () => { await turns(() => true); return asked; }"
    before = upload_page.evaluate(asked)
    upload_page.evaluate("() => pauses.forEach((go) => go())")
    assert upload_page.evaluate(asked) == before
    save(upload_page)
    assert Document.objects.get().file.read() == film.read_bytes()


def test_inlines_of_the_admin_and_added_rows(upload_page: "Page") -> None:
    upload_page.goto("/admin/testapp/album/add/")
    upload_page.get_by_label("Title").fill("Alps")
    upload_page.get_by_text("Add another Photo").click()
    for row, hour in enumerate(("dawn", "fog")):
        upload_page.locator(f"#id_photo_set-{row}-image").set_input_files(photos.upload(hour))
        upload_page.get_by_text(f"{hour} 100%.jpg is uploaded.").wait_for()
    save(upload_page)
    album = Album.objects.get()
    assert sorted(one.image.name for one in Photo.objects.filter(album=album)) == [
        "photos/dawn_100.jpg",
        "photos/fog_100.jpg",
    ]
