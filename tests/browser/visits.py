"""A visitor's page, and everything that a browser has to complain of."""

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.browser.sites import Routed

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, FilePayload, Page, Request, Response


class Visit:
    """A page with what it asked for, and what failed: in the console, on the network, by policy."""

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
        """Go to a page of the site, and wait for all that belongs to it."""
        answer = self.page.goto(self.site.url + path, wait_until="load")
        assert answer
        self.page.evaluate("() => document.fonts.ready")
        return answer

    def forget(self, *expected: str) -> None:
        """Check that all problems are these, and all of these problems; then forget them."""
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
        """The schemes of all that was asked for."""
        return {urlsplit(request.url).scheme for request in self.requests}

    def _listen(self, message: "ConsoleMessage") -> None:
        if message.type in {"error", "warning"} and not _is_guess(message.location["url"]):
            self.problems.append(f"console: {message.text}")

    def _fail(self, request: "Request") -> None:
        # The icon comes last, and is given up when the visitor goes on before.
        if request.failure != "net::ERR_ABORTED":
            self.problems.append(f"network: {request.url}: {request.failure}")

    def _answer(self, response: "Response") -> None:
        if response.status >= 400 and not _is_guess(response.url):
            self.problems.append(f"status: {response.status} {response.url}")


def violations(visit: Visit) -> list[str]:
    """What axe-core finds wrong, with its own best practices."""
    source = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    visit.page.evaluate(source)
    # Without preload it fetches no stylesheets, which the policy would not let it.
    report = visit.page.evaluate("() => axe.run(document, { preload: false })")
    assert len(report["passes"]) > 10
    return [
        f"{found['id']}: {node['html']}: {node['failureSummary']}"
        for found in report["violations"]
        for node in found["nodes"]
    ]


def _is_guess(url: str) -> bool:
    """Tell whether it is an icon that no page named: browsers try it on the admin's pages."""
    return url.endswith("/favicon.ico")
