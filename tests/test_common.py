import importlib
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herokuify import common, logs
from herokuify.common import read_common
from herokuify.conf import hosts
from herokuify.exceptions import ConfigurationError
from tests.errors import error_of
from tests.project import Project, clean_environment

MakeProject = Callable[..., Project]
DOCS = Path(__file__).parent.parent / "docs"
DYNO = {"DYNO": "web.1", "PORT": "5000"}
RELEASE = {"DYNO": "release.12"}
BUILD = {"DYNO": "run.1", "SOURCE_VERSION": "abc"}
CI = {"CI": "true"}
KEY = {"SECRET_KEY": "κλειδί" * 10}  # occurs in no message
VARIABLES = [*common.VARIABLES, *hosts.VARIABLES, *logs.VARIABLES]
NAMES = [name for variable in VARIABLES for name in variable.names]


class TestSecurity:
    def test_dyno_is_secure(self) -> None:
        found = read_common(DYNO | KEY)
        assert found["DEBUG"] is False
        assert found["SECRET_KEY"] == KEY["SECRET_KEY"]
        assert found["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")
        assert found["SECURE_SSL_REDIRECT"] is True
        assert found["SECURE_HSTS_SECONDS"] == 3600
        assert found["SECURE_HSTS_INCLUDE_SUBDOMAINS"] is False
        assert found["SECURE_HSTS_PRELOAD"] is False
        assert found["SESSION_COOKIE_SECURE"] is True
        assert found["CSRF_COOKIE_SECURE"] is True

    @pytest.mark.parametrize("environ", [{}, CI, BUILD])
    def test_elsewhere_plain_http_works(self, environ: dict[str, str]) -> None:
        found = read_common(environ)
        assert found["DEBUG"] is False
        for name in ("SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"):
            assert found[name] is False, name
        assert found["SECURE_HSTS_SECONDS"] == 0

    def test_variables_win(self) -> None:
        given = {
            "SECURE_SSL_REDIRECT": "false",
            "SECURE_HSTS_SECONDS": "31536000",
            "SECURE_HSTS_INCLUDE_SUBDOMAINS": "true",
            "SECURE_HSTS_PRELOAD": "true",
        }
        found = read_common(DYNO | KEY | given)
        assert found["SECURE_SSL_REDIRECT"] is False
        assert found["SECURE_HSTS_SECONDS"] == 31_536_000
        assert found["SECURE_HSTS_INCLUDE_SUBDOMAINS"] is True
        assert found["SECURE_HSTS_PRELOAD"] is True
        assert read_common({"SECURE_SSL_REDIRECT": "on"})["SECURE_SSL_REDIRECT"] is True

    @pytest.mark.parametrize(
        "given",
        [
            {},
            {"SECURE_HSTS_SECONDS": "31536000"},
            {"SECURE_HSTS_INCLUDE_SUBDOMAINS": "true"},
            {"SECURE_HSTS_INCLUDE_SUBDOMAINS": "true", "SECURE_HSTS_SECONDS": "31535999"},
        ],
    )
    def test_preload_requires_a_year_with_subdomains(self, given: dict[str, str]) -> None:
        with pytest.raises(ConfigurationError, match="SECURE_HSTS_PRELOAD is true, but"):
            read_common(DYNO | KEY | {"SECURE_HSTS_PRELOAD": "true"} | given)

    @pytest.mark.parametrize("environ", [DYNO, RELEASE, BUILD])
    def test_debug_is_refused_on_heroku(self, environ: dict[str, str]) -> None:
        with pytest.raises(ConfigurationError, match="heroku config:unset DEBUG"):
            read_common(environ | KEY | {"DEBUG": "true"})
        forced = environ | KEY | {"DEBUG": "true", "HEROKUIFY_FORCE_DEBUG": "true"}
        assert read_common(forced)["DEBUG"] is True

    @pytest.mark.parametrize("environ", [{}, CI])
    def test_debug_is_allowed_elsewhere(self, environ: dict[str, str]) -> None:
        assert read_common(environ | {"DEBUG": "true"})["DEBUG"] is True


class TestSecretKey:
    @pytest.mark.parametrize("environ", [DYNO, RELEASE, {"DYNO": "worker.1"}, {"DYNO": "run.9"}])
    def test_missing_one_is_an_error_when_it_is_used(self, environ: dict[str, str]) -> None:
        key = read_common(environ)["SECRET_KEY"]
        with pytest.raises(ConfigurationError, match="heroku config:set SECRET_KEY="):
            bool(key)

    def test_build_and_ci_have_a_random_one(self) -> None:
        keys = [read_common(environ)["SECRET_KEY"] for environ in (BUILD, BUILD, CI, {})]
        assert len(set(keys)) == len(keys)
        assert all(key.startswith("django-insecure-") and len(key) > 50 for key in keys)

    def test_local_debugging_has_a_constant_one(self) -> None:
        first, second = (read_common({"DEBUG": "1"})["SECRET_KEY"] for _ in range(2))
        assert first == second == "django-insecure-herokuify-local"

    @pytest.mark.parametrize("environ", [{}, DYNO, RELEASE, BUILD, CI])
    def test_given_one_is_used(self, environ: dict[str, str]) -> None:
        assert read_common(environ | KEY)["SECRET_KEY"] == KEY["SECRET_KEY"]


