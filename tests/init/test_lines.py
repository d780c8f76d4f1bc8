"""What `init` makes of single lines of settings, and what it refuses, by line."""

import re
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.init.conftest import Init

MANAGE = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")\n'
APPS = 'INSTALLED_APPS = ["django.contrib.staticfiles"]\n'
Write = Callable[..., Path]
KEEP = "Keep it as it is: python -m herokuify init --keep"
BY_HAND = "Add herokuify's lines by hand"
S3 = "storages.backends.s3.S3Storage"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a project in one folder: ``write(settings, {"requirements.txt": …})``."""

    def write(settings: str, files: dict[str, str] | None = None) -> Path:
        folder = tmp_path / "project"
        for name, text in {
            "manage.py": MANAGE,
            "settings.py": APPS + settings,
            **(files or {}),
        }.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return folder

    return write


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        ('SECRET_KEY = os.environ["KEY"]', ['setdefault("SECRET_KEY", os.environ.get("KEY", ""))']),
        ("SECRET_KEY = f\"{os.environ['KEY']}!\"", ['globals()[name] for name in ("SECRET_KEY",)']),
        ('DEBUG = config("SITE_DEBUG", default=False, cast=bool)', ['get("SITE_DEBUG", "")']),
        ('DEBUG = "ON_HEROKU" not in os.environ', ['[name] for name in ("DEBUG",)}']),
        (
            (
                'DEBUG = os.getenv("DJANGO_DEBUG") != "no"\n'
                'SECRET_KEY = "mine" if DEBUG else os.getenv("DJANGO_SECRET_KEY")'
            ),
            ["import herokuify\n\nown = {", 'for name in ("DEBUG", "SECRET_KEY")}'],
        ),
        ('if DYNO:\n    ALLOWED_HOSTS = ["*"]', ['hosts = globals().get("ALLOWED_HOSTS", ())']),
        ("if DYNO:\n    LOGGING = {}", ["[name] for name in own if name in globals()}"]),
        ("SECURE_HSTS_PRELOAD = False\nSECURE_SSL_REDIRECT = True", ["import herokuify\nfrom"]),
        (
            'DATABASES = {"default": env.db(conn_max_age=600, conn_health_checks=True)}',
            ["    DATABASES = herokuify.get_db_config()\n"],
        ),
        ('ALLOWED_HOSTS = ["www.example.com"]', ["hosts = ALLOWED_HOSTS\n"]),
        ('AWS_STORAGE_BUCKET_NAME = "mine"', ['for name in ("AWS_STORAGE_BUCKET_NAME",):']),
        (
            'DATABASES = {"default": dj_database_url.config(env="MY_URL", conn_max_age=9)}',
            ["get_db_config(conn_max_age=9, variable='MY_URL')", 'environ.get("MY_URL"):'],
        ),
        (
            'if "URL" in os.environ:\n    DATABASES["default"] = env.db("URL", conn_max_age=5)',
            ["get_db_config(conn_max_age=5, variable='URL')"],
        ),
        (
            'DATABASES = {"default": config("URL", cast=partial(parse, conn_max_age=9))}',
            ["get_db_config(conn_max_age=9, variable='URL')"],
        ),
        (
            'DATABASES = {"default": dj_database_url.config(disable_server_side_cursors=True)}',
            ["get_db_config(DISABLE_SERVER_SIDE_CURSORS=True)"],
        ),
        (
            'DATABASES = {"default": env.db(), "other": env.db("OTHER_URL")}',
            ["DATABASES = {**DATABASES, **herokuify.get_db_config()}"],
        ),
        (
            'db = dj_database_url.config(conn_max_age=5)\nDATABASES["default"].update(db)',
            ["herokuify.get_db_config(conn_max_age=5)"],
        ),
        (
            (
                'DATABASES = {"default": env.db()}\n'
                'DATABASES["default"]["ENGINE"] = "django.contrib.gis.db.backends.postgis"'
            ),
            ["get_db_config(engine='django.contrib.gis.db.backends.postgis')"],
        ),
        (
            f'STORAGES = {{"default": {{"BACKEND": "{S3}"}}}}\nAWS_LOCATION = "uploads"',
            ['"AWS_LOCATION"', 'media={"OPTIONS": {"location": ""}}', 'get_media_url("")'],
        ),
        (
            f'STATICFILES_STORAGE = "{S3}"\nAWS_LOCATION = "static"',
            ['    AWS_LOCATION = ""', "globals().pop(name, None)"],
        ),
        (  # the last one counts
            (
                'DATABASES = {"default": {"ENGINE": "x", "CONN_MAX_AGE": 300}}\n'
                'DATABASES = {"default": env.db()}\n'
                'DATABASES["default"]["ATOMIC_REQUESTS"] = True'
            ),
            ["    DATABASES = herokuify.get_db_config(ATOMIC_REQUESTS=True)"],
        ),
        (
            'DATABASES = {"default": {"ENGINE": "x.sqlite3", "NAME": "db", "TEST": {"NAME": "t"}}}',
            ["    DATABASES = herokuify.get_db_config()\n"],
        ),
        (
            'DATABASES = {"default": {"ENGINE": os.environ["ENGINE"], "NAME": "db"}}',
            ["    DATABASES = herokuify.get_db_config()\n"],
        ),
        (
            (
                'DATABASES = {"default": env.db()}\n'
                'DATABASES["default"].setdefault("ATOMIC_REQUESTS", True)'
            ),
            ["get_db_config(ATOMIC_REQUESTS=True)"],
        ),
        (
            "django_heroku.settings(\n    config=locals(),\n)",
            ['hosts = globals().get("ALLOWED_HOSTS", ())'],
        ),
        (
            'STORAGES = {"other": {"BACKEND": "x"}}',
            ["\nSTORAGES = {**STORAGES, **herokuify.get_storages()}"],
        ),
        (
            'if DYNO:\n    CACHES = {"other": {"BACKEND": "django.core.cache.backends.dummy.x"}}',
            ['CACHES = {**globals().get("CACHES", {}), **herokuify.get_cache_config()}'],
        ),
        ('STATIC_URL = "/assets/"', ["if AWS_STORAGE_BUCKET_NAME:\n    STORAGES ="]),
        ('MEDIA_URL = "/uploads/"', ["if AWS_STORAGE_BUCKET_NAME:\n    STORAGES ="]),
        ("BASE_DIR = environ.Path(__file__) - 2", ["STATIC_ROOT = Path(__file__).resolve()"]),
        ('CELERY_BROKER_URL = REDIS_URL = os.environ["REDIS_URL"]', []),
    ],
)
def test_carries_over(write: Write, init: Init, settings: str, lines: list[str]) -> None:
    folder = write(f"{settings}\n")
    status, output = init("--write")
    assert status == 0, output
    text = (folder / "settings.py").read_text(encoding="utf-8")
    block = text.removeprefix(f"{APPS}{settings}\n")
    compile(text, "settings.py", "exec")
    for line in lines:
        assert line in block
    assert ("get_cache_config" in block) != ("REDIS_URL" in settings)


@pytest.mark.parametrize(
    ("settings", "problem", "hint"),
    [
        ("DATABASES = make()", "DATABASES is made by a function", f"{KEEP} DATABASES"),
        (
            'DATABASES = {"default": env.db()}\nDATABASES["default"]["OPTIONS"]["x"] = 1',
            "DATABASES has its OPTIONS changed here",
            f"{KEEP} DATABASES",
        ),
        (  # herokuify's default, but not what stands above
            (
                'DATABASES = {"default": env.db(conn_max_age=60)}\n'
                'DATABASES["default"]["CONN_MAX_AGE"] = 600'
            ),
            "DATABASES has another CONN_MAX_AGE than above",
            f"{KEEP} DATABASES",
        ),
        (
            'for alias, db in DATABASES.items():\n    db["CONN_MAX_AGE"] = 300',
            "DATABASES is changed in a way",
            f"{KEEP} DATABASES",
        ),
        (
            'DATABASES["default"].setdefault("OPTIONS", {})["a"] = 1',
            "DATABASES is changed in a way",
            f"{KEEP} DATABASES",
        ),
        (
            'if POOL:\n    DATABASES["default"]["CONN_MAX_AGE"] = 0',
            "DATABASES has its CONN_MAX_AGE set under a condition",
            f"{KEEP} DATABASES",
        ),
        (
            'DATABASES = {"default": {"ENGINE": "django.db.backends.mysql", "OPTIONS": {"a": 1}}}',
            "DATABASES has OPTIONS that PostgreSQL doesn't have",
            f"{KEEP} DATABASES",
        ),
        (
            "DATABASES = {MAIN: env.db(), REPLICA: env.db()}",
            "DATABASES is made in a way",
            f"{KEEP} DATABASES",
        ),
        ("DATABASES[MAIN] = env.db()", "DATABASES is made in a way", f"{KEEP} DATABASES"),
        (
            'DATABASES = {"default": dj_database_url.config(env=NAME)}',
            "DATABASES is read from a variable that can't be told",
            f"{KEEP} DATABASES",
        ),
        (
            'STORAGES = {"default": {"BACKEND": env("CLASS")}}',
            "STORAGES has a class that can't be told. ",
            f"{KEEP} STORAGES",
        ),
        (
            'STORAGES = {"default": {"BACKEND": "mysite.storages.Media"}}',
            "STORAGES has a class that is the project's, mysite.storages.Media",
            f"{KEEP} STORAGES",
        ),
        ("STORAGES = make()", "STORAGES is made in a way", f"{KEEP} STORAGES"),
        ("globals().update(load())", "What globals().update() sets", BY_HAND),
        ("exec(open('local.py').read())", "What exec() sets", BY_HAND),
        ("tools.include('base.py')", "What tools.include() sets", BY_HAND),
        ("heroku(locals())", "What heroku() sets", BY_HAND),
        ("g = globals()", "What globals() is used for", BY_HAND),
        ("this = sys.modules[__name__]", "What sys.modules[__name__] is used for", BY_HAND),
        ("settings = dynaconf.DjangoDynaconf(__name__)", "DjangoDynaconf() sets", BY_HAND),
        ("del ALLOWED_HOSTS", "ALLOWED_HOSTS is deleted", BY_HAND),
        ("class Base(Configuration):\n    DEBUG = True", "django-configurations", BY_HAND),
        ('with env.prefixed("SITE_"):\n    DEBUG = env.bool("DEBUG")', "get a prefix", BY_HAND),
    ],
)
def test_refuses(write: Write, init: Init, settings: str, problem: str, hint: str) -> None:
    folder = write(f"{settings}\n")
    before = sorted(folder.iterdir())
    status, output = init("--write")
    assert status == 1
    line = 1 + (settings + "\n").count("\n") if '"default"][' in settings else 2
    assert output.startswith(f"settings.py:{line}: ")
    assert problem in output
    assert hint in output
    assert sorted(folder.iterdir()) == before
    if hint.startswith(KEEP):
        name = hint.rsplit(maxsplit=1)[-1]
        status, output = init("--keep", name)
        assert status == 0, output
        assert f"+{name} = herokuify" not in output
        assert f"+    {name} = herokuify" not in output


@pytest.mark.parametrize("name", ["AWS_STORAGE_BUCKET_NAME", "AWS_LOCATION", "MEDIA_URL"])
def test_keeps_a_setting(write: Write, init: Init, name: str) -> None:
    write(f'{name} = "mine"\n')
    output = init("--keep", name)[1]
    assert (f'for name in ("{name}",):' in output) == name.startswith("AWS_")
    assert f"    {name} = " not in output
    assert f": {name}\n" not in output


#: How else than by ``NAME = value`` Python gives a name a value.
FORMS = (
    "({name} := {value})",
    "for {name} in ({value},): pass",
    "with contextlib.nullcontext({value}) as {name}: pass",
    "match {value}:\n    case {name}: pass",
    "other, *{name} = 1, *{value}",
    "def make():\n    global {name}\n    {name} = {value}\nmake()",
    "value = {value}; {name} = value; DEBUG = False",
    "{name}: object = {value}",
    "from values import {lower} as {name}",
    "class Names:\n    name = SESSION_COOKIE_SECURE\n{name} = {value}",
    "if True:\n    SESSION_COOKIE_SECURE = True\n    CSRF_COOKIE_SECURE = True\n{name} = {value}",
    "def shown(name):\n    return '%(name)s' % locals()\n{name} = {value}",
)


@pytest.mark.parametrize("form", FORMS)
def test_loses_no_setting(
    write: Write, init: Init, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python evaluates the settings before and after, also without the lines to delete."""
    values = {"ALLOWED_HOSTS": ["a.example.com"], "LOGGING": ["x"], "SECURE_CSP": ["y"]}
    lines = [form.format(name=one, lower=one.lower(), value=values[one]) for one in values]
    settings = "import contextlib\nSESSION_COOKIE_SECURE = True\n" + "\n".join(lines) + "\n"
    module = "".join(f"{name.lower()} = {value}\n" for name, value in values.items())
    folder = write(settings, {"values.py": module})
    monkeypatch.syspath_prepend(folder)
    status, output = init("--write")
    assert status == 0, output
    file = folder / "settings.py"
    text = file.read_text(encoding="utf-8").splitlines(keepends=True)
    for line in re.findall(r"(?m)^  line (\d+): ", output):
        text[int(line) - 1] = "\n"
    for each in (file.read_text(encoding="utf-8"), "".join(text)):
        file.write_text(each, encoding="utf-8")
        found = runpy.run_path(str(file))
        assert found["ALLOWED_HOSTS"][0] == "a.example.com"
        assert (found["LOGGING"], found["SECURE_CSP"]) == (["x"], ["y"])


