"""The contestants, and how each deploys. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

VARIANTS = ("plain", "manifest")
SCENARIOS = ("first", "unchanged", "changed", "headers")

#: The prefix of the files' keys.
LOCATION = "static"
#: The header that the scenario "headers" adds to SVG files.
CACHE_CONTROL = "public, max-age=60"
HEADERS_SUFFIX = ".svg"

REGION = "us-east-1"

_MANAGE = """import os
import sys

from django.core.management import execute_from_command_line

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
execute_from_command_line(sys.argv)
"""
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
_DJANGO_STORAGES = f"""
AWS_ACCESS_KEY_ID = os.environ["AWS_ACCESS_KEY_ID"]
AWS_SECRET_ACCESS_KEY = os.environ["AWS_SECRET_ACCESS_KEY"]
AWS_STORAGE_BUCKET_NAME = os.environ["AWS_STORAGE_BUCKET_NAME"]
AWS_S3_ENDPOINT_URL = os.environ["AWS_S3_ENDPOINT_URL"]
AWS_S3_REGION_NAME = os.environ["AWS_S3_REGION_NAME"]
AWS_S3_ADDRESSING_STYLE = "path"
AWS_LOCATION = "{LOCATION}"
AWS_QUERYSTRING_AUTH = False
if os.environ.get("BENCH_HEADERS"):
    AWS_S3_OBJECT_PARAMETERS = {{"CacheControl": "{CACHE_CONTROL}"}}
"""

_COLLECTFASTA = """
COLLECTFASTA_STRATEGY = "collectfasta.strategies.boto3.{strategy}"
COLLECTFASTA_THREADS = 32
CACHES = {{
    "default": {{
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {{"MAX_ENTRIES": 100_000}},
    }}
}}
"""

_HEROKUIFY = f"""
from herokuify.aws import *

STATIC_URL = get_static_url()
if os.environ.get("BENCH_HEADERS"):
    AWS_EXTRA_HEADERS = [(r".*\\{HEADERS_SUFFIX}$", {{"Cache-Control": "{CACHE_CONTROL}"}})]
"""


class Access(NamedTuple):
    """An S3 server and its credentials."""

    endpoint: str
    key: str
    secret: str

    @property
    def address(self) -> str:
        """The ``host:port`` of the endpoint."""
        return self.endpoint.partition("://")[2].strip("/")


def write_project(folder: Path, storage: str, apps: Sequence[str], lines: str) -> None:
    """Write a Django project that has only static files."""
    names = ", ".join(f'"{app}"' for app in [*apps, "django.contrib.staticfiles"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manage.py").write_text(_MANAGE)
    (folder / "settings.py").write_text(_SETTINGS.format(apps=names, storage=storage) + lines)


def clean_environment(home: Path) -> dict[str, str]:
    """Return an environment without the user's variables for AWS, Python or Django."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "TMPDIR"}}
    return {**kept, "HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true"}


@dataclass(frozen=True)
class Deployment:
    """A deploy: its source and destination."""

    access: Access
    bucket: str
    source: Path
    static_root: Path
    scripts: Path  # of its virtual environment
    new_headers: bool = False


#: variant → the storage class, the apps and the lines of settings.py
_Settings = dict[str, tuple[str, tuple[str, ...], str]]


