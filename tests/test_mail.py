import importlib
import re
import subprocess
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from hypothesis import given
from hypothesis import strategies as st

import herokuify
from herokuify.exceptions import ConfigurationError
from herokuify.mail import config, get_email_config, mailgun, postmark, providers, sendgrid
from herokuify.mail.backend import MissingBackend
from tests import smtp_server
from tests.errors import error_of
from tests.project import Project
from tests.smtp_server import MailServer

MakeProject = Callable[..., Project]
DOCS = Path(__file__).parent.parent / "docs"
HAS_MAILERS = hasattr(mail, "mailers")
DYNO = {"DYNO": "web.1", "PORT": "5000"}
SMTP = "django.core.mail.backends.smtp.EmailBackend"
CONSOLE = "django.core.mail.backends.console.EmailBackend"
MISSING = "herokuify.mail.backend.MissingBackend"
PLAIN = {
    "EMAIL_HOST": "smtp.example.com",
    "EMAIL_HOST_USER": "plain-user",
    "EMAIL_HOST_PASSWORD": "plain-password",
}
LOGIN = ("plain-user", "plain-password")
MAILGUN = {
    "MAILGUN_API_KEY": "mailgun-key",
    "MAILGUN_DOMAIN": "mg.example.com",
    "MAILGUN_SMTP_SERVER": "smtp.eu.mailgun.org",
    "MAILGUN_SMTP_PORT": "2525",
    "MAILGUN_SMTP_LOGIN": "postmaster@mg.example.com",
    "MAILGUN_SMTP_PASSWORD": "mailgun-password",
}
SENDGRID = {"SENDGRID_API_KEY": "sendgrid-key"}
LEGACY = {"SENDGRID_USERNAME": "app@heroku.com", "SENDGRID_PASSWORD": "sendgrid-password"}
POSTMARK = {"POSTMARK_API_TOKEN": "postmark-token"}
MAILER_TO_GO = {
    "MAILERTOGO_SMTP_HOST": "smtp.mailertogo.net",
    "MAILERTOGO_SMTP_PORT": "587",
    "MAILERTOGO_SMTP_USER": "mtg-user",
    "MAILERTOGO_SMTP_PASSWORD": "mtg-password",
}
SPARKPOST = {
    "SPARKPOST_SMTP_HOST": "smtp.sparkpostmail.com",
    "SPARKPOST_SMTP_PORT": "587",
    "SPARKPOST_SMTP_USERNAME": "SMTP_Injection",
    "SPARKPOST_SMTP_PASSWORD": "sparkpost-password",
}
ADDONS = [MAILGUN, SENDGRID, LEGACY, POSTMARK, MAILER_TO_GO, SPARKPOST]
VARIABLES = [*config.VARIABLES, *mailgun.VARIABLES]
NAMES = sorted({name for variable in VARIABLES for name in variable.names})
SECRETS = {name for variable in VARIABLES if variable.secret for name in variable.names}


def mailer(found: dict[str, Any]) -> dict[str, Any]:
    """Return the default entry of MAILERS, or the older settings in the form of one."""
    assert ("MAILERS" in found) is HAS_MAILERS
    assert any(name.startswith("EMAIL_") for name in found) is not HAS_MAILERS
    if HAS_MAILERS:
        assert set(found["MAILERS"]) == {"default"}
        entry: dict[str, Any] = found["MAILERS"]["default"]
        return entry
    names = {"HOST_USER": "username", "HOST_PASSWORD": "password"}
    options = {
        names.get(name[6:], name[6:].lower()): value
        for name, value in found.items()
        if name.startswith("EMAIL_") and name != "EMAIL_BACKEND"
    }
    return {"BACKEND": found["EMAIL_BACKEND"]} | ({"OPTIONS": options} if options else {})


