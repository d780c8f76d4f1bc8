"""The documentation says what the code does: settings, variables, snippets and pages."""

import ast
import importlib
import re
import textwrap
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from django.conf import global_settings
from django.core.management import get_commands
from django.utils.module_loading import import_string

import herokuify
from herokuify import aws, common, env, server
from herokuify.env import Variable
from herokuify.legacy import LEGACY_SETTINGS
from herokuify.management.subcommands.env import MODULES, known_variables
from herokuify.s3.client import COLLECT
from herokuify.storage import S3MediaStorage, options
from tests.project import Project

pytestmark = pytest.mark.source_tree

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PACKAGE = Path(herokuify.__file__).parent
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
LINES = ("What", "Type", "Default", "Belongs to")
#: What a settings snippet stands on, and a snippet of a project's page begins with.
BASE = """
from pathlib import Path

BASE_DIR = Path(".").resolve()
USE_TZ = True
INSTALLED_APPS = ["django.contrib.staticfiles"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]
"""
BUCKET = {
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_STORAGE_BUCKET_NAME": "my-bucket",
}
#: A module's name in it, and not the id of a check: herokuify.E001.
DOTTED = re.compile(r"herokuify(?!\.[EW]\d)(\.\w+)+")
#: Read of the settings' module itself, which no project sets.
NO_SETTINGS = {"SETTINGS_MODULE"}


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


# Settings


def documented() -> dict[str, dict[str, str]]:
    """Return the settings of docs/settings.md: by name, what each of its lines says."""
    sections = re.split(r"^### ", text(DOCS / "settings.md"), flags=re.MULTILINE)[1:]
    found = {}
    for section in sections:
        name, _, body = section.partition("\n")
        entries = re.findall(r"^- \*\*([^*]+):\*\* (.+)$", body, re.MULTILINE)
        assert tuple(label for label, _ in entries) == LINES, f"{name}: its four lines"
        found[name] = dict(entries)
    assert list(found)
    assert len(found) == len(sections), "a setting stands there twice"
    return found


def djangos_own() -> set[str]:
    _, _, section = text(DOCS / "settings.md").partition("## Django's and compressor's own")
    return set(re.findall(r"`([A-Z0-9_]+)`", section))


