"""Sites whose static files go to a bucket, through a proxy that records the requests."""

import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from compressor.cache import flush_offline_manifest
from compressor.storage import default_offline_manifest_storage as compressor_manifest_storage
from compressor.storage import default_storage as compressor_storage
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.management import call_command
from django.utils.functional import empty
from pytest_django import Settings

from herokuify.collect.index import Entry, parse_index
from herokuify.management.commands.collectstatic import Command
from herokuify.s3.destination import Destination
from herokuify.s3.policies import public_policy
from tests.collect.runs import Run, start
from tests.collect.sites import SMALL, Files
from tests.replay import Proxy, replay
from tests.servers import S3Server, client_of, remove_bucket

MANIFEST_CLASS = "herokuify.storage.CachedS3ManifestStaticStorage"
PLAIN_CLASS = "herokuify.storage.S3StaticStorage"
FINDER = "django.contrib.staticfiles.finders.FileSystemFinder"
INDEX = ".herokuify/static/index.json.gz"


def tree(folder: Path) -> dict[str, bytes]:
    """Return the contents of all files below a folder, by their relative paths."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def write(folder: Path, files: Files) -> None:
    """Write files by their paths relative to a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def destination_of(server: S3Server, bucket: str, **options: Any) -> Destination:
    """Return a bucket's destination, as a project's settings describe it."""
    defaults = {
        "region": server.region,
        "endpoint_url": server.endpoint_url,
        "access_key": server.access_key,
        "secret_key": server.secret_key,
        "addressing_style": "path",
    }
    return Destination("S3StaticStorage", bucket, **(defaults | options))


