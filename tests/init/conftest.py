"""Projects to move, and the packages that their settings import."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from herokuify.init.command import main
from tests.init.origins import Origin
from tests.project import MANAGE, Project, clean_environment

#: Nothing but what settings import of them: their dependencies are here, or not needed.
PACKAGES = ("django-environ==0.14.0", "django-heroku==0.3.1", "django-redis==7.0.0")
URLS = "urlpatterns = []\n"
WSGI = """
from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
"""


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Install what settings import, in a folder of its own that pytest's cache keeps."""
    cache: pytest.Cache | None = getattr(request.config, "cache", None)
    kept = cache.mkdir("init-packages") if cache else tmp_path_factory.mktemp("packages")
    folder = Path(kept) / "-".join(PACKAGES).replace("==", "-")
    if not folder.exists():
        partial = tmp_path_factory.mktemp("partial") / "packages"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        process = subprocess.run(
            [*command, f"--target={partial}", *PACKAGES],
            capture_output=True,
            text=True,
            check=False,
        )
        if process.returncode:
            pytest.skip(f"{', '.join(PACKAGES)}: {process.stderr[-500:]}")
        partial.rename(folder)
    return folder


@pytest.fixture
def make_origin(tmp_path: Path, packages: Path) -> Callable[[Origin], Project]:
    """Write an origin's project, as it is in its repository."""

    def make(origin: Origin) -> Project:
        folder = tmp_path / "project"
        path = os.pathsep.join([clean_environment(folder)["PYTHONPATH"], str(packages)])
        project = Project(
            folder, {**origin.env, "PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": origin.module}
        )
        top = origin.module.partition(".")[0]
        project.write(
            {
                "manage.py": MANAGE.replace('"settings"', f'"{origin.usual}"'),
                "mysite/__init__.py": "",
                "mysite/urls.py": URLS,
                f"{top}/wsgi.py": WSGI,
                **origin.files,
            }
        )
        return project

    return make


Init = Callable[..., tuple[int, str]]


@pytest.fixture
def init(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Init:
    """Run the command in the project's folder: ``init("--write")`` returns status and output."""

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.chdir(tmp_path / "project")
        capsys.readouterr()
        status = main(["init", *arguments])
        return status, "".join(capsys.readouterr())

    return run