def read_settings() -> set[str]:
    """Return what herokuify's code reads: settings.X, getattr(settings, …), setting(…)."""
    found: set[str] = set()
    for module in PACKAGE.rglob("*.py"):
        tree = ast.parse(text(module))
        constants = {
            node.targets[0].id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        found.update(_read_by(tree, constants))
    return {name for name in found if name.isupper()} - NO_SETTINGS


def _read_by(tree: ast.Module, constants: dict[str, Any]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "settings":
            yield node.attr
        elif isinstance(node, ast.Call):
            function = ast.unparse(node.func)
            if function == "setting":
                key = node.args[0]
            elif function in {"getattr", "hasattr"} and ast.unparse(node.args[0]) == "settings":
                key = node.args[1]
            else:
                continue
            if isinstance(key, ast.Constant):
                yield str(key.value)
            elif isinstance(key, ast.Name) and key.id in constants:
                yield str(constants[key.id])


def django_storages_settings(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the names that every storage reads for its options."""
    asked: set[str] = set()
    setting = options.setting

    def recorder(name: str, default: Any = None) -> Any:
        asked.add(name)
        return setting(name, default)

    monkeypatch.setattr(options, "setting", recorder)
    S3MediaStorage()
    return asked


def made_settings() -> set[str]:
    """Return the names that fragments make."""
    mail = ("mailgun", "postmark", "sendgrid")
    modules = ["aws", "common", "compress", *(f"mail.{name}" for name in mail)]
    stars = chain.from_iterable(
        importlib.import_module(f"herokuify.{name}").__all__ for name in modules
    )
    of_variables = chain.from_iterable(variable.settings for variable in known_variables())
    own = {*aws.PLACEMENT, aws.TOKEN, aws.AUTO_CREATE, "AWS_PUBLIC_LOCATION", "CACHES", "DATABASES"}
    return {name for name in {*stars, *of_variables, *own} if name.isupper()}


def test_settings_are_those_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    read = read_settings()
    assert {"AWS_HEADERS", "HEROKUIFY_PRUNE_DAYS", "COMPRESS_OUTPUT_DIR"} <= read
    below = django_storages_settings(monkeypatch)
    known = documented().keys() | djangos_own()
    # Those that a star brings beside its settings of mail are listed in docs/mail.md.
    services = re.compile(r"(MAILGUN|SENDGRID|POSTMARK)_(?!API_KEY$|DOMAIN$)|SENDGRID_API_KEY")
    missing = {name for name in read | below | made_settings() if not services.match(name)} - known
    assert missing == set(), "docs/settings.md does not tell these"
    elsewhere = {*LEGACY_SETTINGS, *dir(global_settings)}
    assert known - djangos_own() - read - below - made_settings() - elsewhere == set()


@pytest.mark.parametrize("variable", known_variables(), ids=lambda one: one.names[0])
def test_settings_name_their_variables(variable: Variable) -> None:
    for name in variable.settings:
        if name in documented() and name != "MAILERS":
            line = documented()[name]["Belongs to"]
            assert [one for one in variable.names if f"`{one}`" not in line] == []


def test_defaults_are_the_codes() -> None:
    told = {name: lines["Default"] for name, lines in documented().items()}
    for name, value in common.read_common({}).items():
        if isinstance(value, bool):
            assert told[name].startswith(("`True` on a dyno", f"`{value}`"))
    assert told["HEROKUIFY_UPLOAD_CONCURRENCY"] == f"`{COLLECT.connections}`"
    storage = S3MediaStorage()
    assert told["AWS_S3_SIGNATURE_VERSION"] == f'`"{storage.signature_version}"`'
    assert told["AWS_QUERYSTRING_EXPIRE"] == f"`{storage.querystring_expire}`"


def test_the_page_of_variables_has_all_modules() -> None:
    source = text(DOCS / "generated.py")
    assert [name for name in MODULES if f'"{name}"' not in source] == []


# Snippets


def snippets(page: Path, language: str) -> Iterator[str]:
    pattern = rf"^( *)```{language}\n(.*?)^\1```"
    for _, found in re.findall(pattern, text(page), re.MULTILINE | re.DOTALL):
        yield textwrap.dedent(found)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_snippets_are_python_that_names_what_is_there(page: Path) -> None:
    for snippet in snippets(page, "python"):
        tree = ast.parse(snippet)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("herokuify"):
                module = importlib.import_module(str(node.module))
                for alias in node.names:
                    assert alias.name == "*" or hasattr(module, alias.name), snippet
            elif isinstance(node, ast.Constant) and DOTTED.fullmatch(str(node.value)):
                try:
                    import_string(str(node.value))
                except ImportError:  # an app, or what include() takes
                    importlib.import_module(str(node.value))


def settings_snippets() -> Iterator[Any]:
    for page in PAGES:
        for number, snippet in enumerate(snippets(page, "python")):
            if snippet.startswith("# settings.py"):
                yield pytest.param(snippet, id=f"{name_of(page)}-{number}")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_are_there(page: Path) -> None:
    typed = set(re.findall(r"(?:python|\$) manage\.py ([a-z]\w*)", text(page)))
    others = {"compress", "db_worker", "rqworker"}  # of packages that are not installed here
    assert typed - get_commands().keys() - others == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_extras_are_quoted(page: Path) -> None:
    """zsh, the shell of macOS, takes brackets for a pattern."""
    assert re.findall(r"pip install [^\s\"'`]+\[", text(page)) == []


@pytest.mark.parametrize("snippet", [*settings_snippets()])
def test_settings_snippets_work(snippet: str, make_project: Callable[..., Project]) -> None:
    has_apps = re.search("^INSTALLED_APPS =", snippet, re.MULTILINE)
    apps = "" if has_apps else 'INSTALLED_APPS.insert(0, "herokuify")\n'
    # Where others of the project's apps stand, or none.
    project = make_project(BASE + apps + snippet.replace("..., ", ""))
    for variables in (BUCKET, {}):  # on Heroku, and locally
        result = project.manage("check", env=variables)
        assert result.returncode == 0, result.stdout + result.stderr
        assert "no issues" in result.stdout


def test_the_check_of_a_deploy_works(make_project: Callable[..., Project]) -> None:
    """What docs/guides/ci.md says to type before a deploy."""
    page = text(DOCS / "guides" / "ci.md")
    (command,) = re.findall(r"^\$ (DYNO=release.1 .+) \\\n +python (.+)$", page, re.MULTILINE)
    env = dict(word.split("=", 1) for word in command[0].split())
    settings = """
import herokuify
from herokuify.common import *
DATABASES = herokuify.get_db_config()
INSTALLED_APPS = ["herokuify"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]
"""
    result = make_project(BASE + settings, env=env).manage(*command[1].split()[1:])
    assert result.returncode == 0, result.stderr
    assert "security.W" in result.stderr


def test_another_platform_is_taken_for_a_dyno() -> None:
    """What docs/guides/platforms.md has a container set."""
    (block,) = [
        one for one in snippets(DOCS / "guides" / "platforms.md", "text") if "_STAGE=" in one
    ]
    pairs = (line.split("=", 1) for line in block.splitlines())
    environ = {name: value.replace("…", "me:secret@db.example.com/site") for name, value in pairs}
    settings = common.read_common(environ)
    assert env.get_stage(environ) is env.Stage.DYNO
    assert settings["ALLOWED_HOSTS"] == ["www.example.com"]
    assert settings["SECURE_SSL_REDIRECT"]
    assert settings["SESSION_COOKIE_SECURE"]
    database = herokuify.get_db_config(environ)["default"]
    assert database["OPTIONS"]["sslmode"] == "require"
    disabled = environ | {"DATABASE_URL": environ["DATABASE_URL"] + "?sslmode=disable"}
    assert herokuify.get_db_config(disabled)["default"]["OPTIONS"]["sslmode"] == "disable"
    assert server.read_server(environ)["forwarded_allow_ips"] == "*"


@pytest.mark.parametrize("page", ["tutorial.md", "guides/ci.md", "guides/platforms.md"])
def test_pythons_of_the_pages_are_tested_ones(page: str) -> None:
    pattern = r"^(?:FROM python:| *python-version: \")?(3\.\d+)(?:-slim|\")?$"
    classifiers = re.findall(r"Python :: (3\.\d+)", text(ROOT / "pyproject.toml"))
    found = re.findall(pattern, text(DOCS / page), re.MULTILINE)
    assert found
    assert set(found) <= set(classifiers)


# Pages


def test_every_page_is_in_a_toctree() -> None:
    trees = "\n".join(re.findall(r"```\{toctree\}\n(.*?)```", text(DOCS / "index.md"), re.DOTALL))
    pages = {page.relative_to(DOCS).with_suffix("").as_posix() for page in DOCS.rglob("*.md")}
    listed = {line for line in trees.splitlines() if line and not line.startswith(":")}
    assert pages - {"index"} == listed


def test_the_classic_pages_are_there() -> None:
    classic = {"aws", "storage", "db", "cache", "common", "mail"}
    assert classic <= {page.stem for page in DOCS.glob("*.md")}
