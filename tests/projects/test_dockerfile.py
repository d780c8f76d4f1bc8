"""The Dockerfile in docs/guides/platforms.md, run without Docker.

A folder with a virtual environment takes the place of the image.
"""

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import django
import pytest

from tests.processes import answers, free_port, wait_until
from tests.project import MANAGE, Project, clean_environment
from tests.test_platforms import OURS, PAGE, SETTINGS
from tests.tutorial.conftest import wheel
from tests.tutorial.page import ROOT, run

__all__ = ["wheel"]
pytestmark = [pytest.mark.once, pytest.mark.source_tree]

SITE = {
    "requirements.txt": "Django\nherokuify\ngunicorn\npsycopg[binary]\n",
    "mysite/__init__.py": "",
    "mysite/settings.py": SETTINGS.replace('"urls"', '"mysite.urls"'),
    "mysite/urls.py": "from django.http import HttpResponse\nfrom django.urls import path\n"
    "urlpatterns = [path('', lambda request: HttpResponse(request.get_host()))]\n",
    "mysite/wsgi.py": "import os\n"
    "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\n"
    "from django.core.wsgi import get_wsgi_application\n"
    "application = get_wsgi_application()\n",
    "assets/site.css": "body {}",
}


class Image:
    """An image's files below a root folder, and the environment for its commands."""

    def __init__(self, context: Path, root: Path, environment: Mapping[str, str]) -> None:
        self.context = context
        self.root = root
        self.folder = root
        self.environment = {**environment, "PATH": f"{root}/venv/bin:/usr/bin:/bin"}

    def execute(self, instruction: str, argument: str) -> None:
        if instruction == "FROM":
            assert re.fullmatch(r"python:\d\.\d+-slim", argument)
            run([sys.executable, "-m", "venv", f"{self.root}/venv"], self.root, self.environment)
        elif instruction == "WORKDIR":
            self.folder = self.root / argument.lstrip("/")
            self.folder.mkdir()
        elif instruction == "COPY":
            source, target = argument.split()
            path = self.context / source
            if path.is_dir():
                shutil.copytree(path, self.folder / target, dirs_exist_ok=True)
            else:
                shutil.copy(path, self.folder / target)
        else:
            assert instruction == "RUN"
            self.shell(argument)

    def shell(self, command: str) -> None:
        try:
            run(["/bin/sh", "-c", command], self.folder, self.environment)
        except AssertionError as error:
            if "Could not fetch URL" in str(error) or "NewConnectionError" in str(error):
                pytest.skip(f"no package index: {str(error)[-500:]}")
            raise


def get(port: int, headers: Mapping[str, str]) -> int:
    """Return the status of a request."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/", headers=dict(headers))
        return connection.getresponse().status


def test_container_starts(wheel: Path, tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    (dockerfile,) = re.findall(r"^```dockerfile\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    *build, (cmd, command) = (line.split(" ", 1) for line in dockerfile.splitlines())
    assert cmd == "CMD"
    context, root = tmp_path / "context", tmp_path / "image"
    Project(context).write({**SITE, "manage.py": MANAGE.replace('"settings"', '"mysite.settings"')})
    root.mkdir()
    versions = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    ours = f"herokuify @ {wheel.as_uri()}\nDjango=={django.get_version()}\n"
    (tmp_path / "constraints.txt").write_text(versions + ours, encoding="utf-8")
    own = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    image = Image(context, root, clean_environment(tmp_path) | own)
    del image.environment["PYTHONPATH"]
    image.environment["PIP_CONSTRAINT"] = str(tmp_path / "constraints.txt")
    for instruction, argument in build:
        image.execute(instruction, argument)

    port = free_port()
    variables = dict(re.findall(r"^([A-Z_]+)=(.+)$", page, re.MULTILINE)) | OURS
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=image.folder,
            env={**image.environment, **variables, "PORT": str(port), "WEB_CONCURRENCY": "1"},
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            wait_until(lambda: answers(port), process=process, log=tmp_path / "log")
            host = {"Host": "www.example.com"}
            assert get(port, host | {"X-Forwarded-Proto": "https"}) == 200
            assert get(port, host | {"X-Forwarded-Proto": "http"}) == 301
            assert get(port, {"Host": "evil.example", "X-Forwarded-Proto": "https"}) == 400
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, (tmp_path / "log").read_text(encoding="utf-8")
    assert (image.folder / "static" / "site.css").is_file()