def smtp(host: str, user: str | None, password: str | None, **options: Any) -> dict[str, Any]:
    defaults = {"port": 587, "use_tls": True, "use_ssl": False, "timeout": 10}
    login = {"host": host, "username": user, "password": password}
    return {"BACKEND": SMTP, "OPTIONS": login | defaults | options}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (PLAIN, smtp("smtp.example.com", "plain-user", "plain-password")),
        (
            PLAIN | {"EMAIL_PORT": "465"},
            smtp(
                "smtp.example.com",
                "plain-user",
                "plain-password",
                port=465,
                use_tls=False,
                use_ssl=True,
            ),
        ),
        (
            {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": "1025", "EMAIL_USE_TLS": "false"},
            smtp("127.0.0.1", None, None, port=1025, use_tls=False),
        ),
        # How Django's own settings express implicit TLS.
        (
            PLAIN | {"EMAIL_PORT": "465", "EMAIL_USE_TLS": "False", "EMAIL_USE_SSL": "True"},
            smtp("smtp.example.com", *LOGIN, port=465, use_tls=False, use_ssl=True),
        ),
        (
            PLAIN | {"EMAIL_USE_SSL": "true"},
            smtp("smtp.example.com", *LOGIN, port=465, use_tls=False, use_ssl=True),
        ),
        (
            PLAIN | {"EMAIL_PORT": "8465", "EMAIL_USE_SSL": "true"},
            smtp("smtp.example.com", *LOGIN, port=8465, use_tls=False, use_ssl=True),
        ),
        (
            PLAIN | {"EMAIL_PORT": "465", "EMAIL_USE_TLS": "true"},
            smtp("smtp.example.com", *LOGIN, port=465, use_tls=False, use_ssl=True),
        ),
        (
            PLAIN | {"EMAIL_PORT": "465", "EMAIL_USE_SSL": "false"},
            smtp("smtp.example.com", *LOGIN, port=465),
        ),
        (
            MAILGUN,
            smtp("smtp.eu.mailgun.org", "postmaster@mg.example.com", "mailgun-password", port=2525),
        ),
        (
            {"MAILGUN_SMTP_LOGIN": "me", "MAILGUN_SMTP_PASSWORD": "secret"},
            smtp("smtp.mailgun.org", "me", "secret"),
        ),
        (SENDGRID, smtp("smtp.sendgrid.net", "apikey", "sendgrid-key")),
        (LEGACY, smtp("smtp.sendgrid.net", "app@heroku.com", "sendgrid-password")),
        (SENDGRID | LEGACY, smtp("smtp.sendgrid.net", "apikey", "sendgrid-key")),
        (POSTMARK, smtp("smtp.postmarkapp.com", "postmark-token", "postmark-token")),
        (MAILER_TO_GO, smtp("smtp.mailertogo.net", "mtg-user", "mtg-password")),
        (SPARKPOST, smtp("smtp.sparkpostmail.com", "SMTP_Injection", "sparkpost-password")),
    ],
)
@pytest.mark.parametrize("stage", [{}, DYNO, {"CI": "true"}])
def test_finds_the_attached_service(
    environ: dict[str, str], expected: dict[str, Any], stage: dict[str, str]
) -> None:
    assert mailer(get_email_config(environ | stage)) == expected


@pytest.mark.parametrize("addon", ADDONS)
def test_plain_variables_win(addon: dict[str, str]) -> None:
    assert get_email_config(PLAIN | addon) == get_email_config(PLAIN)


def test_timeout_can_be_chosen() -> None:
    assert mailer(get_email_config(PLAIN, timeout=3))["OPTIONS"]["timeout"] == 3


