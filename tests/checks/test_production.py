from typing import Any, ClassVar

import pytest

from herokuify import common
from herokuify.checks import production
from tests.checks.conftest import LIVE, LOCAL_STATIC, SECRET, STAGES, Found, ids, only, storages


class TestDebug:
    @pytest.mark.parametrize("stage", ["build", *LIVE])
    def test_is_an_error_on_heroku(self, found: Found, stage: str) -> None:
        messages = found(stage, DEBUG=True, COMPRESS_ENABLED=False, tags=("staticfiles",))
        text = only(messages, "E010")
        assert "DEBUG is true on Heroku" in text
        assert "heroku config:set HEROKUIFY_FORCE_DEBUG=true" in text

    def test_can_be_forced(self, found: Found) -> None:
        assert found("dyno", env={"HEROKUIFY_FORCE_DEBUG": "true"}, DEBUG=True) == []

    def test_forcing_needs_a_boolean(self, found: Found) -> None:
        text = only(found("dyno", env={"HEROKUIFY_FORCE_DEBUG": "perhaps"}, DEBUG=True), "E010")
        assert "HEROKUIFY_FORCE_DEBUG is 'perhaps'" in text

    def test_is_fine_locally(self, found: Found) -> None:
        assert found(DEBUG=True) == []

    def test_is_an_error_on_other_platforms(self, found: Found) -> None:
        assert "DEBUG is true on Render" in only(found(env={"RENDER": "true"}, DEBUG=True), "E010")

    def test_is_fine_in_ci(self, found: Found) -> None:
        assert found("build", env={"CI": "true"}, DEBUG=True) == []

    def test_variable_is_that_of_the_fragment(self) -> None:
        assert production.FORCE_DEBUG == common.FORCE_DEBUG


class TestHosts:
    @pytest.mark.parametrize("stage", STAGES)
    @pytest.mark.parametrize(
        ("hosts", "part"),
        [([], "is empty"), (["*"], 'contains "*"'), (["a.example", "*"], 'contains "*"')],
    )
    def test_none_and_all_are_reported(
        self, found: Found, stage: str, hosts: list[str], part: str
    ) -> None:
        messages = found(stage, ALLOWED_HOSTS=hosts)
        if stage in LIVE:
            text = only(messages, "W010")
            assert f"ALLOWED_HOSTS {part}" in text
            assert "heroku config:set ALLOWED_HOSTS=www.example.com" in text
            assert ('Delete "*" from ALLOWED_HOSTS in settings.py' in text) is ("*" in hosts)
        else:
            assert messages == []

    def test_anybody_by_the_variable(self, found: Found) -> None:
        messages = found("release", env={"ALLOWED_HOSTS": "*"}, ALLOWED_HOSTS=["*"])
        assert "settings.py" not in only(messages, "W010")

    REVIEW: ClassVar[dict[str, str]] = {
        "HEROKU_APP_NAME": "app-pr-7",
        "HEROKU_PARENT_APP_NAME": "app",
    }

    def test_review_app_without_its_domain_is_reported(self, found: Found) -> None:
        text = only(found("release", env=self.REVIEW, ALLOWED_HOSTS=["www.example.com"]), "W010")
        assert "the domain of this review app" in text
        assert '"ALLOWED_HOSTS": ".herokuapp.com"' in text

    @pytest.mark.parametrize("host", [".herokuapp.com", "app-pr-7-12ab.herokuapp.com"])
    def test_review_app_with_its_domain_is_fine(self, found: Found, host: str) -> None:
        assert found("dyno", env=self.REVIEW, ALLOWED_HOSTS=["www.example.com", host]) == []

    def test_hint_has_the_platforms_command(self, found: Found) -> None:
        text = only(found(env={"FLY_MACHINE_ID": "148e"}, ALLOWED_HOSTS=[]), "W010")
        assert "fly secrets set ALLOWED_HOSTS=…" in text


class TestStaticFiles:
    LOCAL: ClassVar[dict[str, Any]] = {
        "STORAGES": storages(LOCAL_STATIC),
        "STATIC_URL": "/static/",
        "COMPRESS_ENABLED": False,
    }

    @pytest.mark.parametrize("stage", STAGES)
    def test_unserved_ones_are_reported(self, found: Found, stage: str) -> None:
        messages = found(stage, tags=("files",), **self.LOCAL)
        if stage in LIVE:
            assert "the pages of the admin have no CSS" in only(messages, "W014")
        else:
            assert messages == []

    @pytest.mark.parametrize(
        "changes",
        [
            {"MIDDLEWARE": ["whitenoise.middleware.WhiteNoiseMiddleware"]},
            {"MIDDLEWARE": ["servestatic.middleware.ServeStaticMiddleware"]},
            {"STATIC_URL": "https://cdn.example.com/static/"},
            {"DEBUG": True, "COMPRESS_ENABLED": False},
        ],
        ids=str,
    )
    def test_served_ones_are_fine(self, found: Found, changes: dict[str, Any]) -> None:
        assert found("dyno", tags=("files",), **{**self.LOCAL, **changes}) == []


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
    def test_missing_and_insecure_ones_are_reported(
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
    def test_another_one_is_fine(self, found: Found, key: str | bytes) -> None:
        assert ids(found("dyno", SECRET_KEY=key)) == []
