import json
import logging
from collections.abc import Iterator
from types import TracebackType

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from herokuify import logs
from herokuify.exceptions import ConfigurationError

ID = "0123456789abcdef0123456789abcdef"
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


@pytest.fixture
def _in_request() -> Iterator[None]:
    token = logs.request_id.set(ID)
    yield
    logs.request_id.reset(token)


def record(message: str, *arguments: object, **given: object) -> logging.LogRecord:
    made = logging.LogRecord("site.views", logging.WARNING, __file__, 1, message, arguments, None)
    vars(made).update(given)
    return made


def failure() -> ExcInfo:
    try:
        raise ValueError("first\nsecond")
    except ValueError as error:
        return type(error), error, error.__traceback__


class Stubborn:
    def __repr__(self) -> str:
        raise RuntimeError


class TestText:
    def format(self, *arguments: object, **given: object) -> str:
        return logs.TextFormatter().format(record(*arguments, **given))  # type: ignore[arg-type]

    def test_line_says_level_logger_and_message(self) -> None:
        assert self.format("Hello %s", "Ada") == "WARNING site.views [-] Hello Ada"

    @pytest.mark.usefixtures("_in_request")
    def test_line_has_the_requests_id(self) -> None:
        assert self.format("Hello") == f"WARNING site.views [{ID}] Hello"

    def test_nobody_forges_a_line(self) -> None:
        line = self.format("a\nINFO b\r\x1b[2J\u2028\x85\x00\t\udc80é")
        assert line == ("WARNING site.views [-] a\\nINFO b\\r\\x1b[2J\\u2028\\x85\\x00\t\\udc80é")

    @pytest.mark.usefixtures("_in_request")
    def test_each_line_of_a_traceback_begins_alike(self) -> None:
        lines = self.format("Failed", exc_info=failure(), stack_info="Stack:\n  here").split("\n")
        head = f"WARNING site.views [{ID}] "
        assert all(line.startswith(head) for line in lines)
        assert lines[:2] == [f"{head}Failed", f"{head}Traceback (most recent call last):"]
        assert lines[-4:] == [
            f"{head}ValueError: first",
            f"{head}second",
            f"{head}Stack:",
            f"{head}  here",
        ]

    def test_text_of_another_process_is_kept(self) -> None:
        lines = self.format("Failed", exc_text="Traceback\nelsewhere").split("\n")
        assert [line.rsplit(" ", 1)[1] for line in lines] == ["Failed", "Traceback", "elsewhere"]


class TestJson:
    def format(self, *arguments: object, **given: object) -> dict[str, object]:
        text = logs.JsonFormatter().format(record(*arguments, **given))  # type: ignore[arg-type]
        assert "\n" not in text
        assert text.isascii()
        entry: dict[str, object] = json.loads(text, parse_constant=pytest.fail)
        return entry

    @pytest.mark.usefixtures("_in_request")
    def test_line_is_an_object(self) -> None:
        assert self.format("Hello %s\n\u2028é", "Ada", status_code=404) == {
            "level": "WARNING",
            "logger": "site.views",
            "message": "Hello Ada\n\u2028é",
            "request_id": ID,
            "status_code": 404,
        }

    def test_there_may_be_no_request(self) -> None:
        assert self.format("Hello")["request_id"] is None

    def test_traceback_is_in_the_object(self) -> None:
        text = self.format("Failed", exc_info=failure())["exception"]
        assert isinstance(text, str)
        assert text.startswith("Traceback")
        assert text.endswith("ValueError: first\nsecond")

    def test_extras_never_break_the_line(self) -> None:
        circle: dict[str, object] = {}
        circle["circle"] = circle
        entry = self.format(
            "Hello",
            request=object,
            odd=Stubborn(),
            keys={(1, 2): 3},
            nan=float("nan"),
            circle=circle,
            message_id=7,
        )
        assert entry["request"] == "<class 'object'>"
        assert entry["odd"] == "<Stubborn>"
        assert entry["keys"] == "{(1, 2): 3}"
        assert entry["nan"] == "nan"
        assert entry["circle"] == "{'circle': {...}}"
        assert entry["message"] == "Hello"

    def test_what_is_nested_too_deeply_never_raises(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        deep: list[object] = []
        for _ in range(200_000):
            deep = [deep]
        entry = self.format("Hello %r", deep, payload=deep)
        assert (entry["payload"], entry["message"]) == ("<list>", "Hello %r")
        assert logs.TextFormatter().format(record("Hello %r", deep)).endswith(" Hello %r")
        # As an application meets it: logging passes this error alone on.
        logger = logging.getLogger("tests.deep")
        logger.propagate = False
        handler = logging.StreamHandler()
        handler.setFormatter(logs.JsonFormatter())
        logger.addHandler(handler)
        logger.error("Failed", extra={"payload": deep})
        assert json.loads(capsys.readouterr().err)["message"] == "Failed"
        while deep:  # else Python would free it recursively
            deep = deep.pop()  # type: ignore[assignment]

    def test_extras_dont_replace_what_the_line_has(self) -> None:
        assert self.format("Hello", level="x", logger="y", request_id="z") == self.format("Hello")


@hypothesis_settings(deadline=None, database=None)
@given(st.text(), st.dictionaries(st.text(), st.floats() | st.text() | st.none()))
def test_a_record_is_one_line(message: str, extras: dict[str, object]) -> None:
    made = record("%s", message)
    for name, value in extras.items():
        if name not in vars(made):
            vars(made)[name] = value
    for formatter in (logs.TextFormatter(), logs.JsonFormatter()):
        line = formatter.format(made)
        assert len(line.splitlines()) == 1
        line.encode("utf-8")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (ID, ID),
        ("a" * 20, "a" * 20),
        ("a+/=-" * 40, "a+/=-" * 40),
        ("a" * 19, None),
        ("a" * 201, None),
        ("a" * 20 + "\n", None),
        ("a" * 20 + " b", None),
        ("é" * 30, None),
        ("", None),
        (None, None),
    ],
)
def test_ids_are_those_that_the_router_lets_through(
    header: str | None, expected: str | None
) -> None:
    assert logs.checked_request_id(header) == expected


def test_variables_choose_level_and_form() -> None:
    assert logs.read_level({}) == "INFO"
    assert logs.read_level({"LOG_LEVEL": "Debug"}) == "DEBUG"
    assert logs.formatter_path({}) == "herokuify.logs.TextFormatter"
    assert logs.formatter_path({"LOG_FORMAT": "JSON"}) == "herokuify.logs.JsonFormatter"
    with pytest.raises(ConfigurationError, match="LOG_LEVEL is 'loud'"):
        logs.read_level({"LOG_LEVEL": "loud"})
    with pytest.raises(ConfigurationError, match="LOG_FORMAT is 'loud'"):
        logs.read_format({"LOG_FORMAT": "loud"})