@pytest.mark.parametrize(
    ("stage", "backend"),
    [
        ({}, CONSOLE),
        ({"CI": "true"}, CONSOLE),
        ({"SOURCE_VERSION": "abc", "DYNO": "run.1"}, CONSOLE),
        (DYNO, MISSING),
        ({"DYNO": "release.1"}, MISSING),
        # An API key alone is for the project's own use of the API.
        ({"MAILGUN_API_KEY": "key", "MAILGUN_DOMAIN": "example.com"}, CONSOLE),
        (dict.fromkeys(NAMES, " "), CONSOLE),
    ],
)
def test_without_a_service_mail_is_printed_or_an_error(stage: dict[str, str], backend: str) -> None:
    assert mailer(get_email_config(stage)) == {"BACKEND": backend}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        (
            {"DEFAULT_FROM_EMAIL": "Site <me@example.com>"},
            {
                "DEFAULT_FROM_EMAIL": "Site <me@example.com>",
                "SERVER_EMAIL": "Site <me@example.com>",
            },
        ),
        (
            {"DEFAULT_FROM_EMAIL": "me@example.com", "SERVER_EMAIL": "ops@example.com"},
            {"DEFAULT_FROM_EMAIL": "me@example.com", "SERVER_EMAIL": "ops@example.com"},
        ),
    ],
)
def test_senders_are_read(given: dict[str, str], expected: dict[str, str]) -> None:
    found = get_email_config(given)
    assert {name: found[name] for name in found if name.endswith("_EMAIL")} == expected


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"EMAIL_HOST_USER": "me"}, "EMAIL_HOST is not set"),
        (PLAIN | {"EMAIL_HOST_PASSWORD": ""}, "EMAIL_HOST_PASSWORD is not set"),
        (PLAIN | {"EMAIL_HOST_USER": " "}, "EMAIL_HOST_USER is not set"),
        ({"EMAIL_PORT": "587"}, "EMAIL_HOST is not set"),
        ({"EMAIL_USE_TLS": "false"}, "EMAIL_HOST is not set"),
        (PLAIN | {"EMAIL_PORT": "smtp"}, "EMAIL_PORT is 'smtp'; it must be a port's number"),
        (PLAIN | {"EMAIL_PORT": "0"}, "EMAIL_PORT is '0'"),
        (PLAIN | {"EMAIL_PORT": "65536"}, "EMAIL_PORT is '65536'"),
        (PLAIN | {"EMAIL_USE_TLS": "maybe"}, "EMAIL_USE_TLS is 'maybe'"),
        (PLAIN | {"EMAIL_USE_SSL": "maybe"}, "EMAIL_USE_SSL is 'maybe'"),
        (PLAIN | {"EMAIL_USE_TLS": "1", "EMAIL_USE_SSL": "1"}, "mutually exclusive"),
        (PLAIN | {"EMAIL_HOST": "smtp://h"}, "EMAIL_HOST is 'smtp://h'; it must be a server name"),
        (PLAIN | {"EMAIL_HOST": "h:25"}, "EMAIL_HOST is 'h:25'; it must be a server name"),
        ({"MAILGUN_SMTP_SERVER": "h"}, "MAILGUN_SMTP_LOGIN and MAILGUN_SMTP_PASSWORD are not"),
        (MAILGUN | {"MAILGUN_SMTP_LOGIN": ""}, "MAILGUN_SMTP_LOGIN is not set"),
        (MAILGUN | {"MAILGUN_SMTP_PASSWORD": ""}, "MAILGUN_SMTP_PASSWORD is not set"),
        (MAILGUN | {"MAILGUN_SMTP_PORT": "587x"}, "MAILGUN_SMTP_PORT is '587x'"),
        (LEGACY | {"SENDGRID_USERNAME": ""}, "SENDGRID_USERNAME is not set"),
        (LEGACY | {"SENDGRID_PASSWORD": ""}, "heroku config:set SENDGRID_API_KEY=…"),
        (MAILER_TO_GO | {"MAILERTOGO_SMTP_HOST": ""}, "MAILERTOGO_SMTP_HOST is not set"),
        (SPARKPOST | {"SPARKPOST_SMTP_USERNAME": ""}, "SPARKPOST_SMTP_USERNAME is not set"),
        (MAILGUN | SENDGRID, "Mailgun and SendGrid are attached at the same time"),
        (
            POSTMARK | SPARKPOST | LEGACY,
            "SendGrid, Postmark and SparkPost are attached at the same time",
        ),
        ({"DEFAULT_FROM_EMAIL": "My Site"}, "DEFAULT_FROM_EMAIL is 'My Site'"),
        ({"DEFAULT_FROM_EMAIL": "me@"}, "DEFAULT_FROM_EMAIL is"),
        ({"SERVER_EMAIL": "a@b.c\nBcc: d@e.f"}, "SERVER_EMAIL is"),
    ],
)
def test_wrong_values_are_one_error(environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
        get_email_config(environ)
    assert "heroku config:set" in str(caught.value)
    text = "".join(traceback.format_exception(caught.value))
    assert not [name for name in SECRETS if environ.get(name) and environ[name] in text]


SECRET = "κλειδί"  # occurs in no message


@given(
    st.dictionaries(
        st.sampled_from([*NAMES, "DYNO", "PORT", "CI"]),
        st.text() | st.sampled_from(["587", "465", "smtp.example.com", "me@example.com", "true"]),
    ),
    st.sets(st.sampled_from(sorted(SECRETS))),
)
def test_any_environment_is_read_or_improperly_configured(
    environ: dict[str, str], secrets: set[str]
) -> None:
    environ = environ | {name: f"{SECRET}{name}" for name in secrets}
    reads: list[Callable[..., object]] = [
        get_email_config,
        mailgun.read_mailgun,
        sendgrid.read_sendgrid,
        postmark.read_postmark,
    ]
    for read in reads:
        error = error_of(read, environ)
        if error is not None:
            assert any(name in str(error) for name in NAMES)
            assert SECRET not in "".join(traceback.format_exception(error))


def test_password_stays_out_of_the_repr() -> None:
    found = providers.MAILGUN.smtp(MAILGUN)
    assert "mailgun-password" not in repr(found)


def test_is_exported_by_the_package() -> None:
    assert herokuify.get_email_config is get_email_config


MODULES = {"mailgun": mailgun, "sendgrid": sendgrid, "postmark": postmark}
OWN = {
    "mailgun": {
        "MAILGUN_API_KEY",
        "MAILGUN_DOMAIN",
        "MAILGUN_SMTP_SERVER",
        "MAILGUN_SMTP_PORT",
        "MAILGUN_SMTP_LOGIN",
        "MAILGUN_SMTP_PASSWORD",
    },
    "sendgrid": {
        "SENDGRID_API_KEY",
        "SENDGRID_USERNAME",
        "SENDGRID_PASSWORD",
        "SENDGRID_SMTP_SERVER",
        "SENDGRID_SMTP_PORT",
    },
    "postmark": {"POSTMARK_API_TOKEN", "POSTMARK_SMTP_SERVER", "POSTMARK_SMTP_PORT"},
}
CLASSIC = {
    f"EMAIL_{name}"
    for name in (
        *("BACKEND", "HOST", "PORT", "HOST_USER", "HOST_PASSWORD"),
        *("USE_TLS", "USE_SSL", "TIMEOUT"),
    )
}
FORM = {"MAILERS"} if HAS_MAILERS else CLASSIC


@pytest.fixture
def star(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, Any]]]:
    """Import all names of modules of herokuify.mail: ``star(environ, "mailgun", "sendgrid")``."""

    def imported(environ: dict[str, str], *names: str) -> dict[str, Any]:
        for name in NAMES:
            monkeypatch.delenv(name, raising=False)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        namespace: dict[str, Any] = {}
        for name in names:
            importlib.reload(MODULES[name])
            exec(f"from herokuify.mail.{name} import *", namespace)
        del namespace["__builtins__"]
        return namespace

    yield imported
    monkeypatch.undo()
    for module in MODULES.values():
        importlib.reload(module)


