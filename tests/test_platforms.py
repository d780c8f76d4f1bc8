"""docs/guides/platforms.md: settings with exactly the variables that each platform sets."""

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import herokuify
from herokuify import platforms
from tests.project import Project

pytestmark = pytest.mark.source_tree

PAGE = Path(__file__).resolve().parent.parent / "docs" / "guides" / "platforms.md"
OURS = {
    "SECRET_KEY": "".join(map(chr, range(33, 127))),
    "DATABASE_URL": "postgres://me:hunter2@db.example.com/site",
}
SETTINGS = """
import os

import herokuify
from herokuify.common import *

DATABASES = herokuify.get_db_config()
INSTALLED_APPS = ["herokuify", "django.contrib.staticfiles"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]
ROOT_URLCONF = "urls"
STATIC_URL = "/static/"
STATIC_ROOT = "static"
STATICFILES_DIRS = ["assets"] if os.path.isdir("assets") else []
USE_TZ = True
"""
TELL = """
import json, os
from django.conf import settings
from herokuify import env
platform = env.get_platform(os.environ)
print(json.dumps([
    platform and platform.name,
    env.get_stage(os.environ).value,
    settings.ALLOWED_HOSTS,
    settings.SECURE_SSL_REDIRECT and settings.SESSION_COOKIE_SECURE,
    settings.DATABASES["default"]["OPTIONS"].get("sslmode"),
]))
"""
SCALINGO = {"CONTAINER": "web-1", "CONTAINER_MEMORY": "536870912", "HOSTNAME": "site-web-1"}
#: For each row of the page: the platform's variables, its name in herokuify, and its domain.
PLATFORMS: dict[str, tuple[dict[str, str], str | None, str]] = {
    "Heroku": (
        {
            "DYNO": "web.1",
            "PORT": "5000",
            "HEROKU_APP_NAME": "site",
            "HEROKU_APP_DEFAULT_DOMAIN_NAME": "site-12ab.herokuapp.com",
        },
        "Heroku",
        "site-12ab.herokuapp.com",
    ),
    "Dokku": (
        {"DYNO": "web.1", "PORT": "5000", "ALLOWED_HOSTS": "site.example.com"},
        "Heroku",
        "site.example.com",
    ),
    "Scalingo": (
        SCALINGO
        | {"PORT": "5000", "APP": "site", "REGION_NAME": "osc-fr1", "STACK": "scalingo-22"}
        | {"SCALINGO_APPLICATION_ID": "ap-ff53d868"},
        "Scalingo",
        "site.osc-fr1.scalingo.io",
    ),
    "Render": (
        {
            "RENDER": "true",
            "IS_PULL_REQUEST": "false",
            "PORT": "10000",
            "RENDER_EXTERNAL_HOSTNAME": "site.onrender.com",
            "RENDER_EXTERNAL_URL": "https://site.onrender.com",
        },
        "Render",
        "site.onrender.com",
    ),
    "Railway": (
        {
            "RAILWAY_ENVIRONMENT_NAME": "production",
            "RAILWAY_PROJECT_NAME": "site",
            "RAILWAY_PUBLIC_DOMAIN": "site.up.railway.app",
            "PORT": "8080",
        },
        "Railway",
        "site.up.railway.app",
    ),
    "Fly.io": (
        {
            "FLY_APP_NAME": "site",
            "FLY_MACHINE_ID": "148ed21ad5d789",
            "FLY_PROCESS_GROUP": "app",
            "FLY_VM_MEMORY_MB": "256",
            "PRIMARY_REGION": "ams",
        },
        "Fly.io",
        "site.fly.dev",
    ),
    "Koyeb": (
        {"KOYEB_APP_NAME": "site", "KOYEB_PUBLIC_DOMAIN": "site-me.koyeb.app", "PORT": "8000"},
        "Koyeb",
        "site-me.koyeb.app",
    ),
    "DigitalOcean": (
        {"HEROKUIFY_STAGE": "dyno", "ALLOWED_HOSTS": "site.ondigitalocean.app", "PORT": "8080"},
        None,
        "site.ondigitalocean.app",
    ),
    "A container": (
        {"HEROKUIFY_STAGE": "dyno", "ALLOWED_HOSTS": "www.example.com", "PORT": "8000"},
        None,
        "www.example.com",
    ),
}
#: The variables of the platforms on which hints don't name Heroku's commands.
OTHERS = {name: found[0] for name, found in PLATFORMS.items() if found[1] not in {None, "Heroku"}}
COMMAND = re.compile(r"\bheroku [a-z]")


def texts() -> set[str]:
    """Return the package's texts with a Heroku command; "X" stands for inserted values."""
    found: set[str] = set()
    for module in Path(herokuify.__file__).parent.rglob("*.py"):
        if module.stem == "platforms":
            continue
        tree = ast.parse(module.read_text(encoding="utf-8"))
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
        told = {
            ast.get_docstring(node, clean=False)
            for node in ast.walk(tree)
            if isinstance(node, documented)
        }
        parts: set[int] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                values = [
                    one.value if isinstance(one, ast.Constant) else "X" for one in node.values
                ]
                found.add("".join(map(str, values)))
                parts |= {id(one) for one in node.values}
            elif isinstance(node, ast.Constant) and id(node) not in parts:
                found |= {str(node.value)} - told
    return {text for text in found if COMMAND.search(text)}