@dataclass
class Site:
    """A project's static files and settings, and the bucket that the files go to."""

    folder: Path
    settings: Settings
    server: S3Server
    proxy: Proxy
    bucket: str
    output: str = field(default="", init=False)
    values: dict[str, Any] = field(default_factory=dict, init=False)
    runs: list[Run] = field(default_factory=list, init=False)
    _read: dict[str, set[str]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.client = client_of(self.server)
        self.source = self.folder / "source"
        self.root = self.folder / "collected"
        self.source.mkdir(parents=True)
        url = f"{self.proxy.url}/{self.bucket}"
        self.configure(
            AWS_ACCESS_KEY_ID=self.server.access_key,
            AWS_SECRET_ACCESS_KEY=self.server.secret_key,
            AWS_S3_ENDPOINT_URL=self.proxy.url,
            AWS_S3_REGION_NAME=self.server.region,
            AWS_S3_ADDRESSING_STYLE="path",
            AWS_STORAGE_BUCKET_NAME=self.bucket,
            STATIC_URL=f"{url}/static/",
            STATICFILES_FINDERS=[FINDER],
            STATICFILES_DIRS=[self.source],
            STATIC_ROOT=self.root,
            COMPRESS_ROOT=self.root,
        )
        self.use(MANIFEST_CLASS)

    def configure(self, **values: Any) -> None:
        """Change settings."""
        self.values.update(values)
        for name, value in values.items():
            setattr(self.settings, name, value)
        self._renew()

    def use(self, backend: str) -> None:
        """Choose the storage class for static files."""
        self.configure(
            STORAGES={
                "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
                "staticfiles": {"BACKEND": backend},
            }
        )

    def _renew(self) -> None:
        """Drop the storages that exist, so that they are created as in a new process."""
        if self.settings.is_overridden("STORAGES"):
            self.settings.STORAGES = dict(self.settings.STORAGES)
        compressor_storage._wrapped = compressor_manifest_storage._wrapped = empty
        flush_offline_manifest()

    # The files

    def write(self, files: Files) -> None:
        write(self.source, files)

    def remove(self, *names: str) -> None:
        for name in names:
            (self.source / name).unlink()

    # Running the command

    def collect(self, *arguments: str, **options: Any) -> str:
        """Run collectstatic as in a new process; returns its output and keeps it."""
        self._renew()
        output = io.StringIO()
        try:
            call_command(
                "collectstatic", "--noinput", *arguments, stdout=output, stderr=output, **options
            )
        finally:
            self.output = output.getvalue()
        return self.output

    def start(self, *arguments: str, **limits: Any) -> Run:
        """Start collectstatic in its own process, which ends with the test at the latest."""
        output = self.folder / f"output-{len(self.runs)}.txt"
        run = start(self.values, *arguments, output=output, **limits)
        self.runs.append(run)
        return run

    def as_django(self, storage: ManifestStaticFilesStorage | None = None) -> dict[str, bytes]:
        """Return the files that Django's own local storage makes of the same sources."""
        location = self.folder / "django"
        command = Command()
        command.storage = storage or ManifestStaticFilesStorage(location=location)
        call_command(command, interactive=False, verbosity=0)
        return tree(Path(command.storage.location))

    # The bucket

    def names(self, prefix: str = "static/") -> set[str]:
        """Return the names of the objects below a prefix."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix
        )
        return {item["Key"][len(prefix) :] for page in pages for item in page.get("Contents", ())}

    def get(self, name: str) -> Any:
        """Return the response to GET for a name below static/."""
        return self.client.get_object(Bucket=self.bucket, Key=f"static/{name}")

    def head(self, name: str) -> Any:
        """Return the response to HEAD for a name below static/."""
        return self.client.head_object(Bucket=self.bucket, Key=f"static/{name}")

    def read(self, name: str) -> bytes:
        content: bytes = self.get(name)["Body"].read()
        return content

    def put(self, name: str, body: bytes, **parameters: Any) -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"static/{name}", Body=body, **parameters)

    def delete(self, *names: str) -> None:
        for name in names:
            self.client.delete_object(Bucket=self.bucket, Key=f"static/{name}")

    def remote_tree(self) -> dict[str, bytes]:
        """Return the contents of all objects below static/, by their names."""
        return {name: self.read(name) for name in self.names()}

    def published(self) -> dict[str, str]:
        """Return the paths in the manifest on S3, under its usual name."""
        paths: dict[str, str] = json.loads(self.read("staticfiles.json"))["paths"]
        return paths

    def hashed(self, name: str) -> str:
        """Return a file's hashed name from the local manifest."""
        paths: dict[str, str] = json.loads((self.root / "staticfiles.json").read_bytes())["paths"]
        return paths[name]

    def manifests(self) -> set[str]:
        """Return the names of all manifests on S3, old and new."""
        return {
            name
            for name in self.names()
            if name.startswith("staticfiles.") and name.endswith(".json")
        }

    def index(self) -> Mapping[str, Entry]:
        """Return the entries of the index; none if there is no index."""
        try:
            stored = self.client.get_object(Bucket=self.bucket, Key=INDEX)["Body"].read()
        except self.client.exceptions.NoSuchKey:
            return {}
        return parse_index(stored)

    def put_index(self, body: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=INDEX, Body=body)

    def assert_whole(self) -> None:
        """Check that every object exists that a manifest in the bucket names."""
        names = self.names()
        for manifest in self.manifests():
            # A copy's name has its content's hash, so it is read only once.
            if manifest not in self._read or manifest == "staticfiles.json":
                self._read[manifest] = set(json.loads(self.read(manifest))["paths"].values())
            missing = self._read[manifest] - names
            assert not missing, f"{manifest} points to {sorted(missing)}"


MakeSite = Callable[..., Site]


@pytest.fixture(scope="session")
def proxies() -> Iterator[Callable[[S3Server], Proxy]]:
    """One proxy in front of each server for all tests: a new address would need a new client."""
    with ExitStack() as stack:
        running: dict[str, Proxy] = {}

        def proxy(server: S3Server) -> Proxy:
            if server.name not in running:
                running[server.name] = stack.enter_context(replay(server.endpoint_url))
            return running[server.name]

        yield proxy


@pytest.fixture
def shared_proxy(moto: S3Server, proxies: Callable[[S3Server], Proxy]) -> Iterator[Proxy]:
    """The proxy in front of moto, without rules and requests of other tests."""
    proxy = proxies(moto)
    yield proxy
    proxy.reset()


@pytest.fixture
def make_site(
    tmp_path: Path, settings: Settings, proxies: Callable[[S3Server], Proxy]
) -> Iterator[MakeSite]:
    """Make a site on a server: ``make_site(server, files)``; at most one in a test."""
    made: list[Site] = []

    def make(server: S3Server, files: Files = SMALL, *, proxy: Proxy | None = None) -> Site:
        bucket = f"test-{os.urandom(8).hex()}"
        client_of(server).create_bucket(Bucket=bucket)
        policy = json.dumps(public_policy(server.region, bucket, ["static"]))
        client_of(server).put_bucket_policy(Bucket=bucket, Policy=policy)
        site = Site(tmp_path / "site", settings, server, proxy or proxies(server), bucket)
        made.append(site)
        site.write(files)
        return site

    yield make
    for site in made:
        for run in site.runs:
            run.wait(timeout=0)
        site.proxy.reset()
        site._renew()  # other tests must not find this site's storages
        if site.server.name != "moto":  # which keeps its buckets in memory
            remove_bucket(site.client, site.bucket)


@pytest.fixture
def site(make_site: MakeSite, moto: S3Server) -> Site:
    """A small site on moto."""
    return make_site(moto)


@pytest.fixture
def each_site(make_site: MakeSite, s3: S3Server) -> Site:
    """A small site on each server in turn."""
    return make_site(s3)
