"""A visitor's page, and the problems that the browser reports."""

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.browser.sites import Routed

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, FilePayload, Page, Request, Response


class Visit:
    """A page with its requests, and its problems: console messages, errors and failed requests."""

    def __init__(self, page: "Page", site: Routed) -> None:
        self.page = page
        self.site = site
        self.requests: list[Request] = []
        self.problems: list[str] = []
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))
        page.on("request", lambda request: self.requests.append(request))  # noqa: PLW0108
        page.on("requestfailed", self._fail)
        page.on("response", self._answer)

    def open(self, path: str = "") -> "Response":
        """Go to a page of the site, and wait until it is loaded with its fonts."""
        answer = self.page.goto(self.site.url + path, wait_until="load")
        assert answer
        self.page.evaluate("() => document.fonts.ready")
        return answer

    def forget(self, *expected: str) -> None:
        """Check that the problems are exactly the expected ones; then forget them."""
        for problem in self.problems:
            assert any(part in problem for part in expected), problem
        for part in expected:
            assert any(part in problem for problem in self.problems), (part, self.problems)
        self.problems.clear()

    def sign(self, name: str, message: str, photo: "Path | FilePayload") -> None:
        """Fill the form in and send it."""
        self.page.get_by_label("Your name").fill(name)
        self.page.get_by_label("A line or two").fill(message)
        self.page.get_by_label("A photo").set_input_files(photo)
        with self.page.expect_navigation(wait_until="load"):
            self.page.get_by_role("button", name="Put it in the book").click()

    def schemes(self) -> set[str]:
        """Return the schemes of all requests."""
        return {urlsplit(request.url).scheme for request in self.requests}

    def _listen(self, message: "ConsoleMessage") -> None:
        if message.type in {"error", "warning"} and not _is_guess(message.location["url"]):
            self.problems.append(f"console: {message.text}")

    def _fail(self, request: "Request") -> None:
        # The icon is loaded last, and abandoned if the visitor leaves before.
        if request.failure != "net::ERR_ABORTED":
            self.problems.append(f"network: {request.url}: {request.failure}")

    def _answer(self, response: "Response") -> None:
        if response.status >= 400 and not _is_guess(response.url):
            self.problems.append(f"status: {response.status} {response.url}")


def violations(visit: Visit) -> list[str]:
    """Return the violations that axe-core finds, including its best practices."""
    source = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    visit.page.evaluate(source)
    # Preloading would fetch stylesheets, which the page's policy forbids.
    report = visit.page.evaluate("() => axe.run(document, { preload: false })")
    assert len(report["passes"]) > 10
    return [
        f"{found['id']}: {node['html']}: {node['failureSummary']}"
        for found in report["violations"]
        for node in found["nodes"]
    ]


def _is_guess(url: str) -> bool:
    """Whether it is the default icon, which browsers request where a page names none."""
    return url.endswith("/favicon.ico")