@pytest.mark.parametrize("name", OTHERS)
def test_hints_have_no_heroku_command_elsewhere(name: str) -> None:
    known = texts()
    assert len(known) > 40
    for text in known:
        hint = platforms.adapted(text, OTHERS[name])
        assert not COMMAND.search(hint), (text, hint)
        assert platforms.adapted(hint, OTHERS[name]) == hint
        # On Heroku and on unknown platforms, texts don't change.
        assert platforms.adapted(text, {}) == platforms.adapted(text, {"DYNO": "web.1"}) == text


@pytest.mark.parametrize(
    ("hint", "name", "expected"),
    [
        (
            "heroku config:set A=… B=…",
            "Render",
            "Set A=… B=… in the service's environment on Render",
        ),
        ("heroku config:set A=1 B=…, or", "Fly.io", "fly secrets set A=1 B=…, or"),
        ('heroku config:set K="$(a -b 4)", x', "Scalingo", 'scalingo env-set K="$(a -b 4)", x'),
        ("heroku config:set A=1 B=…", "Railway", 'railway variables --set "A=1" --set "B=…"'),
        ("x: heroku config:unset A", "Koyeb", "x: delete A in the service's environment on Koyeb"),
        ("heroku config:unset A", "Fly.io", "fly secrets unset A"),
        ("heroku addons:create heroku-redis:mini, x", "Fly.io", "Add a Redis service on Fly.io, x"),
        ("heroku addons:create bucketeer --as B, x", "Render", "Add a bucket on Render, x"),
        ("heroku run python manage.py migrate", "Render", "python manage.py migrate"),
        ("heroku pg:info (is it up?)", "Render", "Render's website (is it up?)"),
    ],
)
def test_hints_have_the_platforms_command(hint: str, name: str, expected: str) -> None:
    assert platforms.adapted(hint, OTHERS[name]) == expected


@pytest.mark.parametrize("variable", ["DATABASE_URL", "REDIS_URL", "MEMCACHIER_SERVERS"])
def test_hints_say_that_heroku_keeps_an_add_ons_variables(variable: str) -> None:
    move = "heroku addons:attach … --as …, and heroku addons:detach …"
    note = f" (if an add-on has set {variable}, first: {move})"
    hints = {text for text in texts() if f"config:set {variable}=" in text}
    assert hints
    for hint in hints:
        owned = platforms.adapted(hint, {variable: "set"})
        assert owned == (hint if "heroku addons:" in hint else hint + note)
        assert platforms.adapted(owned, {variable: "set"}) == owned
        assert "add-on has" not in platforms.adapted(hint, OTHERS["Render"] | {variable: "set"})
    hint = f"heroku config:set AWS_LOCATION=a {variable}=…"
    assert platforms.adapted(hint, {variable: "set"}) == hint + note
    assert platforms.adapted(hint, {"AWS_LOCATION": "set"}) == hint


@pytest.mark.parametrize("name", ["Render", "Fly.io"])
def test_errors_and_checks_have_the_platforms_hints(
    make_project: Callable[..., Project], name: str
) -> None:
    project = make_project(SETTINGS)
    error = project.manage("check", env=OTHERS[name] | {"DATABASE_URL": OURS["DATABASE_URL"]})
    assert "SECRET_KEY is not set" in error.stderr
    project.write({"settings.py": SETTINGS + "ALLOWED_HOSTS = []\n"})
    check = project.manage("check", "--tag", "herokuify", env=OTHERS[name] | OURS)
    assert "(herokuify.W010)" in check.stderr
    for shown in (error.stderr.splitlines()[-1], check.stderr):
        assert not COMMAND.search(shown)


def rows() -> dict[str, str]:
    found = re.findall(r"^\| ([^|]+) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(found[1:])


def test_each_row_is_tested() -> None:
    assert list(rows()) == list(PLATFORMS)


@pytest.mark.parametrize("name", PLATFORMS)
def test_settings_are_those_of_a_deployed_site(
    make_project: Callable[..., Project], name: str
) -> None:
    variables, platform, domain = PLATFORMS[name]
    project = make_project(SETTINGS)
    result = project.snippet(TELL, env=variables | OURS)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == [platform, "dyno", [domain], True, "require"]
    detected_by, hosts = rows()[name].split(" | ")[:2]
    # The row names the variables that the settings depend on.
    named = set(re.findall(r"`([A-Z_]+)(?:=\S+)?`", detected_by + hosts)) & set(variables)
    assert named
    for variable in named:
        less = {key: value for key, value in variables.items() if key != variable}
        other = project.snippet(TELL, env=less | OURS)
        assert other.stdout != result.stdout, variable


@pytest.mark.parametrize("name", ["Render", "Railway", "Koyeb"])
def test_build_commands_need_no_secret_key(make_project: Callable[..., Project], name: str) -> None:
    (command,) = re.findall(r"(HEROKUIFY_STAGE=\w+) python (manage.py [^`]+)`", rows()[name])
    stage, arguments = command[0].split("="), command[1].split()
    project = make_project(SETTINGS)
    variables = PLATFORMS[name][0]
    result = project.manage(*arguments[1:], env=variables | {stage[0]: stage[1]})
    assert result.returncode == 0, result.stderr
    without = project.manage(*arguments[1:], env=variables)
    assert without.returncode != 0
    assert "ImproperlyConfigured" in without.stderr
