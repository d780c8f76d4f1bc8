"""A Django project as a user would write it, one for each contestant."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

_MANAGE = '''"""Django's command line."""

import os
import sys

from django.core.management import execute_from_command_line

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
execute_from_command_line(sys.argv)
'''

_SETTINGS = """import os

SECRET_KEY = "only static files are made here"
USE_TZ = True
INSTALLED_APPS = [{apps}]
STATICFILES_DIRS = [os.environ["BENCH_SOURCE"]]
STATIC_ROOT = os.environ["BENCH_STATIC_ROOT"]
STATIC_URL = "/static/"
STORAGES = {{
    "default": {{"BACKEND": "django.core.files.storage.FileSystemStorage"}},
    "staticfiles": {{"BACKEND": "{storage}"}},
}}
"""

_LOCAL = {
    "plain": "django.contrib.staticfiles.storage.StaticFilesStorage",
    "manifest": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage",
}


class Project:
    """A project on the disk with nothing but static files; only what differs is a parameter."""

    def __init__(
        self, folder: Path, storage: str, apps: Sequence[str] = (), lines: str = ""
    ) -> None:
        self.folder = folder
        names = ", ".join(f'"{app}"' for app in [*apps, "django.contrib.staticfiles"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manage.py").write_text(_MANAGE)
        (folder / "settings.py").write_text(_SETTINGS.format(apps=names, storage=storage) + lines)

    @classmethod
    def local(cls, folder: Path, variant: str) -> Project:
        """A project with Django's own storage on the local disk."""
        return cls(folder, _LOCAL[variant])

    @property
    def collectstatic(self) -> list[str]:
        """The arguments of Python that deploy, as Heroku's build does."""
        return [str(self.folder / "manage.py"), "collectstatic", "--noinput"]

    def variables(self, source: Path, static_root: Path) -> dict[str, str]:
        """The environment in which the project's commands run."""
        return {
            **clean_environment(self.folder),
            "BENCH_SOURCE": str(source),
            "BENCH_STATIC_ROOT": str(static_root),
        }


def clean_environment(home: Path) -> dict[str, str]:
    """Return an environment without what this machine's user has set for AWS, Python or Django."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "TMPDIR"}}
    return {**kept, "HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true"}
