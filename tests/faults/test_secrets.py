"""No command shows a secret, whether it succeeds or fails, at any verbosity."""

import shlex
import uuid
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from herokuify.management.subcommands import env
from tests.faults import servers as states
from tests.faults.fault import STORAGES
from tests.faults.servers import Servers
from tests.project import Project, Run, make_project
from tests.projects import shop
from tests.projects.site import lay_out
from tests.replay import ACCESS_DENIED, WRONG_SECRET

pytestmark = pytest.mark.once

MARK = "sEcrEt7"  # in each secret, and in nothing else
SETTINGS = (
    shop.DJANGO
    + shop.HEROKUIFY
    + shop.FRAGMENTS
    + STORAGES
    + """
import herokuify
from herokuify.common import *
DATABASES = herokuify.get_db_config()
from herokuify.mail.mailgun import *
CACHES = herokuify.get_cache_config(variable="REDIS_URL")
"""
)
OFFLINE = ["herokuify env", "herokuify env --json", "herokuify bucket --iam", "check --deploy"]
AT_S3 = [
    "collectstatic --noinput",
    "compress",
    "herokuify bucket --json",
    "herokuify bucket --apply",
]
STATES = {
    "takes all": states.moto,
    "denies": states.answering(answer=ACCESS_DENIED),
    "knows another secret": states.answering(answer=WRONG_SECRET),
}
NAMES = sorted(
    name.replace("<COLOR>", "RED")
    for variable in env.known_variables()
    if variable.secret
    for name in variable.names
)
# What else the add-ons set, so that their secrets are taken.
BESIDE = {
    "ALLOWED_HOSTS": "www.example.com",
    "BUCKETEER_AWS_REGION": "eu-west-1",
    "BUCKETEER_BUCKET_NAME": "bucketeer-1234",
    "LOG_LEVEL": "debug",
    "MAILGUN_SMTP_LOGIN": "postmaster@example.com",
    "MAILGUN_SMTP_PORT": "587",
    "MAILGUN_SMTP_SERVER": "127.0.0.1",
    "MEMCACHEDCLOUD_SERVERS": "127.0.0.1:1",
    "MEMCACHIER_SERVERS": "127.0.0.1:1",
}


def secret(name: str) -> str:
    """A value for a variable; its password has all that a URL must quote."""
    mark = f"{MARK}/{NAMES.index(name)}+"
    if name.endswith("_URL"):
        start, end = ("rediss://:", "/0") if "REDIS" in name else ("postgres://someone:", "/app")
        return f"{start}{quote(mark, safe='')}@127.0.0.1:1{end}"
    return mark


@pytest.fixture
def talkative_shop(tmp_path: Path) -> Project:
    made = make_project(tmp_path / "app", SETTINGS)
    lay_out(made)
    return made


def run(project: Project, command: str, config: Mapping[str, str]) -> Run:
    """Run a command at its most talkative, with a secret in every variable that can hold one."""
    secrets = {name: secret(name) for name in NAMES}
    variables = secrets | BESIDE | dict(config) | {name: secret(name) for name in states.KEYS}
    result = project.manage(*shlex.split(command), "-v", "3", "--traceback", env=variables)
    log = result.stdout + result.stderr
    assert MARK.lower() not in log.lower(), log
    return result


@pytest.mark.parametrize("command", OFFLINE)
def test_without_a_server(command: str, talkative_shop: Project) -> None:
    result = run(talkative_shop, command, {"AWS_STORAGE_BUCKET_NAME": "my-bucket"})
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("command", AT_S3)
@pytest.mark.parametrize("state", STATES)
def test_at_s3(state: str, command: str, talkative_shop: Project, servers: Servers) -> None:
    with STATES[state](servers, f"test-{uuid.uuid4().hex}") as config:
        if command == "compress":  # bundles need the manifest
            run(talkative_shop, "collectstatic --noinput", config)
        result = run(talkative_shop, command, config)
        assert (result.returncode == 0) == (state == "takes all"), result.stderr


@pytest.mark.parametrize("command", ["herokuify doctor", "herokuify doctor --json"])
@pytest.mark.parametrize("state", STATES)
def test_the_doctor(state: str, command: str, talkative_shop: Project, servers: Servers) -> None:
    with STATES[state](servers, f"test-{uuid.uuid4().hex}") as config:
        result = run(talkative_shop, command, config)
        assert result.returncode == 1  # there is no database


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("_URL")])
def test_malformed(name: str, talkative_shop: Project) -> None:
    for value in ("{}", "postgres//someone:{}@h/x", "rediss://:{}@h:port", "https://{}@[h/"):
        config = {"AWS_STORAGE_BUCKET_NAME": "my-bucket", name: value.format(secret("SECRET_KEY"))}
        run(talkative_shop, "check", config)


#: An address with a password, as people write it where no variable is checked.
ADDRESS = 'AWS_S3_ENDPOINT_URL.replace("//", "//someone:sEcrEt7@")'
WAYS = {
    "setting": f"AWS_S3_ENDPOINT_URL = {ADDRESS}",
    "option": f"""
for storage in STORAGES.values():
    storage["OPTIONS"] = {{**storage.get("OPTIONS", {{}}), "endpoint_url": {ADDRESS}}}
""",
    "URL": f"""
STATIC_URL = STATIC_URL.replace("//", "//someone:{MARK}@")
MEDIA_URL = MEDIA_URL.replace("//", "//someone:{MARK}@")
COMPRESS_URL = STATIC_URL
AWS_QUERYSTRING_AUTH = False
""",
}
# Beside those at S3, whose first is stopped by its checks; the others go on.
TALKATIVE = ["check", "collectstatic --noinput --skip-checks", "herokuify doctor", *OFFLINE]


@pytest.mark.parametrize("way", WAYS)
def test_in_an_address(way: str, tmp_path: Path, servers: Servers) -> None:
    """S3 has no use for it, and so it is neither printed nor sent."""
    project = make_project(tmp_path / "app", SETTINGS + WAYS[way])
    lay_out(project)
    with states.moto(servers, f"test-{uuid.uuid4().hex}") as config:
        results = {command: run(project, command, config) for command in [*TALKATIVE, *AT_S3]}
    message = "contains a user and a password"
    assert message in results["check"].stderr
    assert message in results["collectstatic --noinput"].stderr
    # Without the checks the address is used without the password; STATIC_URL is refused there.
    status = results["collectstatic --noinput --skip-checks"].returncode
    assert status == (1 if way == "URL" else 0)


def test_in_an_address_of_the_environment(talkative_shop: Project) -> None:
    for name in ("AWS_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        config = {
            "AWS_STORAGE_BUCKET_NAME": "my-bucket",
            name: f"https://someone:{MARK}@s3.example.com",
        }
        assert f"{name} " in run(talkative_shop, "check", config).stderr
