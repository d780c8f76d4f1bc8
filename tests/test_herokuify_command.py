"""`manage.py herokuify env`, in its own process."""

import ast
import importlib
import json
import re
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import herokuify
from herokuify.management.subcommands import env
from tests import test_variables
from tests.project import Project

PACKAGE = Path(herokuify.__file__).parent
SETTINGS = """
from herokuify.common import *
from herokuify.aws import *
import herokuify

USE_TZ = True
INSTALLED_APPS = ["herokuify"]
DATABASES = herokuify.get_db_config()
OPAQUE = {"url": "redis://me:hunter2@example.com", "list": ["xhunter2x"], "n": 1}
globals().update(herokuify.get_email_config())
"""
VARIABLES = {
    "SECRET_KEY": "hunter2-key",
    "ALLOWED_HOSTS": "www.example.com",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "hunter2-id",
    "AWS_SECRET_ACCESS_KEY": "hunter2-secret",
    "AWS_STORAGE_BUCKET_NAME": "my-bucket",
    "MAILGUN_SMTP_SERVER": "smtp.example.com",
    "MAILGUN_SMTP_LOGIN": "postmaster",
    "MAILGUN_SMTP_PASSWORD": "hunter2-mail",
}


def test_table_shows_the_setting_of_each_variable(project: Project) -> None:
    result = project.manage("herokuify", "env")
    assert result.returncode == 0, result.stderr
    assert "hunter2" not in result.stdout + result.stderr
    platform, stage, _, head, *rows = result.stdout.splitlines()
    assert platform == "Platform: unknown"
    assert stage.startswith("Stage: l")
    assert head.split() == ["VARIABLE", "STATE", "PURPOSE", "SETTING"]
    line = {row.split()[0].rstrip(","): row for row in rows}
    assert line["SECRET_KEY"].endswith(f"SECRET_KEY = {env.MASK}")
    assert "ALLOWED_HOSTS = ['www.example.com', '.localhost'" in line["ALLOWED_HOSTS"]
    # The name that is used, where there are several.
    assert " set (AWS_DEFAULT_REGION) " in line["AWS_S3_REGION_NAME"]
    assert line["AWS_S3_REGION_NAME"].endswith("AWS_S3_REGION_NAME = 'eu-west-1'")
    assert " missing " in line["DEBUG"]
    assert line["DEBUG"].endswith("DEBUG = False")
    # The setting's value comes from another variable, so this line doesn't show it.
    assert line["SENDGRID_API_KEY"].split()[1] == "missing"
    assert "=" not in line["SENDGRID_API_KEY"]
    names = {name for variable in env.known_variables() for name in variable.names[:1]}
    assert set(line) == names


def test_variables_of_an_unused_fragment_are_not_validated(
    make_project: Callable[..., Project],
) -> None:
    """The settings don't import it, so the variables may be meant for another package."""
    project = make_project('SECRET_KEY = "k"\nUSE_TZ = True\nINSTALLED_APPS = ["herokuify"]\n')
    wrong = {"DYNO": "run.1", "DEBUG": "true", "WEB_CONCURRENCY": "many"}
    result = project.manage("herokuify", "env", env=wrong)
    assert result.returncode == 0, result.stderr
    assert re.search("^DEBUG +set ", result.stdout, re.MULTILINE)
    assert re.search("^WEB_CONCURRENCY +set ", result.stdout, re.MULTILINE)
    result = project.manage("herokuify", "env", env={"HEROKUIFY_STAGE": "moon"})
    assert result.stderr.startswith("CommandError: ImproperlyConfigured: HEROKUIFY_STAGE is 'moon'")