class TestStar:
    @pytest.mark.parametrize("name", MODULES)
    @pytest.mark.parametrize("environ", [{}, MAILGUN, SENDGRID, POSTMARK])
    def test_has_the_services_names_and_djangos_settings(
        self, star: Callable[..., dict[str, Any]], name: str, environ: dict[str, str]
    ) -> None:
        found = star(environ, name)
        is_other = bool(environ) and not any(key.startswith(name.upper()) for key in environ)
        assert set(found) == OWN[name] | (set() if is_other else FORM)

    @pytest.mark.parametrize(
        ("name", "environ"),
        [
            ("mailgun", MAILGUN),
            ("sendgrid", SENDGRID),
            ("sendgrid", LEGACY),
            ("postmark", POSTMARK),
        ],
    )
    def test_is_what_get_email_config_says(
        self, star: Callable[..., dict[str, Any]], name: str, environ: dict[str, str]
    ) -> None:
        found = star(environ, name)
        assert {key: found[key] for key in FORM} == get_email_config(environ)
        for key, value in environ.items():
            assert str(found[key]) == value

    @pytest.mark.parametrize("names", [("mailgun", "sendgrid"), ("sendgrid", "mailgun")])
    @pytest.mark.parametrize("environ", [MAILGUN, SENDGRID])
    def test_of_a_missing_service_overrides_nothing(
        self, star: Callable[..., dict[str, Any]], names: tuple[str, ...], environ: dict[str, str]
    ) -> None:
        found = star(environ, *names)
        assert {key: found[key] for key in FORM} == get_email_config(environ)

    def test_last_one_wins_when_both_are_attached(
        self, star: Callable[..., dict[str, Any]]
    ) -> None:
        found = star(MAILGUN | SENDGRID, "sendgrid", "mailgun")
        assert {key: found[key] for key in FORM} == get_email_config(MAILGUN)

    def test_has_the_sender_addresses(self, star: Callable[..., dict[str, Any]]) -> None:
        found = star({"DEFAULT_FROM_EMAIL": "me@example.com"}, "mailgun")
        assert found["DEFAULT_FROM_EMAIL"] == found["SERVER_EMAIL"] == "me@example.com"

    @pytest.mark.parametrize("name", MODULES)
    def test_names_can_be_imported_one_by_one(
        self, star: Callable[..., dict[str, Any]], name: str
    ) -> None:
        star({}, name)
        module = MODULES[name]
        assert module.EMAIL_HOST is module.EMAIL_HOST_USER is module.EMAIL_USE_TLS is None
        if name == "sendgrid":
            star(LEGACY, name)
            assert sendgrid.EMAIL_HOST == sendgrid.SENDGRID_SMTP_SERVER == "smtp.sendgrid.net"
            assert sendgrid.EMAIL_PORT == sendgrid.SENDGRID_SMTP_PORT == 587
            assert sendgrid.EMAIL_HOST_USER == "app@heroku.com"
            assert sendgrid.EMAIL_USE_TLS is True
        assert set(module.__annotations__) == OWN[name] | CLASSIC | {"MAILERS"}


