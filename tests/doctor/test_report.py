"""The table and the JSON; both hide secrets."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from herokuify.doctor.findings import Finding, State, Subject
from herokuify.doctor.report import as_json, as_table, without_secrets
from herokuify.doctor.secrets import MASK, Secrets, _values
from herokuify.exceptions import ConfigurationError, S3ConfigurationError

PLAIN = dict.fromkeys(State, str)
ONE, TWO = Subject("one"), Subject("two")
FINDINGS = [
    ONE.ok("s3.list", "Fine."),
    ONE.failed("s3.put", "Denied.", "heroku config:set A=…"),
    ONE.skipped("s3.get", "not asked"),
    ONE.skipped("s3.delete", "not asked"),
    TWO.skipped("s3.get", "not asked"),
    TWO.warning("cache", "No TLS."),
]
TABLE = """\
  STATE    PROBE    WHAT
one
  ok       s3.list  Fine.
  failed   s3.put   Denied.
                    → heroku config:set A=…
  skipped  …        not asked: s3.get, s3.delete
two
  skipped  s3.get   not asked
  warning  cache    No TLS.

1 ok, 1 warning, 1 failed, 3 skipped"""


def test_table_groups_findings_by_subject() -> None:
    assert as_table(FINDINGS, 100, PLAIN) == TABLE


def test_table_colors_only_the_state() -> None:
    paint: dict[State, Any] = {state: lambda text: f"<{text}>" for state in State}
    lines = as_table(FINDINGS, 100, paint).splitlines()
    assert lines[3] == "  <failed >  s3.put   Denied."


def test_table_breaks_lines_between_words() -> None:
    hint = "heroku config:set AWS_S3_REGION_NAME=eu-west-1 " * 5
    table = as_table([ONE.failed("s3.put", "word " * 40, hint)], 60, PLAIN)
    assert max(map(len, table.splitlines())) <= 60
    assert table.count("AWS_S3_REGION_NAME=eu-west-1") == 5
    # In the narrowest terminal, too.
    assert "→ heroku config:set" in as_table(FINDINGS, 1, PLAIN)


def test_json_has_all_fields() -> None:
    assert json.loads(as_json(FINDINGS))[1] == {
        "probe": "s3.put",
        "subject": "one",
        "state": "failed",
        "message": "Denied.",
        "hint": "heroku config:set A=…",
    }


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (ValueError("No."), "No.", "else"),
        (ValueError(), "ValueError", "else"),
        (ConfigurationError("A is not set.", "heroku config:set A=…"), "A is not set.", "heroku"),
        (ConfigurationError("A is wrong."), "A is wrong.", "else"),
        (ConfigurationError("A is. In settings.py: A = 1"), "A is. In settings.py: A = 1", "else"),
        (S3ConfigurationError("Denied.", "Grant it."), "Denied.", "Grant it."),
    ],
)
def test_finding_of_an_error_has_its_hint(error: Exception, message: str, hint: str) -> None:
    finding = ONE.refused("probe", error, "else")
    assert finding.message == message
    assert finding.hint.startswith(hint)


SECRET = "märked/secret#1"
WHOLE: dict[str, Any] = {
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "SECRET_KEY_FALLBACKS": [SECRET],
    "DATABASES": {"default": {"PASSWORD": SECRET}},
    "CACHES": {"default": {"LOCATION": f"redis://:{'m%C3%A4rked%2Fsecret%231'}@host/1"}},
    "MAILERS": {"default": {"OPTIONS": {"password": SECRET}}},
    "STORAGES": {"default": {"OPTIONS": {"secret_key": SECRET}}},
    "EMAIL_HOST_PASSWORD": SECRET,
}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize(
    "text",
    [
        f"FATAL: {SECRET} is wrong",
        "postgres://me:m%C3%A4rked%2Fsecret%231@host/db",
        f"host=a password='{SECRET}' port=1",
        f"https://host/a?X-Amz-Credential=abcd&X-Amz-Signature={SECRET}&b=1",
    ],
)
def test_secrets_of_settings_are_hidden(name: str, text: str) -> None:
    clean = Secrets(_values({name: WHOLE[name]}))
    for spelling in (SECRET, "m%C3%A4rked%2Fsecret%231"):
        assert spelling not in clean(text)
    assert MASK in clean(text)


def test_secrets_of_settings_and_environment_are_hidden(settings: Settings) -> None:
    settings.AWS_SECRET_ACCESS_KEY = "marked-one"
    settings.CACHES = {"default": {"LOCATION": "redis://:marked-two@host", "KEY_PREFIX": "site"}}
    clean = Secrets.of(
        {"DATABASE_URL": "postgres://u:marked-three@h/d", "API_KEY": "marked-four", "X": "//[o"}
    )
    text = "marked-one marked-two marked-three marked-four site"
    assert clean(text) == f"{MASK} {MASK} {MASK} {MASK} site"


def test_short_values_are_not_secrets() -> None:
    assert Secrets(["a", "", "key"])("a key") == "a key"


@given(st.text(min_size=4, max_size=12), st.text(max_size=20), st.text(max_size=20))
def test_no_text_shows_a_secret(secret: str, before: str, after: str) -> None:
    if secret in MASK or MASK in secret:
        return
    finding = Finding("p", "s", State.FAILED, before + secret + after, secret)
    [clean] = without_secrets([finding], Secrets([secret]))
    assert secret not in clean.message.replace(MASK, "\0")
    assert clean.hint == MASK
