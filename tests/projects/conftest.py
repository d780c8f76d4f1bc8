"""Fixtures for tests with whole projects."""

import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.project import clean_environment, make_project
from tests.projects.aws import Aws, running
from tests.projects.site import Site, lay_out
from tests.servers import S3Server, remove_bucket

MakeSite = Callable[..., Site]


@pytest.fixture
def make_shop(tmp_path: Path) -> Iterator[MakeSite]:
    """Write a shop: ``make_shop(server, settings, env=…, folder=…, bucket=…)``.

    The config vars name a new bucket, with AWS_AUTO_CREATE_BUCKET.
    """
    made: list[Site] = []

    def make(
        server: S3Server | Aws,
        settings: str,
        *,
        env: Mapping[str, str] | None = None,
        folder: str = "app",
        bucket: str = "",
    ) -> Site:
        bucket = bucket or f"test-{uuid.uuid4().hex}"
        variables = {
            **server.variables,
            "AWS_STORAGE_BUCKET_NAME": bucket,
            "AWS_AUTO_CREATE_BUCKET": "true",
            **(env or {}),
        }
        site = Site(make_project(tmp_path / folder, settings, env=variables), server, bucket)
        lay_out(site.project)
        made.append(site)
        return site

    yield make
    # moto's buckets needn't be removed.
    on_ceph = {(site.server, site.bucket) for site in made if site.server.name == "ceph"}
    for server, bucket in on_ceph:
        client = server.client()
        if any(item["Name"] == bucket for item in client.list_buckets()["Buckets"]):
            remove_bucket(client, bucket)


@pytest.fixture(scope="session")
def amazon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Amazon S3 at its own hosts, emulated by moto."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl, which moto's proxy needs for its certificates")
    folder = tmp_path_factory.mktemp("aws")
    with running(folder, clean_environment(folder)) as server:
        yield server