def test_takes_the_imported_names_alone(write: Write, init: Init) -> None:
    base = f"{APPS}ALLOWED_HOSTS = ['a.example.com']\nCSRF_COOKIE_SECURE = False\n"
    folder = write("", {"base.py": base})
    file = folder / "settings.py"
    file.write_text("from base import CSRF_COOKIE_SECURE, INSTALLED_APPS\n")
    assert init("--write")[0] == 0
    assert "ALLOWED_HOSTS" not in file.read_text(encoding="utf-8")
    file.write_text("from base import *\n")
    assert init("--write")[0] == 0
    assert "hosts = ALLOWED_HOSTS" in file.read_text(encoding="utf-8")


def test_keeps_the_encoding(write: Write, init: Init) -> None:
    folder = write("")
    file = folder / "settings.py"
    file.write_text(f"# coding: latin-1\n{APPS}NAME = 'J\xf6rg'\n", encoding="latin-1")
    assert init("--write")[0] == 0
    assert runpy.run_path(str(file))["NAME"] == "J\xf6rg"
    (folder / "requirements.txt").write_text("Django\n", encoding="utf-16")
    status, output = init("--write")
    assert status == 1
    assert "requirements.txt is not encoded as UTF-8, or as it declares" in output


@pytest.mark.parametrize(
    ("keys", "is_kept"),
    [('"KEY_FUNCTION": "a.key"', False), ('"OPTIONS": {"MAX_ENTRIES": 5}', True)],
)
def test_caches(write: Write, init: Init, keys: str, *, is_kept: bool) -> None:
    locmem = '"BACKEND": "django.core.cache.backends.locmem.LocMemCache"'
    write(f'CACHES = {{"default": {{{locmem}, {keys}}}}}\n')
    output = init()[1]
    assert ("CACHES is kept" in output) == is_kept
    assert ("herokuify.get_cache_config()\n" in output) != is_kept
    assert ('+CACHES["default"] |= {"KEY_FUNCTION": \'a.key\'}' in output) != is_kept


