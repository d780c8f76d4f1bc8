"""Run `herokuify bucket` in the tests' process, with settings that point to a server."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from pytest_django import Settings

from tests.replay import Proxy
from tests.servers import S3Server, client_of

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


MEDIA = "herokuify.storage.S3MediaStorage"
STATIC = "herokuify.storage.S3StaticStorage"


def run(*options: str, output: io.StringIO | None = None) -> str:
    """Run `herokuify bucket`; return its output."""
    output = output or io.StringIO()
    call_command("herokuify", "bucket", *options, stdout=output)
    return output.getvalue()


def steps(*options: str) -> dict[str, dict[str, Any]]:
    """Return the steps of the plan for the only bucket, by name."""
    (report,) = json.loads(run("--json", *options))["buckets"]
    return {step["name"]: step for step in report["steps"]}


def states(*options: str) -> dict[str, str]:
    return {name: step["state"] for name, step in steps(*options).items()}


@dataclass(frozen=True)
class Site:
    """A project with static files and media files in one bucket."""

    server: S3Server
    bucket: str

    @property
    def client(self) -> "S3Client":
        return client_of(self.server)

    @property
    def url(self) -> str:
        return f"{self.server.endpoint_url}/{self.bucket}"


@pytest.fixture
def bare_site(
    s3: S3Server,
    bucket_name: str,
    connect: Callable[..., None],
    settings: Settings,
    site_settings: None,
) -> Site:
    """Each server in turn; the bucket doesn't exist yet."""
    connect(s3, bucket_name)
    return Site(s3, bucket_name)


@pytest.fixture
def site_settings(settings: Settings, name_storages: Callable[..., None]) -> None:
    name_storages(default=MEDIA, staticfiles=STATIC)
    settings.ALLOWED_HOSTS = ["www.example.com", ".example.org", "127.0.0.1"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://admin.example.com:8443"]


@pytest.fixture
def behind_proxy(
    moto: S3Server,
    moto_bucket: str,
    proxy: Proxy,
    connect: Callable[..., None],
    site_settings: None,
) -> Site:
    """A site on moto whose bucket exists, behind a proxy that can answer in moto's place."""
    connect(moto, moto_bucket, endpoint_url=proxy.url)
    return Site(moto, moto_bucket)