def test_json_has_the_same_data(project: Project) -> None:
    result = project.manage("herokuify", "env", "--json")
    assert result.returncode == 0, result.stderr
    assert "hunter2" not in result.stdout + result.stderr
    entries = {entry["names"][0]: entry for entry in json.loads(result.stdout)["variables"]}
    assert entries["AWS_S3_REGION_NAME"] == {
        "names": ["AWS_S3_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"],
        "set": "AWS_DEFAULT_REGION",
        "secret": False,
        "needed_by": "S3: the location of the bucket and its files",
        "setting": "AWS_S3_REGION_NAME",
        "value": "eu-west-1",
    }
    assert entries["SECRET_KEY"]["value"] == env.MASK
    assert entries["POSTMARK_API_TOKEN"]["set"] is None
    server = entries["MAILGUN_SMTP_SERVER"]
    if server["setting"] == "MAILERS":
        options = server["value"]["default"]["OPTIONS"]
        assert options["host"] == "smtp.example.com"
        assert options["password"] == env.MASK
    else:
        assert (server["setting"], server["value"]) == ("EMAIL_HOST", "smtp.example.com")


def test_names_platform_and_stage_with_their_variables(project: Project) -> None:
    env = {"RENDER": "true", "HEROKUIFY_STAGE": "build", "DATABASE_URL": "sqlite://"}
    lines = project.manage("herokuify", "env", env=env).stdout.splitlines()
    assert lines[:2] == ["Platform: Render (from RENDER)", "Stage: build (from HEROKUIFY_STAGE)"]
    found = json.loads(project.manage("herokuify", "env", "--json", env=env).stdout)
    assert found["platform"] == {"name": "Render", "detected_by": "RENDER"}
    assert found["stage"] == {"name": "build", "detected_by": "HEROKUIFY_STAGE"}


def test_runs_while_checks_fail(project: Project) -> None:
    settings = f"{SETTINGS}\nSTATICFILES_DIRS = 'wrong'\nROOT_URLCONF = 'nowhere'\n"
    project.write({"settings.py": settings})
    assert project.manage("check").returncode != 0
    assert project.manage("herokuify", "env").returncode == 0


def test_requires_a_subcommand(project: Project) -> None:
    result = project.manage("herokuify")
    assert result.returncode != 0
    assert "required: subcommand" in result.stderr
    assert "{env,doctor,bucket,headers}" in result.stderr
    assert "env" in project.manage("herokuify", "--help").stdout


def test_knows_every_list_of_variables() -> None:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        targets = [
            name
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign)
            for name in (node.targets if isinstance(node, ast.Assign) else [node.target])
        ]
        if any(isinstance(name, ast.Name) and name.id == "VARIABLES" for name in targets):
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            found.add(".".join(part for part in parts if part != "__init__"))
    known = {name for module in env.MODULES for name in names_of(module)}
    for module in found:
        assert names_of(module) <= known, f"{module} is missing in MODULES"
    assert {module.__name__ for module in test_variables.BUILDERS} == found


def names_of(module: str) -> set[str]:
    variables = importlib.import_module(module).VARIABLES
    return {name for variable in variables for name in variable.names}


SECRET = "κλειδί"  # occurs in no message


@given(
    st.recursive(
        st.just(f"{SECRET}.1")
        | st.sampled_from([f"redis://:{SECRET}.2@h/1", f"a {SECRET}.1 b", f"x://y:{SECRET}.2@z"])
        | st.none()
        | st.booleans()
        | st.integers(),
        lambda children: (
            st.lists(children)
            | st.tuples(children)
            | st.dictionaries(st.sampled_from(["host", "password"]), children)
        ),
    ),
    st.booleans(),
)
def test_no_value_shows_a_secret(value: object, is_secret: bool) -> None:
    masked = env._masked("OPAQUE", value, {f"{SECRET}.1"}, is_secret=is_secret)
    assert SECRET not in repr(masked)
    json.dumps(masked)


def test_secrets_are_masked_unless_empty() -> None:
    assert env._masked("SECRET_KEY", "random", set(), is_secret=True) == env.MASK
    assert env._masked("EMAIL_HOST_PASSWORD", "", set(), is_secret=True) == ""
