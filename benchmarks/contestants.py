"""Who takes part, and how each is told to deploy; standard library only."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.access import REGION, Access
from benchmarks.project import Project, clean_environment

VARIANTS = ("plain", "manifest")
SCENARIOS = ("first", "unchanged", "changed", "headers")

#: The key prefix below which everybody puts the files.
LOCATION = "static"
#: The header that the scenario "headers" wants on the SVG files.
CACHE_CONTROL = "public, max-age=60"
HEADERS_SUFFIX = ".svg"

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


@dataclass(frozen=True)
class Deployment:
    """What a contestant is asked to deploy, from where to where."""

    access: Access
    bucket: str
    source: Path
    static_root: Path
    scripts: Path  # of its virtual environment
    new_headers: bool = False


@dataclass(frozen=True)
class Contestant:
    """A way to deploy static files: collectstatic (``settings``) or a copying tool (``tool``).

    ``settings`` holds, for each variant, the storage class, the apps and the lines of settings.py.
    ``local`` ones never see S3, ``slow`` ones get fewer rounds.
    """

    name: str
    environment: str
    settings: dict[str, tuple[str, tuple[str, ...], str]] = field(default_factory=dict)
    tool: Callable[[Deployment, str], list[str]] | None = None
    local: bool = False
    slow: bool = False

    @property
    def scenarios(self) -> tuple[str, ...]:
        """What it can do at all: headers are settings, and only storages have those."""
        return SCENARIOS if not (self.tool or self.local) else SCENARIOS[:-1]

    @property
    def fresh_disk(self) -> bool:
        """Whether a deploy finds an empty disk and new modification times, as on Heroku.

        Copying tools, and the floor, decide by modification time: they keep theirs.
        """
        return not (self.tool or self.local)

    def command(
        self, deployment: Deployment, variant: str, folder: Path
    ) -> tuple[list[str], dict[str, str]]:
        """Return the command that deploys and its environment; writes the project to ``folder``."""
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
        storage, apps, lines = self.settings[variant]
        project = Project(folder, storage, apps, lines)
        variables = {
            **project.variables(deployment.source, deployment.static_root),
            **credentials,
            "AWS_STORAGE_BUCKET_NAME": deployment.bucket,
            "AWS_S3_ENDPOINT_URL": access.endpoint,
            "AWS_S3_REGION_NAME": REGION,
            "AWS_S3_ADDRESSING_STYLE": "path",
        }
        if deployment.new_headers:
            variables["BENCH_HEADERS"] = "1"
        return [str(deployment.scripts / "python"), *project.collectstatic], variables


def _s5cmd(deployment: Deployment, target: str) -> list[str]:
    endpoint = deployment.access.endpoint
    options = ["--log", "error", "--endpoint-url", endpoint]
    # The command in the bin folder is Python, and would charge its own start to s5cmd.
    places = deployment.scripts.parent.rglob("site-packages/s5cmd/bin/s5cmd*")
    program = next((str(one) for one in places if os.access(one, os.X_OK)), "s5cmd")
    return [program, *options, "sync", f"{deployment.source}/", f"s3://{target}"]


def _awscli(deployment: Deployment, target: str) -> list[str]:
    options = ["--endpoint-url", deployment.access.endpoint, "--only-show-errors"]
    return ["aws", *options, "s3", "sync", f"{deployment.source}/", f"s3://{target}"]


def _rclone(deployment: Deployment, target: str) -> list[str]:
    # With its default of 4 transfers and a HEAD for each object, distance alone would decide.
    options = ["--transfers=64", "--checkers=64", "--fast-list", "--checksum"]
    remote = f':s3,provider=Ceph,env_auth,no_check_bucket,endpoint="{deployment.access.endpoint}"'
    return ["rclone", "copy", "--config=", *options, str(deployment.source), f"{remote}:{target}"]


def _herokuify(name: str) -> Contestant:
    return Contestant(
        name,
        name,
        {
            "plain": ("herokuify.storage.S3StaticStorage", ("herokuify",), _HEROKUIFY),
            "manifest": (
                "herokuify.storage.CachedS3ManifestStaticStorage",
                ("herokuify",),
                _HEROKUIFY,
            ),
        },
    )


CONTESTANTS = {
    contestant.name: contestant
    for contestant in (
        Contestant(
            "local",
            "local",
            {
                "plain": ("django.contrib.staticfiles.storage.StaticFilesStorage", (), ""),
                "manifest": (
                    "django.contrib.staticfiles.storage.ManifestStaticFilesStorage",
                    (),
                    "",
                ),
            },
            local=True,
        ),
        _herokuify("herokuify-crt"),
        _herokuify("herokuify"),
        Contestant("s5cmd", "s5cmd", tool=_s5cmd),
        Contestant("rclone", "rclone", tool=_rclone),
        Contestant("awscli", "awscli", tool=_awscli),
        Contestant(
            "collectfasta",
            "collectfasta",
            {
                "plain": (
                    "storages.backends.s3.S3StaticStorage",
                    ("collectfasta",),
                    _DJANGO_STORAGES + _COLLECTFASTA.format(strategy="Boto3Strategy"),
                ),
                "manifest": (
                    "storages.backends.s3.S3ManifestStaticStorage",
                    ("collectfasta",),
                    _DJANGO_STORAGES + _COLLECTFASTA.format(strategy="Boto3ManifestMemoryStrategy"),
                ),
            },
            slow=True,
        ),
        Contestant(
            "django-storages",
            "django-storages",
            {
                "plain": ("storages.backends.s3.S3StaticStorage", (), _DJANGO_STORAGES),
                "manifest": ("storages.backends.s3.S3ManifestStaticStorage", (), _DJANGO_STORAGES),
            },
            slow=True,
        ),
    )
}
