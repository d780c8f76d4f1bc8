"""docs/tutorial.md, typed into an empty folder by somebody who believes every word."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urljoin

import django
import pytest

from tests import servers
from tests.project import clean_environment
from tests.services.daemons import free_port
from tests.tutorial_steps.heroku import Heroku, fetched, heading, served
from tests.tutorial_steps.page import Shell, blocks

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "tutorial.md"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture
def shell(tmp_path: Path, wheel: Path) -> Shell:
    """An empty folder, and a shell with nothing set but what any shell has."""
    versions = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    ours = f"herokuify @ {wheel.as_uri()}\nDjango=={django.get_version()}\n"
    (tmp_path / "constraints.txt").write_text(versions + ours, encoding="utf-8")
    home = tmp_path / "home"
    home.mkdir()
    own = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    environment = clean_environment(home) | own
    del environment["PYTHONPATH"]
    environment |= {
        **{f"GIT_{who}_NAME": "Ada" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "ada@example.com" for who in ("AUTHOR", "COMMITTER")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}",
        "PIP_CONSTRAINT": str(tmp_path / "constraints.txt"),
        "PYTHONUNBUFFERED": "1",
    }
    return Shell(home, tmp_path / "state", environment)


@pytest.mark.once
@pytest.mark.source_tree
def test_what_the_page_says_ends_with_a_site(
    shell: Shell, tmp_path: Path, moto: servers.S3Server
) -> None:
    heroku = Heroku(shell, tmp_path, moto)
    colours = []
    for block in blocks(PAGE):
        if block.file:
            shell.write(block)
        elif block.kind == "console":
            for command in block.commands():
                colours += typed(heroku, command)
    assert colours == ["teal", "teal", "teal", "crimson", "teal"]
    # Every block was either typed, written or is output.
    assert {block.kind for block in blocks(PAGE) if not block.file} == {"console", "text"}


def typed(heroku: Heroku, command: str) -> list[str]:
    """Type a line of the tutorial, and return the colours that were to be seen after it."""
    shell = heroku.shell
    if command.endswith(" runserver"):
        return [on_the_laptop(shell, command)]
    if command.startswith("pip "):
        install(shell, command)
    elif command == "heroku open":
        with heroku.web() as site:
            return [site.colour(on=heroku.s3.endpoint_url)]
    elif command.startswith("heroku "):
        heroku.command(*shell.heroku_arguments(command))
        if command.startswith("heroku run"):
            with heroku.web() as site:
                address = site.upload(b"a photo")
                assert "X-Amz-Signature=" in address
                assert fetched(address) == "a photo"
                return [site.colour(on=heroku.s3.endpoint_url)]
        if command == "heroku rollback":
            with heroku.web() as site:
                return [site.colour(on=heroku.s3.endpoint_url)]
    else:
        shell.type(command)
    if command == "git push heroku main":
        heroku.receive()
        if len(heroku.releases) == 1:
            assert re.search(r"(\d+) static files: \1 sent, 0 unchanged, 0 failed", heroku.built)
        else:
            assert re.search(r"static files: 4 sent, \d+ unchanged, 0 failed", heroku.built)
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


def on_the_laptop(shell: Shell, command: str) -> str:
    """Serve on a free port, in place of 8000."""
    # Without the reloader, which runs the server in a process of its own.
    port = free_port()
    words = ["bash", "-c", f"exec env {command} {port} --noreload"]
    with served(words, shell.folder, shell.environment, port):
        site = f"http://127.0.0.1:{port}/"
        (css,) = re.findall(r'<link rel="stylesheet" href="([^"]+)"', fetched(site))
        return heading(fetched(urljoin(site, css)))
