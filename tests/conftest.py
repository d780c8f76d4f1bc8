"""Fixtures for all tests, and rules such as: no connection leaves this machine."""

import os
import shutil
import socket
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import cache
from pathlib import Path

import django
import pytest
from botocore import session
from botocore.exceptions import ClientError
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import herokuify
from herokuify.s3 import client
from tests import project, servers, smtp_server
from tests.processes import HOST
from tests.sandbox import loopback_only
from tests.smtp_server import MailServer

pytest_plugins = ["tests.storages"]

IN_CI = os.environ.get("CI") == "true"
# Set where the tests run on an installed wheel, not on the source tree; its value is a key of
# ELSEWHERE.
INSTALLED = "HEROKUIFY_TEST_INSTALLED"
# The marks of tests to leave out, because another environment of the matrix runs them. "oldest" has
# the oldest Django, with the oldest version of every other dependency; the others differ only in
# their Django. README's command doesn't set the variable and runs every test.
ELSEWHERE: dict[str, set[str]] = {
    "": set(),
    "oldest": {"newest", "once", "source_tree"},
    "between": {"ends", "newest", "no_django", "once", "source_tree"},
    "newest": {"no_django", "once", "source_tree"},
}

# Each takes minutes, so these start first: started last, one would keep a single process busy after
# all others have finished.
LONGEST = {"test_tutorial.py", "test_django_suite.py"}