def test_says_what_is_missing(write: Write, init: Init) -> None:
    folder = write("x = (\n")
    assert "settings.py:2: " in init()[1]
    (folder / "settings.py").write_text("DEBUG = True\n")
    status, output = init()
    assert status == 1
    assert output.count("settings.py:1: INSTALLED_APPS is not set") == 1
    assert "--settings mysite.settings" in output
    assert "--keep" not in output
    assert "can't keep a setting DATABASE." in init("--keep", "DATABASE")[1]
    assert init("--settings", "elsewhere")[1].startswith("Error: The settings module elsewhere")
    (folder / "manage.py").write_text("")
    assert "--settings mysite.settings" in init()[1]
    (folder / "manage.py").write_text(MANAGE.replace('"settings"', '"site.settings.local"'))
    assert "site.settings.local, the settings of local development" in init()[1]
    (folder / "manage.py").unlink()
    assert "cd to the folder of manage.py" in init()[1]


@pytest.mark.parametrize(
    ("line", "is_enough"),
    [
        ("import os", True),
        ("import sys, os", True),
        ("import os.path", True),
        ("import os as os", True),
        ("import os as system", False),
        ("import os.path as path", False),
        ("from os import environ", False),
        ("if DYNO:\n    import os", False),
        ("def read():\n    import os", False),
        ('TEXT = """\nimport os\n"""', False),
    ],
)
def test_imports_os_once(write: Write, init: Init, line: str, *, is_enough: bool) -> None:
    folder = write(f'{line}\nDATABASES = {{"default": env.db()}}\n')
    assert init("--write")[0] == 0
    block = (folder / "settings.py").read_text(encoding="utf-8").partition("# Added by")[2]
    assert 'os.environ.get("DATABASE_URL")' in block
    assert ("import os\n" in block) != is_enough