@dataclass(frozen=True)
class Contestant:
    """A way to deploy static files: collectstatic (``settings``) or a copying tool (``tool``).

    If ``local``, it doesn't use S3.
    """

    name: str
    settings: _Settings = field(default_factory=dict)
    tool: Callable[[Deployment, str], list[str]] | None = None
    local: bool = False

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The scenarios that it supports; only storages on S3 have settings for headers."""
        return SCENARIOS if not (self.tool or self.local) else SCENARIOS[:-1]

    @property
    def fresh_disk(self) -> bool:
        """Whether a deploy starts with an empty disk and new modification times, as on Heroku.

        Copying tools and local storages compare modification times, so they keep the old ones.
        """
        return not (self.tool or self.local)

    def command(
        self, deployment: Deployment, variant: str, folder: Path
    ) -> tuple[list[str], dict[str, str]]:
        """Write the project to ``folder``; return the deploy's command and environment."""
        access = deployment.access
        credentials = {
            "AWS_ACCESS_KEY_ID": access.key,
            "AWS_SECRET_ACCESS_KEY": access.secret,
        }
        if self.tool:
            target = f"{deployment.bucket}/{LOCATION}/"
            command = self.tool(deployment, target)
            command[0] = str(deployment.scripts / command[0])
            region = {"AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION}
            return command, {**clean_environment(folder.parent), **credentials, **region}
        write_project(folder, *self.settings[variant])
        variables = {
            **clean_environment(folder),
            **credentials,
            "BENCH_SOURCE": str(deployment.source),
            "BENCH_STATIC_ROOT": str(deployment.static_root),
            "AWS_STORAGE_BUCKET_NAME": deployment.bucket,
            "AWS_S3_ENDPOINT_URL": access.endpoint,
            "AWS_S3_REGION_NAME": REGION,
            "AWS_S3_ADDRESSING_STYLE": "path",
        }
        if deployment.new_headers:
            variables["BENCH_HEADERS"] = "1"
        python = str(deployment.scripts / "python")
        return [python, str(folder / "manage.py"), "collectstatic", "--noinput"], variables


def s5cmd_program(scripts: Path) -> str:
    """Return the program itself; the one in the bin directory is a slower Python wrapper."""
    places = scripts.parent.rglob("site-packages/s5cmd/bin/s5cmd*")
    return next((str(one) for one in places if os.access(one, os.X_OK)), str(scripts / "s5cmd"))


def _s5cmd(deployment: Deployment, target: str) -> list[str]:
    endpoint = deployment.access.endpoint
    options = ["--log", "error", "--endpoint-url", endpoint]
    program = s5cmd_program(deployment.scripts)
    return [program, *options, "sync", f"{deployment.source}/", f"s3://{target}"]


def _awscli(deployment: Deployment, target: str) -> list[str]:
    options = ["--endpoint-url", deployment.access.endpoint, "--only-show-errors"]
    return ["aws", *options, "s3", "sync", f"{deployment.source}/", f"s3://{target}"]


def _rclone(deployment: Deployment, target: str) -> list[str]:
    # With the defaults, 4 transfers and a HEAD for each object, only the latency would matter.
    options = ["--transfers=64", "--checkers=64", "--fast-list", "--checksum"]
    remote = f':s3,provider=Ceph,env_auth,no_check_bucket,endpoint="{deployment.access.endpoint}"'
    return ["rclone", "copy", "--config=", *options, str(deployment.source), f"{remote}:{target}"]


def _storages(package: str, classes: tuple[str, str], *lines: str, app: str = "") -> _Settings:
    """Return the settings of both variants; ``lines`` are for plain and for manifest."""
    apps = (app,) if app else ()
    return {
        variant: (f"{package}.{name}", apps, text)
        for variant, name, text in zip(VARIANTS, classes, (lines[0], lines[-1]), strict=True)
    }


_STORAGES = ("storages.backends.s3", ("S3StaticStorage", "S3ManifestStaticStorage"))
_OURS = _storages(
    "herokuify.storage",
    ("S3StaticStorage", "CachedS3ManifestStaticStorage"),
    _HEROKUIFY,
    app="herokuify",
)
LOCAL = Contestant(
    "local",
    _storages(
        "django.contrib.staticfiles.storage",
        ("StaticFilesStorage", "ManifestStaticFilesStorage"),
        "",
    ),
    local=True,
)
CONTESTANTS = {
    contestant.name: contestant
    for contestant in (
        LOCAL,
        Contestant("herokuify", _OURS),
        Contestant("before", _OURS),
        Contestant("s5cmd", tool=_s5cmd),
        Contestant("rclone", tool=_rclone),
        Contestant("awscli", tool=_awscli),
        Contestant(
            "collectfasta",
            _storages(
                *_STORAGES,
                *(
                    _DJANGO_STORAGES + _COLLECTFASTA.format(strategy=strategy)
                    for strategy in ("Boto3Strategy", "Boto3ManifestMemoryStrategy")
                ),
                app="collectfasta",
            ),
        ),
        Contestant("django-storages", _storages(*_STORAGES, _DJANGO_STORAGES)),
    )
}