class TestFallbacks:
    def test_are_separated_by_commas(self) -> None:
        given = {"SECRET_KEY_FALLBACKS": " first, second,,"}
        assert read_common(DYNO | KEY | given)["SECRET_KEY_FALLBACKS"] == ["first", "second"]
        assert read_common(DYNO | KEY)["SECRET_KEY_FALLBACKS"] == []


class TestHosts:
    @pytest.mark.parametrize(
        ("given", "allowed", "trusted"),
        [
            ({}, [], []),
            (
                {"ALLOWED_HOSTS": "www.Example.com, .example.org,10.0.0.1,[::1],"},
                ["www.example.com", ".example.org", "10.0.0.1", "[::1]"],
                [],
            ),
            ({"ALLOWED_HOSTS": "*"}, ["*"], []),
            (
                {"HEROKU_APP_DEFAULT_DOMAIN_NAME": "app-12ab.herokuapp.com"},
                ["app-12ab.herokuapp.com"],
                ["https://app-12ab.herokuapp.com"],
            ),
            # The default domain is exact; the app's name is not enough.
            (
                {
                    "HEROKU_APP_DEFAULT_DOMAIN_NAME": "app-12ab.herokuapp.com",
                    "HEROKU_APP_NAME": "app",
                },
                ["app-12ab.herokuapp.com"],
                ["https://app-12ab.herokuapp.com"],
            ),
            # The domains of apps created since June 2023 have a random part, which the name lacks.
            ({"HEROKU_APP_NAME": "app-pr-7", "HEROKU_PARENT_APP_NAME": "app"}, [], []),
            # Variables of other platforms mean something else on Heroku.
            ({"FLY_APP_NAME": "app", "APP": "app", "REGION_NAME": "osc-fr1"}, [], []),
            (
                {
                    "ALLOWED_HOSTS": "www.example.com,app-12ab.herokuapp.com",
                    "HEROKU_APP_DEFAULT_DOMAIN_NAME": "app-12ab.herokuapp.com",
                    "CSRF_TRUSTED_ORIGINS": "https://*.example.com, http://x.test:8000",
                },
                ["www.example.com", "app-12ab.herokuapp.com"],
                [
                    "https://*.example.com",
                    "http://x.test:8000",
                    "https://app-12ab.herokuapp.com",
                ],
            ),
        ],
    )
    @pytest.mark.parametrize("stage", [DYNO, RELEASE, BUILD])
    def test_on_heroku_are_the_apps_own(
        self, stage: dict[str, str], given: dict[str, str], allowed: list[str], trusted: list[str]
    ) -> None:
        found = read_common(stage | KEY | given)
        assert found["ALLOWED_HOSTS"] == allowed
        assert found["CSRF_TRUSTED_ORIGINS"] == trusted

    @pytest.mark.parametrize("environ", [{}, CI])
    def test_elsewhere_include_this_machine(self, environ: dict[str, str]) -> None:
        local = [".localhost", "127.0.0.1", "[::1]"]
        assert read_common(environ)["ALLOWED_HOSTS"] == local
        given = environ | {"ALLOWED_HOSTS": "example.com"}
        assert read_common(given)["ALLOWED_HOSTS"] == ["example.com", *local]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DEBUG", "maybe", "true, yes, on, 1 or false"),
        ("HEROKUIFY_FORCE_DEBUG", "2", "true, yes, on, 1 or false"),
        ("ALLOWED_HOSTS", "https://www.example.com", "domain names such as"),
        ("ALLOWED_HOSTS", "www.example.com:8000", "domain names such as"),
        ("ALLOWED_HOSTS", "www.example.com/", "domain names such as"),
        ("ALLOWED_HOSTS", "*.example.com", "domain names such as"),
        ("ALLOWED_HOSTS", "www.example.com example.com", "domain names such as"),
        ("ALLOWED_HOSTS", "-.example.com", "domain names such as"),
        ("CSRF_TRUSTED_ORIGINS", "www.example.com", "origins, such as"),
        ("CSRF_TRUSTED_ORIGINS", "https://", "origins, such as"),
        ("CSRF_TRUSTED_ORIGINS", "https://*", "origins, such as"),
        ("CSRF_TRUSTED_ORIGINS", "https://example.com/path", "origins, such as"),
        ("CSRF_TRUSTED_ORIGINS", "https://example.com:port", "origins, such as"),
        ("HEROKU_APP_DEFAULT_DOMAIN_NAME", "*", "a domain, such as"),
        ("HEROKU_APP_DEFAULT_DOMAIN_NAME", ".herokuapp.com", "a domain, such as"),
        ("HEROKU_APP_DEFAULT_DOMAIN_NAME", "a b", "domain names such as"),
        ("RENDER_EXTERNAL_HOSTNAME", "*", "a domain, such as"),
        ("RAILWAY_PUBLIC_DOMAIN", "evil.com#", "domain names such as"),
        ("SECURE_SSL_REDIRECT", "https", "true, yes, on, 1 or false"),
        ("SECURE_HSTS_SECONDS", "1h", "a number of seconds"),
        ("SECURE_HSTS_SECONDS", "-1", "a number of seconds"),
        ("SECURE_HSTS_INCLUDE_SUBDOMAINS", "all", "true, yes, on, 1 or false"),
        ("SECURE_HSTS_PRELOAD", "soon", "true, yes, on, 1 or false"),
        ("LOG_LEVEL", "verbose", "one of debug, info"),
        ("LOG_FORMAT", "xml", "one of text, json"),
    ],
)
def test_wrong_value_is_one_error_that_names_it(name: str, value: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_common({name: value})
    message = str(caught.value)
    assert message.startswith(f"ImproperlyConfigured: {name} is {value!r}; it must be {expected}")
    assert message.endswith(f"heroku config:set {name}=…")


@pytest.mark.parametrize("name", NAMES)
def test_empty_is_unset(name: str) -> None:
    assert repr(read_common(DYNO | {name: " "})) == repr(read_common(DYNO))


@given(
    st.dictionaries(
        st.sampled_from([*NAMES, "DYNO", "PORT", "CI", "SOURCE_VERSION"]),
        st.text() | st.sampled_from(["true", "a.example.com", "https://a.example.com", "web.1"]),
    )
)
def test_any_environment_is_read_or_improperly_configured(environ: dict[str, str]) -> None:
    environ = environ | KEY
    error = error_of(read_common, environ)
    if error is None:
        assert "*" not in read_common(environ)["ALLOWED_HOSTS"] or "*" in environ["ALLOWED_HOSTS"]
    else:
        assert any(name in str(error) for name in NAMES)
        assert KEY["SECRET_KEY"] not in "".join(traceback.format_exception(error))


class TestCsp:
    def test_is_strict(self) -> None:
        policy = common.get_csp()
        assert read_common({})["SECURE_CSP"] == policy
        assert policy["script-src"] == policy["default-src"] == ["'self'"]
        assert policy["object-src"] == ["'none'"]

    def test_allows_files_from_given_origins(self) -> None:
        policy = common.get_csp(
            "https://b.s3.amazonaws.com/static/", "https://b.s3.amazonaws.com/media/", "/x/"
        )
        for kind in ("script-src", "style-src", "font-src", "media-src"):
            assert policy[kind] == ["'self'", "https://b.s3.amazonaws.com"]
        assert policy["img-src"] == ["'self'", "https://b.s3.amazonaws.com", "data:"]
        assert policy["default-src"] == policy["form-action"] == ["'self'"]
        policy["script-src"].append("https://js.example.com")
        assert "https://js.example.com" not in policy["style-src"]
        assert common.get_csp("//cdn.example.com/s/")["font-src"][1] == "https://cdn.example.com"


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Let a test reload herokuify.common; restore the module afterwards."""
    yield monkeypatch
    monkeypatch.undo()
    importlib.reload(common)


class TestModule:
    def test_exports_the_settings(self, fresh: pytest.MonkeyPatch) -> None:
        for name in NAMES:
            fresh.delenv(name, raising=False)
        fresh.setenv("SECRET_KEY", "key")
        for name, value in DYNO.items():
            fresh.setenv(name, value)
        importlib.reload(common)
        namespace: dict[str, object] = {}
        exec("from herokuify.common import *", namespace)
        del namespace["__builtins__"]
        assert namespace == read_common(DYNO | {"SECRET_KEY": "key"}) | {"get_csp": common.get_csp}

    def test_annotates_everything_that_it_exports(self) -> None:
        assert {*vars(common)["__all__"]} - {"get_csp"} == {*common.__annotations__}


SETTINGS = """
from herokuify.common import *
USE_TZ = True
INSTALLED_APPS = ["herokuify", "django.contrib.contenttypes"]
"""


# The settings in the original package's documentation.
LITERAL = """
import herokuify

from herokuify.common import *
from herokuify.aws import *
from herokuify.mail.mailgun import *
from herokuify.mail.sendgrid import *

DATABASES = herokuify.get_db_config()
CACHES = herokuify.get_cache_config()
USE_TZ = True
"""
ATTACHED = {
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_STORAGE_BUCKET_NAME": "my-bucket",
    "DATABASE_URL": "sqlite://",
    "MAILGUN_SMTP_LOGIN": "me",
    "MAILGUN_SMTP_PASSWORD": "secret",
    "REDIS_URL": "rediss://:secret@redis.example.com:6379",
    "SECRET_KEY": "key",
}


class TestProject:
    # Python warnings are errors in these processes.
    @pytest.mark.parametrize(
        ("stage", "attached"),
        [({}, {}), ({}, ATTACHED), (BUILD, {}), (DYNO, ATTACHED)],
        ids=["local", "local-attached", "build", "dyno"],
    )
    def test_original_settings_work(
        self, stage: dict[str, str], attached: dict[str, str], make_project: MakeProject
    ) -> None:
        project = make_project(LITERAL, env=stage | attached)
        result = project.snippet(
            "from django.conf import settings\n"
            "from django.core.management import call_command\n"
            "call_command('check')\n"
            "print(settings.SECURE_PROXY_SSL_HEADER, settings.SENDGRID_SMTP_PORT)\n"
        )
        assert result.returncode == 0, result.stderr
        assert result.stdout.splitlines()[-1] == "('HTTP_X_FORWARDED_PROTO', 'https') 587"

    @pytest.mark.parametrize("environ", [DYNO, RELEASE])
    def test_missing_key_stops_a_dyno(
        self, environ: dict[str, str], make_project: MakeProject
    ) -> None:
        project = make_project(SETTINGS)
        result = project.manage("check", env=environ)
        assert result.returncode != 0
        assert "ImproperlyConfigured: SECRET_KEY is not set" in result.stderr
        overridden = make_project(f"{SETTINGS}\nSECRET_KEY = 'mine'", folder="other")
        assert overridden.manage("check", env=environ).returncode == 0

    def test_key_may_be_missing_without_the_fragment(self, make_project: MakeProject) -> None:
        project = make_project("INSTALLED_APPS = ['herokuify']\nUSE_TZ = True")
        assert project.manage("check").returncode == 0

    @pytest.mark.parametrize("name", [*read_common({}), "get_csp"])
    def test_every_name_can_be_overridden(self, name: str) -> None:
        namespace: dict[str, object] = {}
        exec(f"from herokuify.common import *\n{name} = 'mine'", namespace)
        assert namespace[name] == "mine"

    def test_missing_hosts_are_a_warning(self, make_project: MakeProject) -> None:
        project = make_project(SETTINGS)
        known = {"ALLOWED_HOSTS": "example.com"}
        missing = project.manage("check", env=DYNO | {"SECRET_KEY": "x"})
        assert "herokuify.W010" in missing.stderr
        assert "heroku labs:enable runtime-dyno-metadata" in missing.stderr
        anyone = project.manage("check", env=DYNO | {"SECRET_KEY": "x", "ALLOWED_HOSTS": "*"})
        assert "herokuify.W010" in anyone.stderr
        fine = project.manage("check", env=DYNO | {"SECRET_KEY": "x"} | known)
        assert "herokuify.W010" not in fine.stderr
        assert "herokuify.W010" not in project.manage("check").stderr
        for result in (missing, anyone, fine):
            assert result.returncode == 0


def test_import_loads_no_models(tmp_path: Path) -> None:
    source = (
        "import sys, herokuify, herokuify.common, herokuify.mail.mailgun, herokuify.server\n"
        "from django.conf import settings\n"
        "heavy = ('boto3', 'botocore', 'django.apps', 'django.db', 'gunicorn')\n"
        "print([name for name in heavy if name in sys.modules], settings.configured)"
    )
    alone = subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        check=False,
        capture_output=True,
        encoding="utf-8",
        env=clean_environment(tmp_path),
    )
    assert (alone.stdout, alone.stderr) == ("[] False\n", "")


@pytest.mark.source_tree
def test_docs_list_every_variable_and_setting() -> None:
    page = (DOCS / "common.md").read_text(encoding="utf-8")
    rows = "".join(row for row in page.splitlines() if row.startswith("|"))
    assert set(NAMES) | set(read_common({})) <= set(re.findall(r"`([A-Z0-9_]+)`", rows))


@pytest.mark.parametrize("level", ["debug", "info", "error"])
def test_loggers_that_log_keys_are_never_at_debug(level: str) -> None:
    loggers = read_common(DYNO | KEY | {"LOG_LEVEL": level})["LOGGING"]["loggers"]
    assert loggers.pop("django")["level"] == level.upper()
    kept = {"botocore", "urllib3"} if level == "debug" else set()
    assert loggers == {name: {"level": "INFO"} for name in kept}
