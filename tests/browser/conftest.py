"""Headless Chromium, and the deployed example that it visits.

Chromium is the one installed on the system, or the one that HEROKUIFY_TEST_CHROMIUM names.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import servers
from tests.browser import sites
from tests.browser.visits import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Playwright

# The browser makes no requests of its own; those of pages stay on this machine (see sites.py).
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
Visiting = Callable[..., AbstractContextManager[Visit]]


@pytest.fixture(scope="session")
def executable() -> str:
    pytest.importorskip("playwright", reason="playwright is not installed (group browser)")
    names = [os.environ.get("HEROKUIFY_TEST_CHROMIUM"), "chromium", "google-chrome"]
    found = next(filter(None, (name and shutil.which(name) for name in names)), None)
    if not found:
        pytest.skip("chromium is not installed, and HEROKUIFY_TEST_CHROMIUM is not set")
    return found


# Not for the whole session: Django refuses to use databases in a thread with an event loop.
@pytest.fixture(scope="module")
def playwright(executable: str) -> Iterator["Playwright"]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def moto_site(
    executable: str, moto: servers.S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sites.Site]:
    with sites.site(moto, tmp_path_factory.mktemp("moto-site")) as deployed:
        yield deployed


@pytest.fixture(scope="session")
def ceph_site(
    executable: str, ceph: servers.S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sites.Site]:
    with sites.site(ceph, tmp_path_factory.mktemp("ceph-site")) as deployed:
        yield deployed


@pytest.fixture(params=["moto_site", pytest.param("ceph_site", marks=pytest.mark.no_django)])
def example_site(request: pytest.FixtureRequest) -> sites.Site:
    """The example on each S3 server in turn, with an empty guest book."""
    found: sites.Site = request.getfixturevalue(request.param)
    found.clear()
    return found


@pytest.fixture(scope="module")
def visiting(playwright: "Playwright", executable: str) -> Iterator[Visiting]:
    """Visit a site as a new visitor: ``with visiting(site, viewport=…) as visit``."""
    with ExitStack() as stack:
        browsers: dict[str, Any] = {}

        @contextmanager
        def visit(site: sites.Routed, **options: Any) -> Iterator[Visit]:
            if site.key not in browsers:
                browsers[site.key] = playwright.chromium.launch(
                    executable_path=executable, args=[*ARGUMENTS, *site.arguments]
                )
                stack.callback(browsers[site.key].close)
            context = browsers[site.key].new_context(**options)
            try:
                visit = Visit(context.new_page(), site)
                yield visit
                assert not visit.problems
            finally:
                context.close()

        yield visit


@pytest.fixture
def visit(visiting: Visiting, example_site: sites.Site) -> Iterator[Visit]:
    """A new visitor, with the first page open; problems in the browser fail the test."""
    with visiting(example_site) as visitor:
        visitor.open()
        yield visitor


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for screenshots: HEROKUIFY_TEST_SCREENSHOTS, or a temporary one."""
    named = os.environ.get("HEROKUIFY_TEST_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