# Neither the code under test nor botocore may read this machine's own configuration.
CONFIG_VARS = (
    *("ALLOWED_HOSTS", "AWS_", "BUCKETEER_", "CLOUDCUBE_", "CSRF_", "DATABASE_", "DEBUG"),
    *("DEFAULT_FROM_EMAIL", "EMAIL_", "FORWARDED_", "HEROKU_", "HEROKUIFY_FORCE_", "LOG_"),
    *("MAILERTOGO_", "MAILGUN_", "MEMCACHEDCLOUD_", "MEMCACHIER_", "PG", "POSTMARK_"),
    *("REDISCLOUD_", "REDIS_", "SECRET_KEY", "SECURE_", "SENDGRID_", "SERVER_EMAIL"),
    *("SPARKPOST_", "STACKHERO_", "WEB_"),
)
for _name in list(os.environ):
    if _name.startswith(CONFIG_VARS) or _name in {"DYNO", "PORT", "SOURCE_VERSION", "STACK"}:
        del os.environ[_name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
loopback_only.install()
# No test fails because the machine is slow, and none writes a database of examples.
hypothesis_settings.register_profile(
    "unhurried", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("unhurried")
# Each configuration has its own session, which would load botocore's models again: 12 MB and 0.1 s
# of CPU for each of a thousand proxies, never freed because herokuify pools its clients.
session.create_loader = cache(session.create_loader)


def pytest_report_header() -> list[str]:
    ceph_server = "ceph" if servers.ceph() else f"no ceph ({servers.CEPH_URL} is not set)"
    return [
        f"herokuify {herokuify.__version__} from {Path(herokuify.__file__).parent}",
        f"servers: moto, {ceph_server}",
        f"marks of what runs elsewhere: {', '.join(sorted(_elsewhere())) or 'none'}",
    ]


def pytest_configure() -> None:
    if os.environ.get(INSTALLED) and "site-packages" not in Path(herokuify.__file__).parts:
        raise pytest.UsageError(f"{INSTALLED} is set, and herokuify is {herokuify.__file__}")


def pytest_runtest_setup() -> None:
    """Start each test as a process that hasn't served a request, whatever earlier tests did."""
    client._serves_web = False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests that other environments of the matrix run; CI allows no skips."""
    unwanted = [item for item in items if not _runs_here(item)]
    if unwanted:
        config.hook.pytest_deselected(items=unwanted)
        items[:] = [item for item in items if _runs_here(item)]
    items.sort(key=lambda item: item.path.name not in LONGEST)


def _runs_here(item: pytest.Item) -> bool:
    if any(map(item.get_closest_marker, _elsewhere())):
        return False
    # A pre-release counts as its final release.
    version = Version(django.get_version()).base_version
    ranges = item.iter_markers("django_versions")
    return all(SpecifierSet(mark.args[0]).contains(version) for mark in ranges)


def _elsewhere() -> set[str]:
    return ELSEWHERE[os.environ.get(INSTALLED, "")]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure in CI, where everything that the tests need must be available."""
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and CI allows no skips: {report.longrepr}"


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.S3Server]:
    """moto's server: always available, but it accepts any credentials, policy and region."""
    folder = tmp_path_factory.mktemp("moto")
    with servers.moto(folder / "server.log", project.clean_environment(folder)) as server:
        yield server


@pytest.fixture(scope="session")
def ceph() -> servers.S3Server:
    """A Ceph gateway, which checks credentials and policies; CI requires it."""
    server = servers.ceph()
    if server is None:
        reason = f"no Ceph: {servers.CEPH_URL} is not set"
        if IN_CI:
            pytest.fail(reason)
        pytest.skip(reason)
    return server


# Only boto3 notices how servers differ, so Ceph isn't tested with every Django.
@pytest.fixture(scope="session", params=["moto", pytest.param("ceph", marks=pytest.mark.no_django)])
def s3(request: pytest.FixtureRequest) -> servers.S3Server:
    """Each server in turn."""
    server: servers.S3Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def bucket_name(s3: servers.S3Server) -> Iterator[str]:
    """An unused bucket name; if the test creates the bucket, it's deleted afterwards."""
    name = f"test-{uuid.uuid4().hex}"
    yield name
    # moto keeps its buckets in memory.
    if s3.name != "moto":
        try:
            servers.remove_bucket(servers.client_of(s3), name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucket":
                raise


@pytest.fixture
def bucket(s3: servers.S3Server, bucket_name: str) -> str:
    """A new, empty bucket on the server."""
    servers.client_of(s3).create_bucket(Bucket=bucket_name)
    return bucket_name


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[..., project.Project]:
    """Write a project: ``make_project(settings, files=…, env=…)``."""

    def make(
        settings: str,
        files: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        folder: str = "project",
    ) -> project.Project:
        return project.make_project(tmp_path / folder, settings, files, env)

    return make


@pytest.fixture(name="project")
def module_project(
    request: pytest.FixtureRequest, make_project: Callable[..., project.Project]
) -> project.Project:
    """A project made from the module's SETTINGS, and its FILES and VARIABLES if it has them."""
    module = request.module
    return make_project(
        module.SETTINGS, getattr(module, "FILES", None), getattr(module, "VARIABLES", None)
    )


@pytest.fixture
def example(tmp_path: Path) -> project.Project:
    """A copy of example_project in local development: no variable is set."""
    folder = tmp_path / "example"
    shutil.copytree(project.EXAMPLE, folder, ignore=project.LEFT_BEHIND)
    return project.Project(folder, {"DJANGO_SETTINGS_MODULE": "config.settings"})


@pytest.fixture(scope="session")
def _mail_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl, which makes the mail server's certificate")
    folder = tmp_path_factory.mktemp("mail")
    with smtp_server.running(folder, project.clean_environment(folder)) as server:
        yield server


@pytest.fixture
def mail_server(_mail_server: MailServer) -> MailServer:
    """A mail server that requires TLS and a login, with an empty mailbox."""
    _mail_server.clear()
    return _mail_server


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of 127.0.0.1 that refuses connections."""
    with socket.socket() as taken:  # bound, so that no other process listens there
        taken.bind((HOST, 0))
        yield taken.getsockname()[1]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port of 127.0.0.1 that accepts connections and never sends anything."""
    with socket.create_server((HOST, 0), backlog=50) as server:
        yield server.getsockname()[1]


@pytest.fixture
def no_sockets() -> Iterator[None]:
    """Forbid all connections, even to this machine."""
    with loopback_only.no_sockets():
        yield
