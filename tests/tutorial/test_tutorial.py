"""docs/tutorial.md, followed to the letter in an empty folder."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests import servers
from tests.browser import photos, sites
from tests.browser.conftest import Visiting
from tests.browser.visits import Visit, violations
from tests.processes import free_port
from tests.services import daemons
from tests.tutorial.heroku import ADMIN, DOMAIN, Heroku, fetched, heading, served
from tests.tutorial.page import ROOT, Shell, blocks

PAGE = ROOT / "docs" / "tutorial.md"
TEAL, CRIMSON = "rgb(0, 128, 128)", "rgb(220, 20, 60)"
COLOUR = "() => getComputedStyle(document.querySelector('h1')).color"


@pytest.fixture
def tls(tmp_path: Path, postgres: daemons.Postgres) -> sites.Tls:
    """The certificate of S3 and Heroku's router; made by openssl, which PostgreSQL needs too."""
    return sites.Tls.make(tmp_path)


@pytest.fixture
def tls_database(postgres: daemons.Postgres) -> str:
    """The name of an empty database, whose user must use TLS."""
    name = f"tutorial_{uuid.uuid4().hex}"
    postgres.sql(f"CREATE DATABASE {name} OWNER tls")
    return name


@pytest.fixture
def heroku(
    shell: Shell,
    tmp_path: Path,
    moto: servers.S3Server,
    tls: sites.Tls,
    postgres: daemons.Postgres,
    tls_database: str,
) -> Iterator[Heroku]:
    # A host that herokuify takes for another machine.
    url = postgres.url(tls_database, "tls", host=daemons.ELSEWHERE)
    with sites.over_tls(moto, tls) as s3:
        yield Heroku(shell, tmp_path, s3, tls.certificate, url)


@pytest.mark.once
@pytest.mark.source_tree
def test_tutorial(
    heroku: Heroku,
    tls: sites.Tls,
    postgres: daemons.Postgres,
    tls_database: str,
    request: pytest.FixtureRequest,
) -> None:
    colours = []
    for block in blocks(PAGE):
        if block.file:
            heroku.shell.write(block)
        elif block.kind == "console":
            for command in block.commands():
                colours += typed(heroku, command)
    assert colours == ["teal", "teal", "teal", "crimson", "teal", "crimson"]
    # Each block is a file, commands or output.
    assert {block.kind for block in blocks(PAGE) if not block.file} == {"console", "text"}
    assert postgres.sql("SELECT image FROM pages_photo", tls_database) == "photos/kestrel.jpg"

    # Requested only now, as they skip the test if there is no browser.
    visiting: Visiting = request.getfixturevalue("visiting")
    screenshots: Path = request.getfixturevalue("screenshots")
    with sites.routed(DOMAIN, heroku.port, tls) as site, visiting(site) as visit:
        with heroku.web(heroku.builds[0]):
            assert looked_at(visit, heroku, shown=1) == TEAL
        with heroku.web():
            assert looked_at(visit, heroku, shown=1) == CRIMSON
            upload(visit, heroku)
            assert looked_at(visit, heroku, shown=2) == CRIMSON
            assert visit.schemes() == {"https"}
            assert violations(visit) == []
            visit.page.screenshot(path=screenshots / "tutorial.png")


def typed(heroku: Heroku, command: str) -> list[str]:
    """Run a command of the tutorial, and return the heading's colours after it."""
    shell = heroku.shell
    if command.endswith(" runserver"):
        return [run_locally(shell, command)]
    if command.startswith("pip "):
        install(shell, command)
    elif command == "heroku open":
        with heroku.web() as site:
            return [site.colour(on=heroku.s3.endpoint_url)]
    elif command.startswith("heroku "):
        heroku.command(*shell.heroku_arguments(command))
        if command.endswith("createsuperuser"):
            photo = photos.photo("dawn")
            with heroku.web() as site:
                address = site.upload(photo)
                assert "X-Amz-Signature=" in address
                assert fetched(address, heroku.certificate) == photo
                return [site.colour(on=heroku.s3.endpoint_url)]
        if command == "heroku rollback":
            with heroku.web() as site:
                return [site.colour(on=heroku.s3.endpoint_url)]
    else:
        shell.type(command)
    if command == "git push heroku main":
        heroku.receive()
        if len(heroku.builds) == 1:
            warnings = [line for line in PAGE.read_text("utf-8").splitlines() if "WARNING" in line]
            assert len(warnings) == 2
            for line in warnings:
                assert line.replace("<bucket>", "tutorial") in heroku.built
            assert re.search(r"(\d+) static files: \1 sent, 0 unchanged, 0 failed", heroku.built)
        else:
            sent = {2: 4, 3: 6}[len(heroku.builds)]  # direct uploads add a script and a style sheet
            assert re.search(rf"static files: {sent} sent, \d+ unchanged, 0 failed", heroku.built)
            with heroku.web() as site:
                return [site.colour(on=heroku.s3.endpoint_url)]
    return []


def install(shell: Shell, command: str) -> None:
    try:
        shell.type(command)
    except AssertionError as error:
        if "Could not fetch URL" in str(error) or "NewConnectionError" in str(error):
            pytest.skip(f"no package index: {str(error)[-500:]}")
        raise


def run_locally(shell: Shell, command: str) -> str:
    """Run a server on a free port, and return the heading's colour."""
    # The reloader would run the server in another process, which the test can't stop.
    port = free_port()
    words = ["bash", "-c", f"exec env {command} {port} --noreload"]
    with served(words, shell.folder, shell.environment, port):
        site = f"http://127.0.0.1:{port}/"
        (css,) = re.findall(r'<link rel="stylesheet" href="([^"]+)"', fetched(site).decode())
        return heading(fetched(urljoin(site, css)))


def looked_at(visit: Visit, heroku: Heroku, *, shown: int) -> str:
    """Open the page, check its photos, and return the colour of its heading."""
    visit.open()
    assert visit.page.get_by_role("heading", name="Hello from Heroku").is_visible()
    images = visit.page.locator("img")
    assert images.count() == shown
    for image in images.all():
        assert str(image.get_attribute("src")).startswith(f"{heroku.s3.endpoint_url}/tutorial/")
        assert image.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 900
        # The style sheet limits the page's width to 40 rem.
        assert image.evaluate("(image) => image.getBoundingClientRect().width") == 640
    return str(visit.page.evaluate(COLOUR))


def upload(visit: Visit, heroku: Heroku) -> None:
    """Log in at /admin/, and add a photo, which goes to S3 before it is saved."""
    page = visit.page
    visit.open("admin/")
    page.get_by_label("Username").fill(ADMIN["DJANGO_SUPERUSER_USERNAME"])
    page.get_by_label("Password").fill(ADMIN["DJANGO_SUPERUSER_PASSWORD"])
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Photos", exact=True).first.click()
    page.get_by_role("link", name="Add photo").click()
    page.locator("input[type=file]").set_input_files(photos.upload("dusk"))
    page.get_by_text("is uploaded.").wait_for()
    (put,) = [one for one in visit.requests if one.method == "PUT"]
    assert put.url.startswith(f"{heroku.s3.endpoint_url}/tutorial/pending/")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("was added successfully").wait_for()