def test_names_variables_without_defaults(write: Write, init: Init) -> None:
    write(
        'env = environ.Env(A=(str, ""), B=str)\n'
        'DATABASES = {"default": env.db("DATABASE_URL")}\n'
        'DEBUG = env.bool("DEBUG", True)\n'
        "if DEBUG:\n    STRIPE = None\n"
        'OTHERS = [env("A"), env("B"), env.get("C"), env.get_credential("C")]\n'
        'OTHERS += [env.str("D"), env.str("E", default=None)]\n'
        'OTHERS += [config("F", cast=int), config("G", cast=int, default=1)]\n'
    )
    output = init()[1]
    assert "  heroku config:set B=… D=… F=…  #" in output
    assert "settings.py:5: This line reads DEBUG before the block changes it." in output


def test_says_what_is_not_utf8(write: Write, init: Init) -> None:
    folder = write("")
    for name in ("requirements.txt", "settings.py", "manage.py"):  # as PowerShell's > writes them
        (folder / name).write_text("Django\n", encoding="utf-16")
        assert (
            init()[1]
            == f"Error: {name} is not encoded as UTF-8, or as it declares. Save it as UTF-8.\n"
        )


def test_asked_settings(write: Write, init: Init) -> None:
    folder = write("", {"live.py": APPS})
    status, output = init("--settings", "live", "--write")
    assert status == 0
    assert output.startswith("Settings: live. manage.py names settings.\n")
    assert "heroku config:set DJANGO_SETTINGS_MODULE=live\n" in output
    assert '"value": "live"' in (folder / "app.json").read_text(encoding="utf-8")


