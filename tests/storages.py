"""Fixtures for storages on each server, and for a proxy in front of moto."""

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.files.storage import Storage, storages
from pytest_django import Settings

from tests.cutting_proxy import Cutter, cutting
from tests.project import Project
from tests.replay import Proxy, replay
from tests.servers import S3Server, client_of

Connect = Callable[..., None]


@pytest.fixture
def connect(settings: Settings) -> Connect:
    """Point the settings to a bucket: ``connect(server, bucket, endpoint_url=…)``."""

    def connect(server: S3Server, bucket: str, **options: Any) -> None:
        endpoint_url = options.pop("endpoint_url", server.endpoint_url)
        values = {
            "AWS_ACCESS_KEY_ID": server.access_key,
            "AWS_SECRET_ACCESS_KEY": server.secret_key,
            "AWS_S3_ENDPOINT_URL": endpoint_url,
            "AWS_S3_REGION_NAME": server.region,
            "AWS_S3_ADDRESSING_STYLE": "path",
            "AWS_STORAGE_BUCKET_NAME": bucket,
            "STATIC_URL": f"{endpoint_url}/{bucket}/static/",
            "MEDIA_URL": f"{endpoint_url}/{bucket}/media/",
        }
        for name, value in {**values, **options}.items():
            setattr(settings, name, value)

    return connect


@pytest.fixture
def aws(connect: Connect, s3: S3Server, bucket: str) -> S3Server:
    """Each server in turn; the settings point to a new bucket on it."""
    connect(s3, bucket)
    return s3


@pytest.fixture
def local_root(settings: Settings, tmp_path: Path) -> Path:
    """A folder that is STATIC_ROOT and COMPRESS_ROOT."""
    root = tmp_path / "staticfiles"
    settings.STATIC_ROOT = str(root)
    settings.COMPRESS_ROOT = str(root)
    return root


@pytest.fixture
def name_storages(settings: Settings) -> Callable[..., None]:
    """Set STORAGES: ``name_storages(default=…, staticfiles=…)``; values are classes or dicts."""

    def name(**backends: str | dict[str, Any]) -> None:
        local = "django.core.files.storage.InMemoryStorage"
        static = "django.contrib.staticfiles.storage.StaticFilesStorage"
        chosen = {"default": local, "staticfiles": static, **backends}
        settings.STORAGES = {
            alias: {"BACKEND": value} if isinstance(value, str) else value
            for alias, value in chosen.items()
        }
        # Django 4.2 drops the OPTIONS of a setting that is overridden.
        storages.backends = settings.STORAGES

    return name


@pytest.fixture
def default_storage(name_storages: Callable[..., None], aws: S3Server) -> Storage:
    """S3MediaStorage as the project's default storage, on each server."""
    name_storages(default="herokuify.storage.S3MediaStorage")
    return storages["default"]


@pytest.fixture
def proxy(moto: S3Server) -> Iterator[Proxy]:
    """A proxy in front of moto, at a new address: herokuify remembers what a service supports."""
    with replay(moto.endpoint_url) as running:
        yield running


@pytest.fixture
def moto_bucket(moto: S3Server) -> str:
    """A new, empty bucket on moto."""
    name = f"test-{uuid.uuid4().hex}"
    client_of(moto).create_bucket(Bucket=name)
    return name


@pytest.fixture
def moto_project(
    request: pytest.FixtureRequest,
    make_project: Callable[..., Project],
    moto: S3Server,
    moto_bucket: str,
) -> Project:
    """A project made from the module's SETTINGS, with the config vars of a bucket on moto."""
    variables = {**moto.variables, "AWS_STORAGE_BUCKET_NAME": moto_bucket}
    return make_project(request.module.SETTINGS, env=variables)


@pytest.fixture
def cutter(s3: S3Server) -> Iterator[Cutter]:
    """A proxy in front of each server in turn, which cuts connections."""
    address = urlsplit(s3.endpoint_url)
    with cutting(str(address.hostname), int(address.port or 80)) as running:
        yield running


@pytest.fixture
def proxied(connect: Connect, moto: S3Server, moto_bucket: str, proxy: Proxy) -> Proxy:
    """The proxy in front of moto; the settings point to a new bucket through it."""
    connect(moto, moto_bucket, endpoint_url=proxy.url)
    return proxy


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Make retries immediate; returns the seconds that each would have waited."""
    pauses: list[float] = []
    clock = SimpleNamespace(sleep=pauses.append, strftime=time.strftime, gmtime=time.gmtime)
    monkeypatch.setattr("botocore.endpoint.time", clock)
    monkeypatch.setattr("herokuify.s3.sender.time", clock)
    return pauses


@pytest.fixture(params=["S3BotoStorage", "S3MediaStorage", "S3StaticStorage"])
def each_storage(
    request: pytest.FixtureRequest, name_storages: Callable[..., None], aws: S3Server
) -> Storage:
    """Each class for uploads and static files in turn, on each server."""
    name_storages(default=f"herokuify.storage.{request.param}")
    return storages["default"]