class TestMissingBackend:
    def test_error_names_the_command(self) -> None:
        options: Any = {"alias": "default"} if HAS_MAILERS else {}
        backend = MissingBackend(**options)
        with pytest.raises(ConfigurationError, match="heroku addons:create mailgun"):
            backend.send_messages([mail.EmailMessage("a", "b", "c@d.e", ["f@g.h"])])
        assert backend.send_messages([]) == 0
        backend.fail_silently = True
        assert backend.send_messages([mail.EmailMessage("a", "b", "c@d.e", ["f@g.h"])]) == 0


# What users write in their settings, and nothing else about mail.
BASE = 'SECRET_KEY = "x"\nUSE_TZ = True\nDEFAULT_FROM_EMAIL = "me@example.com"\n'
SETTINGS = {
    "mailgun": f"{BASE}from herokuify.mail.mailgun import *",
    "both": f"{BASE}from herokuify.mail.mailgun import *\nfrom herokuify.mail.sendgrid import *",
    "config": f"{BASE}import herokuify\nglobals().update(herokuify.get_email_config())",
}
SEND = """
from django.core import mail
count = mail.send_mail("Grüße", "Hello", None, ["you@example.com"])
assert count == 1, count
"""


def send(
    make_project: MakeProject, settings: str, env: dict[str, str]
) -> "subprocess.CompletedProcess[str]":
    project: Project = make_project(settings)
    return project.snippet(SEND, env=env)