def test_overwrites_no_copy(write: Write, init: Init) -> None:
    folder = write("", {"settings.py.orig": "mine", "settings.py": APPS.replace("\n", "\r\n")})
    assert init("--write")[0] == 0
    assert (folder / "settings.py.orig").read_text() == "mine"
    copy = (folder / "settings.py.orig1").read_bytes()
    text = (folder / "settings.py").read_bytes()
    assert text.startswith(copy)
    assert text.count(b"\n") == text.count(b"\r\n")


@pytest.mark.parametrize(
    ("files", "name", "added"),
    [
        ({"requirements.txt": "Django"}, "requirements.txt", "Django\nherokuify\ngunicorn\npsyc"),
        (
            {"requirements.txt": "-r base.txt\n", "base.txt": "gunicorn\npsycopg2\nRedis==5\n"},
            "requirements.txt",
            "-r base.txt\nherokuify[redis]\n",
        ),
        (
            {"requirements.txt": "-r base.txt\n", "base.txt": "-r requirements.txt\n"},
            "requirements.txt",
            "-r base.txt\nherokuify\n",
        ),
        (
            {"requirements.txt": "Django==5.2\n", "requirements.in": "Django\n"},
            "requirements.in",
            "Django\nherokuify\n",
        ),
        (
            {"pyproject.toml": '[project]\ndependencies = ["django", "gunicorn"]\n'},
            "pyproject.toml",
            'dependencies = [\n  "herokuify",',
        ),
    ],
)
def test_requirements(
    write: Write, init: Init, files: dict[str, str], name: str, added: str
) -> None:
    folder = write("", files)
    assert init("--write")[0] == 0
    assert added in (folder / name).read_text(encoding="utf-8")
    assert "Nothing to do" in init()[1]


def test_leaves_hashes(write: Write, init: Init) -> None:
    text = "Django==5.2 --hash=sha256:0\n"
    folder = write("", {"requirements.txt": text})
    assert "add, with their hashes: herokuify gunicorn psycopg" in init("--write")[1]
    assert (folder / "requirements.txt").read_text() == text


def test_reads_modules_that_import_each_other(write: Write, init: Init) -> None:
    write("from base import *\n", {"base.py": "from settings import *\nfrom base import X\n"})
    assert init()[0] == 0


def test_leaves_settings_that_use_herokuify(write: Write, init: Init) -> None:
    folder = write("from herokuify.common import *\n")
    assert init("--write")[0] == 0
    assert not list(folder.glob("settings.py.*"))


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"Pipfile": '[packages]\ndjango = "*"\n'}, "pipenv install herokuify gunicorn"),
        (
            {"pyproject.toml": '[tool.poetry.dependencies]\ngunicorn = "*"\n'},
            "poetry add herokuify 'psycopg[binary]'",
        ),
    ],
)
def test_other_package_managers(
    write: Write, init: Init, files: dict[str, str], command: str
) -> None:
    folder = write("", files)
    output = init("--write")[1]
    assert f"  {command}" in output
    assert not (folder / "requirements.txt").exists()
