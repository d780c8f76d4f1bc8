"""An upload that another visitor opens runs no script."""

from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from herokuify.s3 import content_types
from herokuify.storage import S3MediaStorage
from tests.browser.conftest import ARGUMENTS
from tests.servers import S3Server
from tests.storages import Connect

if TYPE_CHECKING:
    from playwright.sync_api import Page, Playwright

pytestmark = pytest.mark.once

#: Valid as HTML and as XHTML; the script runs in both.
PAGE = (
    b'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>still</title></head><body>'
    b"<script>document.title = 'ran'</script></body></html>"
)
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg">'
    b"<script>document.documentElement.id = 'ran'</script></svg>"
)
RAN = "() => document.title === 'ran' || document.documentElement.id === 'ran'"
#: Content types from clients, which DRF's FileUploadParser passes on as they are.
TYPES = [
    *("text/html", "TEXT/HTML;", "text/html\n", "image/png;x, text/html", "image/png, text/html"),
    *('image/png; a="b, text/html"', 'image/png; a="\\", text/html; b="', "text/html/x", "*/*"),
    *("application/xhtml+xml", "image/svg+xml", "font/x+xml", "text/xml", "application/unknown"),
    *("multipart/x-mixed-replace", "text/plain; charset=utf-7", "text/plain;charset=x", "html", ""),
]


@pytest.fixture
def blank_page(playwright: "Playwright", executable: str) -> Any:
    browser = playwright.chromium.launch(executable_path=executable, args=[*ARGUMENTS])
    yield browser.new_page()
    browser.close()


def runs(page: "Page", url: str) -> bool:
    """Open a URL; return whether its script ran. A download runs none."""
    from playwright.sync_api import Error

    page.goto("about:blank")
    try:
        page.goto(url, wait_until="load")
    except Error as error:
        if "Download is starting" in str(error) or "ERR_ABORTED" in str(error):
            return False
        raise
    return bool(page.evaluate(RAN))


def test_no_script_of_an_upload_runs(
    blank_page: "Page", connect: Connect, moto: S3Server, moto_bucket: str
) -> None:
    connect(moto, moto_bucket)
    storage = S3MediaStorage()

    # The script runs if the file is stored with the client's content type.
    for name, body, kind in (
        ("a.png", PAGE, "image/png;x, text/html"),
        ("a.png", SVG, "image/svg+xml"),
        ("a.bin", PAGE, "application/xhtml+xml"),
    ):
        storage.client.put_object(
            Bucket=moto_bucket, Key=f"media/{name}", Body=body, ContentType=kind
        )
        assert runs(blank_page, storage.url(name)), kind

    # It doesn't run as the storage stores the file.
    for kind in TYPES:
        for name in ("photo.png", "page.html"):
            for body in (PAGE, SVG):
                saved = storage.save(name, SimpleUploadedFile(name, body, kind))
                assert not runs(blank_page, storage.url(saved)), (kind, name)

    # Types that browsers display are not taken for a page.
    for kind in content_types.INERT:
        saved = storage.save("shown", SimpleUploadedFile("shown", PAGE, kind))
        url = storage.url(saved)
        with urlopen(url) as answer:
            assert answer.headers["Content-Disposition"] is None
            assert answer.headers["Content-Type"] == kind
        assert not runs(blank_page, url), kind
