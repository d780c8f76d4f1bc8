"""Projects with other packages, whose warnings are not errors here."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from tests import project
from tests.servers import S3Server

SETTINGS = """
from pathlib import Path
from herokuify.aws import *
BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = "x" * 60
USE_TZ = True
ALLOWED_HOSTS = ["*"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
INSTALLED_APPS = [
    "herokuify",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
]
class NoMigrations(dict):
    # Tables are created without migrations, as Wagtail's take a minute.
    def __contains__(self, label):
        return True
    def __getitem__(self, label):
        return None
MIGRATION_MODULES = NoMigrations()
STATIC_URL = get_static_url()
MEDIA_URL = get_media_url()
STORAGES = {
    "default": {"BACKEND": "herokuify.storage.S3MediaStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
"""
START = """
import io, json, urllib.request
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from PIL import Image

found = {}

def picture(size=(400, 300), kind="PNG", name="photo.png"):
    buffer = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(buffer, kind)
    return ContentFile(buffer.getvalue(), name)

def size_of(content):
    return list(Image.open(io.BytesIO(content)).size)

def fetch(url):
    with urllib.request.urlopen(url) as answer:
        return answer.read()

def names(folder=""):
    folders, files = default_storage.listdir(folder)
    below = [name for one in folders for name in names(f"{folder}{one}/")]
    return sorted([*(folder + one for one in files), *below])

call_command("migrate", run_syncdb=True, verbosity=0)
"""


def run(
    make_project: Callable[..., project.Project],
    server: S3Server,
    bucket: str,
    settings: str,
    source: str,
    files: Mapping[str, str] | None = None,
) -> Any:
    """Run the source in a new project, and return its dict ``found``."""
    site = make_project(SETTINGS + settings, files)
    variables = {**server.variables, "AWS_STORAGE_BUCKET_NAME": bucket}
    result = subprocess.run(
        [sys.executable, "-c", project.SNIPPET + START + source + "\nprint(json.dumps(found))"],
        cwd=site.folder,
        env=project.clean_environment(site.folder) | variables,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr + result.stdout
    return json.loads(result.stdout.splitlines()[-1])
