"""The doctor's hints on mail name the variables of the attached service."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.mail.backends import smtp

from herokuify.doctor.findings import Subject
from herokuify.doctor.mail import _hints, _probe
from herokuify.doctor.services import Trouble
from herokuify.mail import providers
from tests import test_mail

ATTACHED = [test_mail.PLAIN, *test_mail.ADDONS]


def backend_of(environ: dict[str, str]) -> Any:
    """Return a stand-in for Django's backend, whose arguments differ from Django 6.1 on."""
    (found,) = (one.smtp(environ) for one in PROVIDERS if one.is_attached(environ))
    assert found is not None
    return SimpleNamespace(
        host=found.host, port=found.port, username=found.username, password=found.password
    )


PROVIDERS = (providers.PLAIN, *providers.ADDONS)


@pytest.mark.parametrize("environ", ATTACHED, ids=lambda environ: next(iter(environ)))
def test_hints_name_the_variables_of_that_service(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    hints = _hints(backend_of(environ))
    assert hints[Trouble.OTHER]
    (provider,) = (one for one in PROVIDERS if one.is_attached(environ))
    own = {name for variable in provider.variables for name in variable.names}
    # The hint on a refused login names only this service's variables.
    named = set(re.findall(r"[A-Z]+(?:_[A-Z]+)+", hints[Trouble.LOGIN]))
    assert named, hints
    assert named <= own
    secrets = [environ[name] for name in environ if "PASSWORD" in name or "KEY" in name]
    assert not [secret for secret in secrets if secret in str(hints)]


def test_hints_do_not_name_unused_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENDGRID_USERNAME", "half a login")
    for name, value in test_mail.MAILGUN.items():
        monkeypatch.setenv(name, value)
    login = {"username": "me", "password": "hunter2"}
    backend: Any = SimpleNamespace(host="smtp.example.com", port=587, **login)
    hints = _hints(backend)
    assert "settings.py" in hints[Trouble.LOGIN]
    assert not re.search("MAILGUN|SENDGRID|heroku", str(hints))


class Unencrypted(smtp.EmailBackend):
    """A connection without TLS to a server that settings.py names."""

    host, port, username, password = "smtp.example.com", 25, "me", "hunter2"
    use_tls = use_ssl = False
    timeout = None

    def __init__(self) -> None:
        """Take no arguments, because those of Django 6.1 differ."""

    def open(self) -> bool:
        return True

    def close(self) -> None:
        pass


def test_server_without_tls_is_a_warning() -> None:
    backend = Unencrypted()
    (found,) = _probe(backend, Subject("mail"), _hints(backend))
    assert found.state.value == "warning"
    assert "settings.py" in found.hint
    assert "heroku" not in found.hint
