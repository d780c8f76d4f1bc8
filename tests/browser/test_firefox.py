"""An upload that a visitor opens in Firefox runs no script there, either.

There is no driver: a page has the uploads in frames, and a script that runs requests a URL of the
page's server.
"""

import html
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from herokuify.storage import S3MediaStorage
from tests.browser.test_content_types import TYPES
from tests.project import clean_environment
from tests.servers import S3Server
from tests.storages import Connect

pytestmark = pytest.mark.once

NAMES = ["firefox-esr", "firefox"]


class Site:
    """Serves one page, and records the paths that are requested until "/done"."""

    def __init__(self) -> None:
        self.page = ""
        self.asked: set[str] = set()
        self.is_done = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/done":
                    site.is_done.set()
                site.asked.add(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(site.page.encode() if self.path == "/" else b"")

            def log_message(self, *_: object) -> None:
                """Write no log."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)


@pytest.fixture
def page_server() -> Iterator[Site]:
    made = Site()
    made.thread.start()
    yield made
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()


@pytest.fixture
def firefox() -> str:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("Firefox is not installed")
    return found


def test_no_script_of_an_upload_runs(
    firefox: str,
    page_server: Site,
    connect: Connect,
    moto: S3Server,
    moto_bucket: str,
    tmp_path: Path,
) -> None:
    connect(moto, moto_bucket)
    storage = S3MediaStorage()

    def page(name: str) -> bytes:
        script = f"<script>new Image().src = '{page_server.url}/{name}'</script>"
        head = '<html xmlns="http://www.w3.org/1999/xhtml"><body>'
        return f"{head}{script}</body></html>".encode()

    urls = []
    # Files with the client's content type, whose scripts run.
    plain = {"comma": "image/png;x, text/html", "xhtml": "application/xhtml+xml"}
    for name, kind in plain.items():
        storage.client.put_object(
            Bucket=moto_bucket, Key=f"media/{name}", Body=page(name), ContentType=kind
        )
        urls.append(storage.url(name))
    for number, kind in enumerate(TYPES):
        for name in ("photo.png", "page.html"):
            upload = SimpleUploadedFile(name, page(f"ran-{number}-{name}"), kind)
            urls.append(storage.url(storage.save(name, upload)))
    frames = "".join(f'<iframe src="{html.escape(url)}"></iframe>' for url in urls)
    # Frames load before the page's load event, and so do images that their scripts request.
    page_server.page = f"<body onload=\"new Image().src = '/done'\">{frames}</body>"
    profile = tmp_path / "profile"
    profile.mkdir()
    # Downloads must not open a dialog.
    (profile / "user.js").write_text('user_pref("browser.download.always_ask", false);\n')
    with subprocess.Popen(
        [firefox, "--headless", "--no-remote", "--profile", str(profile), page_server.url],
        env=clean_environment(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            assert page_server.is_done.wait(120)
        finally:
            process.terminate()
    assert {f"/{name}" for name in plain} <= page_server.asked
    assert not [path for path in page_server.asked if path.startswith("/ran")]