class TestDelivery:
    def login(self, server: MailServer, kind: str) -> dict[str, str]:
        login = (smtp_server.USER, smtp_server.PASSWORD)
        values = ("localhost", str(server.port), *login)
        names = {
            "mailgun": ("SMTP_SERVER", "SMTP_PORT", "SMTP_LOGIN", "SMTP_PASSWORD"),
            "mailertogo": ("SMTP_HOST", "SMTP_PORT", "SMTP_USER", "SMTP_PASSWORD"),
            "email": ("HOST", "PORT", "HOST_USER", "HOST_PASSWORD"),
        }
        pairs = zip(names[kind], values, strict=True)
        variables = {f"{kind.upper()}_{name}": value for name, value in pairs}
        # Python verifies the connection as in production, but trusts this certificate.
        return variables | {"SSL_CERT_FILE": str(server.certificate)}

    @pytest.mark.parametrize(
        ("settings", "kind"),
        [
            ("mailgun", "mailgun"),
            ("both", "mailgun"),
            ("config", "mailgun"),
            ("config", "mailertogo"),
            ("config", "email"),
        ],
    )
    def test_arrives_over_tls(
        self, mail_server: MailServer, make_project: MakeProject, settings: str, kind: str
    ) -> None:
        result = send(make_project, SETTINGS[settings], self.login(mail_server, kind) | DYNO)
        assert result.returncode == 0, result.stderr
        [message] = mail_server.messages()
        assert message.startswith("TLS me@example.com you@example.com\n")
        assert "From: me@example.com\n" in message
        assert message.rstrip().endswith("Hello")

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            ({"MAILGUN_SMTP_PASSWORD": "hunter2"}, "SMTPAuthenticationError"),
            ({"SSL_CERT_FILE": ""}, "certificate verify failed"),
        ],
    )
    def test_is_not_sent_with_a_wrong_password_or_certificate(
        self,
        mail_server: MailServer,
        make_project: MakeProject,
        fault: dict[str, str],
        error: str,
    ) -> None:
        env = self.login(mail_server, "mailgun") | DYNO | fault
        result = send(make_project, SETTINGS["config"], env)
        assert result.returncode != 0
        assert error in result.stderr
        assert mail_server.messages() == []

    @pytest.mark.parametrize("settings", SETTINGS)
    def test_is_printed_locally(self, make_project: MakeProject, settings: str) -> None:
        result = send(make_project, SETTINGS[settings], {})
        assert result.returncode == 0, result.stderr
        assert "From: me@example.com" in result.stdout

    @pytest.mark.parametrize("settings", SETTINGS)
    def test_is_an_error_on_a_dyno_without_service(
        self, make_project: MakeProject, settings: str
    ) -> None:
        result = send(make_project, SETTINGS[settings], DYNO)
        assert result.returncode != 0
        assert "ImproperlyConfigured: Mail can't be sent" in result.stderr


VIEW = """
import django
from django.test import RequestFactory
from django.test.client import Client
response = Client(raise_request_exception=False).get("/", HTTP_HOST="example.com", secure=True)
print(response.status_code, response.content.decode())
"""
URLS = """
from django.urls import path
def fails(request):
    raise RuntimeError("the page's own")
urlpatterns = [path("", fails)]
"""
ERROR_PAGE = """
import herokuify
from herokuify.common import *
globals().update(herokuify.get_email_config())
SECRET_KEY = "x" * 60
USE_TZ = True
ALLOWED_HOSTS = ["example.com"]
ROOT_URLCONF = "urls"
SERVER_EMAIL = "me@example.com"
import django
ADMINS = ["you@example.com"] if django.VERSION >= (6, 0) else [("You", "you@example.com")]
"""


@pytest.mark.parametrize("attached", [{}, {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": "1"}])
def test_error_page_does_not_depend_on_mail(
    make_project: MakeProject, attached: dict[str, str]
) -> None:
    project = make_project(ERROR_PAGE, {"urls.py": URLS})
    result = project.snippet(VIEW, env=DYNO | attached)
    assert result.returncode == 0, result.stderr
    assert "500" in result.stdout
    assert "Server Error (500)" in result.stdout
    if HAS_MAILERS:  # earlier versions of Django ignore the failure
        assert "Mail to ADMINS failed" in result.stdout


@pytest.mark.source_tree
class TestDocs:
    def test_list_every_variable(self) -> None:
        page = (DOCS / "mail.md").read_text(encoding="utf-8")
        rows = "".join(row for row in page.splitlines() if row.startswith("|"))
        assert set(NAMES) <= set(re.findall(r"`([A-Z0-9_]+)`", rows))

    def test_name_every_provider(self) -> None:
        page = (DOCS / "mail.md").read_text(encoding="utf-8")
        assert all(provider.title in page for provider in providers.ADDONS)
