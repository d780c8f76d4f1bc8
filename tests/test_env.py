from collections.abc import Callable
from pathlib import Path

import pytest

from herokuify import env
from herokuify.env import Stage, get_stage
from herokuify.exceptions import ConfigurationError


class TestStage:
    @pytest.mark.parametrize(
        ("environ", "stage"),
        [
            ({}, Stage.LOCAL),
            # `heroku local` sets PORT, and a copied .env may hold anything but DYNO.
            ({"PORT": "5000", "DATABASE_URL": "postgres://h/n"}, Stage.LOCAL),
            ({"SOURCE_VERSION": "abc", "STACK": "heroku-26", "DYNO": "run.1"}, Stage.BUILD),
            ({"SOURCE_VERSION": "abc"}, Stage.BUILD),
            ({"CI": "true", "DYNO": "run.1", "PORT": "1"}, Stage.CI),
            ({"CI": "true", "SOURCE_VERSION": "abc", "DYNO": "run.1"}, Stage.CI),
            ({"CI": "true"}, Stage.CI),
            ({"CI": "woodpecker"}, Stage.CI),
            ({"CI": "false"}, Stage.LOCAL),
            ({"CI": "0", "DYNO": "worker.1"}, Stage.DYNO),
            ({"DYNO": "release.4567"}, Stage.RELEASE),
            ({"DYNO": "release.4567", "PORT": "1"}, Stage.RELEASE),
            ({"DYNO": "release-12a34b56d-e78f9"}, Stage.RELEASE),  # Fir
            ({"DYNO": "release.4567", "CI": "true", "SOURCE_VERSION": "abc"}, Stage.RELEASE),
            ({"DYNO": "release-notes.1"}, Stage.DYNO),
            ({"DYNO": "release-notes-12a34b56d-e78f9"}, Stage.DYNO),
            ({"DYNO": "releaser.1"}, Stage.DYNO),
            ({"DYNO": "web.1", "PORT": "1"}, Stage.DYNO),
            ({"DYNO": "web-12a34b56d-e78f9", "PORT": "1"}, Stage.DYNO),
            ({"DYNO": "web.1", "PORT": "1", "CI": "true"}, Stage.DYNO),
            ({"DYNO": "web.1", "CI": "true"}, Stage.DYNO),
            ({"DYNO": "worker.2"}, Stage.DYNO),
            ({"DYNO": "worker.2", "CI": "true"}, Stage.DYNO),
            ({"DYNO": "worker.2", "CI": "true", "PORT": "1"}, Stage.DYNO),
            ({"DYNO": "clock-12a34b56d-e78f9", "CI": "true"}, Stage.DYNO),
            ({"RENDER": "true"}, Stage.DYNO),
            ({"RENDER": "true", "CI": "true", "SOURCE_VERSION": "abc"}, Stage.DYNO),
            ({"FLY_MACHINE_ID": "148e", "FLY_APP_NAME": "a"}, Stage.DYNO),
            ({"FLY_MACHINE_ID": "148e", "RELEASE_COMMAND": "1"}, Stage.RELEASE),
            ({"RELEASE_COMMAND": "1"}, Stage.LOCAL),
            ({"FLY_APP_NAME": "a", "APP": "a", "HOSTNAME": "here"}, Stage.LOCAL),
            ({"SOURCE_VERSION": "abc", "APP": "a"}, Stage.BUILD),  # Scalingo
            ({"HEROKUIFY_STAGE": "build", "RENDER": "true", "PORT": "1"}, Stage.BUILD),
            ({"HEROKUIFY_STAGE": "Dyno", "CI": "true"}, Stage.DYNO),
            ({"HEROKUIFY_STAGE": "ci", "DYNO": "web.1", "PORT": "1"}, Stage.CI),
            ({"HEROKUIFY_STAGE": " ", "DYNO": "release.1"}, Stage.RELEASE),
            ({"DYNO": "run.9157", "PORT": "1", "SOURCE_VERSION": "abc"}, Stage.DYNO),
            ({"DYNO": "", "CI": " ", "SOURCE_VERSION": ""}, Stage.LOCAL),
        ],
    )
    def test_is_read_from_the_environment(self, environ: dict[str, str], stage: Stage) -> None:
        assert get_stage(environ) is stage

    def test_unknown_one_is_an_error(self) -> None:
        with pytest.raises(ConfigurationError, match="HEROKUIFY_STAGE is 'prod'; .*one of build"):
            get_stage({"HEROKUIFY_STAGE": "prod"})

    def test_is_explained(self) -> None:
        assert env.explain_stage({"CI": "1"}) == (Stage.CI, "CI")
        assert env.explain_stage({"RENDER": "true"}) == (Stage.DYNO, "RENDER")
        assert env.explain_stage({}) == (Stage.LOCAL, "")


