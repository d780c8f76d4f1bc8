import pytest

from herokuify import common
from herokuify.checks import production
from tests.checks.conftest import LIVE, SECRET, STAGES, Found, ids, only


class TestDebug:
    @pytest.mark.parametrize("stage", ["build", *LIVE])
    def test_on_heroku(self, found: Found, stage: str) -> None:
        messages = found(stage, DEBUG=True, COMPRESS_ENABLED=False, tags=("staticfiles",))
        text = only(messages, "E010")
        assert "DEBUG is true on Heroku" in text
        assert "heroku config:set HEROKUIFY_FORCE_DEBUG=true" in text

    def test_forced(self, found: Found) -> None:
        assert found("dyno", env={"HEROKUIFY_FORCE_DEBUG": "true"}, DEBUG=True) == []

    def test_forced_by_what_is_no_boolean(self, found: Found) -> None:
        text = only(found("dyno", env={"HEROKUIFY_FORCE_DEBUG": "perhaps"}, DEBUG=True), "E010")
        assert "HEROKUIFY_FORCE_DEBUG is 'perhaps'" in text

    def test_on_a_laptop(self, found: Found) -> None:
        assert found(DEBUG=True) == []

    def test_in_ci(self, found: Found) -> None:
        assert found("build", env={"CI": "true"}, DEBUG=True) == []

    def test_the_variable_is_that_of_the_fragment(self) -> None:
        assert production.FORCE_DEBUG == common.FORCE_DEBUG


class TestHosts:
    @pytest.mark.parametrize("stage", STAGES)
    @pytest.mark.parametrize(
        ("hosts", "part"),
        [([], "is empty"), (["*"], 'has "*"'), (["a.example", "*"], 'has "*"')],
    )
    def test_nobody_and_anybody(
        self, found: Found, stage: str, hosts: list[str], part: str
    ) -> None:
        messages = found(stage, ALLOWED_HOSTS=hosts)
        if stage in LIVE:
            text = only(messages, "W010")
            assert f"ALLOWED_HOSTS {part}" in text
            assert "heroku config:set ALLOWED_HOSTS=www.example.com" in text
        else:
            assert messages == []


class TestSecretKey:
    @pytest.mark.parametrize("stage", STAGES)
    @pytest.mark.parametrize(
        ("key", "part"),
        [
            ("", "SECRET_KEY is empty"),
            (f"django-insecure-{SECRET}", 'SECRET_KEY begins with "django-insecure-"'),
            (f"django-insecure-{SECRET}".encode(), 'SECRET_KEY begins with "django-insecure-"'),
        ],
        ids=["none", "text", "bytes"],
    )
    def test_missing_or_in_the_code(
        self, found: Found, stage: str, key: str | bytes, part: str
    ) -> None:
        messages = found(stage, SECRET_KEY=key)
        if stage in LIVE:
            text = only(messages, "W012")
            assert part in text
            assert "heroku config:set SECRET_KEY=" in text
        else:
            assert messages == []

    @pytest.mark.parametrize("key", [SECRET, SECRET.encode()], ids=["text", "bytes"])
    def test_one_of_ones_own(self, found: Found, key: str | bytes) -> None:
        assert ids(found("dyno", SECRET_KEY=key)) == []
