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
# Other variables of the add-ons, without which their secrets aren't used.
OTHERS = {
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
    """Return a value for a variable, with characters that a URL must quote."""
    mark = f"{MARK}/{NAMES.index(name)}+"
    if name.endswith("_URL"):
        start, end = ("rediss://:", "/0") if "REDIS" in name else ("postgres://someone:", "/app")
        return f"{start}{quote(mark, safe='')}@127.0.0.1:1{end}"
    return mark


@pytest.fixture
def shop_with_secrets(tmp_path: Path) -> Project:
    made = make_project(tmp_path / "app", SETTINGS)
    lay_out(made)
    return made


def run(project: Project, command: str, config: Mapping[str, str]) -> Run:
    """Run a command with maximum verbosity, and a secret in every variable for one."""
    secrets = {name: secret(name) for name in NAMES}
    variables = secrets | OTHERS | dict(config) | {name: secret(name) for name in states.KEYS}
    result = project.manage(*shlex.split(command), "-v", "3", "--traceback", env=variables)
    log = result.stdout + result.stderr
    assert MARK.lower() not in log.lower(), log
    return result


@pytest.mark.parametrize("command", OFFLINE)
def test_without_a_server(command: str, shop_with_secrets: Project) -> None:
    result = run(shop_with_secrets, command, {"AWS_STORAGE_BUCKET_NAME": "my-bucket"})
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("command", AT_S3)
@pytest.mark.parametrize("state", STATES)
def test_with_s3(state: str, command: str, shop_with_secrets: Project, servers: Servers) -> None:
    with STATES[state](servers, f"test-{uuid.uuid4().hex}") as config:
        if command == "compress":  # bundles need the manifest
            run(shop_with_secrets, "collectstatic --noinput", config)
        result = run(shop_with_secrets, command, config)
        assert (result.returncode == 0) == (state == "takes all"), result.stderr


@pytest.mark.parametrize("command", ["herokuify doctor", "herokuify doctor --json"])
@pytest.mark.parametrize("state", STATES)
def test_doctor(state: str, command: str, shop_with_secrets: Project, servers: Servers) -> None:
    with STATES[state](servers, f"test-{uuid.uuid4().hex}") as config:
        result = run(shop_with_secrets, command, config)
        assert result.returncode == 1  # there is no database


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("_URL")])
def test_malformed_url(name: str, shop_with_secrets: Project) -> None:
    for value in ("{}", "postgres//someone:{}@h/x", "rediss://:{}@h:port", "https://{}@[h/"):
        config = {"AWS_STORAGE_BUCKET_NAME": "my-bucket", name: value.format(secret("SECRET_KEY"))}
        run(shop_with_secrets, "check", config)


#: An endpoint with a password, written in the settings, where no variable is checked.
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
# Commands that run in addition to AT_S3, where the checks stop collectstatic.
MORE_COMMANDS = ["check", "collectstatic --noinput --skip-checks", "herokuify doctor", *OFFLINE]


@pytest.mark.parametrize("way", WAYS)
def test_password_in_a_url(way: str, tmp_path: Path, servers: Servers) -> None:
    """S3 doesn't use it, so it is neither printed nor sent."""
    project = make_project(tmp_path / "app", SETTINGS + WAYS[way])
    lay_out(project)
    with states.moto(servers, f"test-{uuid.uuid4().hex}") as config:
        results = {command: run(project, command, config) for command in [*MORE_COMMANDS, *AT_S3]}
    message = "contains a user and a password"
    assert message in results["check"].stderr
    assert message in results["collectstatic --noinput"].stderr
    # Without the checks, the endpoint is used without the password; STATIC_URL is still refused.
    status = results["collectstatic --noinput --skip-checks"].returncode
    assert status == (1 if way == "URL" else 0)


def test_password_in_an_endpoint_variable(shop_with_secrets: Project) -> None:
    for name in ("AWS_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        config = {
            "AWS_STORAGE_BUCKET_NAME": "my-bucket",
            name: f"https://someone:{MARK}@s3.example.com",
        }
        assert f"{name} " in run(shop_with_secrets, "check", config).stderr