class TestPlatform:
    @pytest.mark.parametrize(
        ("environ", "name", "command"),
        [
            ({"DYNO": "web.1"}, "Heroku", "heroku config:set A=… B=…"),
            ({"FLY_MACHINE_ID": "1"}, "Fly.io", "fly secrets set A=… B=…"),
            ({"SCALINGO_APPLICATION_ID": "ap-1"}, "Scalingo", "scalingo env-set A=… B=…"),
            (
                {"RAILWAY_ENVIRONMENT_NAME": "production"},
                "Railway",
                'railway variables --set "A=…" --set "B=…"',
            ),
            ({"RENDER": "true"}, "Render", "Set A and B in the service's environment on Render."),
            ({"RENDER": "true", "DYNO": "web.1"}, "Heroku", "heroku config:set A=… B=…"),
        ],
    )
    def test_errors_name_its_command(
        self, environ: dict[str, str], name: str, command: str
    ) -> None:
        platform = env.get_platform(environ)
        assert platform is not None
        assert platform.name == name
        with pytest.raises(ConfigurationError) as caught:
            env.require(environ, "A", "B", needed_by="X")
        assert caught.value.problem == "X needs A and B, but A and B are not set."
        assert caught.value.hint == command
        with pytest.raises(ConfigurationError) as caught:
            env.read(environ | {"A": "x"}, "A", convert=env.integer)
        assert caught.value.hint == env.config_set(["A"], environ)

    def test_unknown_one_is_none(self) -> None:
        assert env.get_platform({"PORT": "8000", "SOURCE_VERSION": "abc"}) is None


class TestRead:
    def test_returns_the_first_that_is_set(self) -> None:
        environ = {"A": "", "B": "  ", "C": " c\n", "D": "d"}
        assert env.read(environ, "A", "B", "C", "D") == "c"

    def test_is_none_when_nothing_is_set(self) -> None:
        assert env.read({"A": " "}, "A", "B", convert=env.boolean) is None

    @pytest.mark.parametrize(("value", "expected"), [("false", False), ("1", True), (" ", True)])
    def test_default_replaces_a_missing_value(self, value: str, expected: bool) -> None:
        assert env.read({"A": value}, "A", convert=env.boolean, default=True) is expected
        assert env.read({}, "A", default="b") == "b"

    @pytest.mark.parametrize("convert", [float, int, lambda value: float("x" + value)])
    def test_errors_of_converters_hide_secrets(self, convert: Callable[[str], object]) -> None:
        with pytest.raises(ConfigurationError) as caught:
            env.read({"A": "hunter2\\"}, "A", convert=convert, secret=True)
        assert "hunter2" not in str(caught.value)
        assert "A is malformed; it must be a value that" in str(caught.value)

    def test_error_of_float_hides_the_value(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            env.read({"A": "me:hunter2@host"}, "A", convert=float)
        assert "hunter2" not in str(caught.value)
        assert "a value that float() accepts" in str(caught.value)

    @pytest.mark.parametrize("secret", [False, True])
    def test_error_names_variable_value_and_command(self, secret: bool) -> None:
        with pytest.raises(ConfigurationError) as caught:
            env.read({"A": "maybe"}, "A", convert=env.boolean, secret=secret)
        message = str(caught.value)
        assert message.startswith("ImproperlyConfigured: A is ")
        assert "true, yes, on, 1 or false, no, off, 0" in message
        assert "heroku config:set A=…" in message
        assert ("maybe" in message) is not secret
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__

    @pytest.mark.parametrize(
        "value",
        [
            "ftp://me:hunter2@example.com",
            "hunter2@host",
            "hunter2\na@b@c",
            "h ttps://x?key=hunter2",
        ],
    )
    def test_masks_what_may_be_a_password(self, value: str) -> None:
        with pytest.raises(ConfigurationError, match="A is ") as caught:
            env.read({"A": value}, "A", convert=env.http_url)
        assert "hunter2" not in str(caught.value)

    def test_truncates_long_values(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            env.read({"A": "x" * 500}, "A", convert=env.integer)
        assert "x" * env.LONGEST_SHOWN + "…" in str(caught.value)
        assert "x" * (env.LONGEST_SHOWN + 1) not in str(caught.value)


class TestConverters:
    @pytest.mark.parametrize(
        ("convert", "value", "expected"),
        [
            (env.boolean, "true", True),
            (env.boolean, "On", True),
            (env.boolean, "1", True),
            (env.boolean, "FALSE", False),
            (env.boolean, "off", False),
            (env.boolean, "0", False),
            (env.integer, "42", 42),
            (env.integer, "-1", -1),
            (env.port, "587", 587),
            (env.url, "postgres://u:p@host:5432/name?a=b", "postgres://u:p@host:5432/name?a=b"),
            (env.http_url, "http://[::1]:9000/", "http://[::1]:9000/"),
            (env.http_url, "https://s3.example.com", "https://s3.example.com"),
            (env.comma_list, "a, b,,c ,", ["a", "b", "c"]),
            (env.comma_list, ",", []),
            (env.one_of("auto", "path"), "Path", "path"),
        ],
    )
    def test_valid_values_are_converted(
        self, convert: Callable[[str], object], value: str, expected: object
    ) -> None:
        result = convert(value)
        assert result == expected
        assert type(result) is type(expected)

    @pytest.mark.parametrize(
        ("convert", "value"),
        [
            (env.boolean, "2"),
            (env.boolean, "truthy"),
            (env.boolean, "None"),
            (env.integer, "4.0"),
            (env.integer, "1_000"),
            (env.integer, "٣"),
            (env.integer, "9" * 19),
            (env.port, "0"),
            (env.port, "65536"),
            (env.port, "+1"),
            (env.port, "smtp"),
            (env.url, "other.test/path"),
            (env.url, "//other.test"),
            (env.url, "https:///other"),
            (env.url, "https://example.com:port"),
            (env.url, "https://example.com:0"),
            (env.url, "https://exa\nmple.com"),
            (env.url, "https://[::1"),
            (env.http_url, "s3://bucket"),
            (env.http_url, "https://me:secret@example.com"),
            (env.http_url, "https://example.com?a=b"),
            (env.http_url, "https://example.com#a"),
            (env.one_of("auto", "path"), "virtual"),
        ],
    )
    def test_invalid_values_are_errors(self, convert: Callable[[str], object], value: str) -> None:
        with pytest.raises(ValueError, match=r"\w") as caught:
            convert(value)
        assert value not in str(caught.value)


class TestRequire:
    def test_returns_all_values(self) -> None:
        assert env.require({"A": " a ", "B": "b"}, "A", "B", needed_by="X") == {"A": "a", "B": "b"}

    def test_names_all_that_is_missing_in_one_error(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            env.require({"B": "secret", "C": " "}, "A", "B", "C", needed_by="The storage")
        assert str(caught.value) == (
            "ImproperlyConfigured: "
            "The storage needs A, B and C, but A and C are not set. heroku config:set A=… C=…"
        )

    def test_all_or_none_must_be_set(self) -> None:
        assert env.require_all_or_none({"A": ""}, "A", "B", needed_by="X") is None
        both = {"A": "a", "B": "b"}
        assert env.require_all_or_none(both, "A", "B", needed_by="X") == both
        with pytest.raises(ConfigurationError, match="X needs A and B, but A is not set"):
            env.require_all_or_none({"B": "b"}, "A", "B", needed_by="X")


@pytest.mark.source_tree
def test_docs_name_every_stage_and_converter() -> None:
    page = (Path(__file__).parent.parent / "docs" / "env.md").read_text(encoding="utf-8")
    rows = "".join(row for row in page.splitlines() if row.startswith("|"))
    assert all(f"`Stage.{stage.name}`" in rows for stage in Stage)
    names = ("boolean", "integer", "port", "url", "http_url", "comma_list", "one_of")
    assert all(hasattr(env, name) and f"`{name}" in rows for name in names)
    assert all(spelling in rows for spelling in env.TRUE + env.FALSE)
