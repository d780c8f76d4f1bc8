import builtins
import json
import logging
from collections.abc import Iterator
from types import TracebackType
from typing import Any, NoReturn

import pytest
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy
from hypothesis import Phase, given
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


class Odd(str):
    """Text that can't be converted or formatted."""

    __slots__ = ()

    def __str__(self) -> str:
        raise ValueError

    __repr__ = __format__ = __str__  # type: ignore[assignment]


class OddMapping(dict[str, object]):
    def items(self) -> NoReturn:  # type: ignore[override]
        raise KeyError

    __iter__ = keys = values = __len__ = __repr__ = items  # type: ignore[assignment]


class OddText:
    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return 7  # type: ignore[return-value]


class Node:
    def __init__(self, child: object) -> None:
        self.child = child

    def __repr__(self) -> str:
        return f"Node({self.child!r})"


class FailingError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def _chained() -> Exception:
    error = ValueError("last")
    for number in range(3_000):
        following = ValueError(number)
        following.__cause__ = error
        error = following
    return error


def _grouped() -> Exception:
    error: Exception = ValueError("inside")
    group: Any = getattr(builtins, "ExceptionGroup", lambda _, errors: errors[0])  # Python 3.10
    for _ in range(3_000):
        error = group("around", [error])
    return error


class TestText:
    def format(self, *arguments: object, **given: object) -> str:
        return logs.TextFormatter().format(record(*arguments, **given))  # type: ignore[arg-type]

    def test_line_has_level_logger_and_message(self) -> None:
        assert self.format("Hello %s", "Ada") == "WARNING site.views [-] Hello Ada"

    @pytest.mark.usefixtures("_in_request")
    def test_line_has_the_requests_id(self) -> None:
        assert self.format("Hello") == f"WARNING site.views [{ID}] Hello"

    def test_control_characters_are_escaped(self) -> None:
        line = self.format("a\nINFO b\r\x1b[2J\u2028\x85\x00\t\udc80é")
        assert line == ("WARNING site.views [-] a\\nINFO b\\r\\x1b[2J\\u2028\\x85\\x00\t\\udc80é")

    @pytest.mark.usefixtures("_in_request")
    def test_each_line_of_a_traceback_has_the_prefix(self) -> None:
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

    def test_formatted_traceback_is_kept(self) -> None:
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

    def test_request_id_is_null_outside_a_request(self) -> None:
        assert self.format("Hello")["request_id"] is None

    def test_traceback_is_in_the_object(self) -> None:
        text = self.format("Failed", exc_info=failure())["exception"]
        assert isinstance(text, str)
        assert text.startswith("Traceback")
        assert text.endswith("ValueError: first\nsecond")

    def test_extras_that_are_not_json_are_text(self) -> None:
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

    def test_deep_nesting_does_not_raise(self, capsys: pytest.CaptureFixture[str]) -> None:
        deep: list[object] = []
        for _ in range(200_000):
            deep = [deep]
        entry = self.format("Hello %r", deep, payload=deep)
        assert (entry["payload"], entry["message"]) == ("<list>", "Hello %r")
        assert logs.TextFormatter().format(record("Hello %r", deep)).endswith(" Hello %r")
        # In a logging handler, too: it would propagate a RecursionError, and no other exception.
        logger = logging.getLogger("tests.deep")
        logger.propagate = False
        handler = logging.StreamHandler()
        handler.setFormatter(logs.JsonFormatter())
        logger.addHandler(handler)
        logger.error("Failed", extra={"payload": deep})
        assert json.loads(capsys.readouterr().err)["message"] == "Failed"
        while deep:  # otherwise Python would free it recursively
            deep = deep.pop()  # type: ignore[assignment]

    def test_extras_do_not_replace_standard_keys(self) -> None:
        assert self.format("Hello", level="x", logger="y", request_id="z") == self.format("Hello")


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


def _nested(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return (
        st.lists(values)
        | st.tuples(values)
        | st.dictionaries(st.text() | st.integers() | st.tuples(st.none()), values)
        | st.builds(Node, values)
    )


def _deep() -> object:
    deep: object = ()
    for _ in range(5_000):
        deep = {"a": [deep]}
    return deep


def _hard() -> list[object]:
    circle: list[object] = []
    circle.append({"circle": circle})
    return [
        *(circle, "\ud800", "x" * 100_000, object, Stubborn(), Stubborn, gettext_lazy("Yes")),
        *(Odd(), OddMapping(a=1), OddText("a"), format_lazy("{}", Stubborn()), _deep()),
    ]


VALUES: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.sets(st.integers())
    | st.datetimes()
    | st.decimals()
    # Drawn by number, because hypothesis calls repr() on the values of a strategy.
    | st.sampled_from(range(12)).map(lambda number: _hard()[number]),
    _nested,
    max_leaves=8,
)


# Shrinking a failing example would take minutes.
@hypothesis_settings(phases=[Phase.generate])
@given(
    message=st.sampled_from(["%s", "%d", "%(a)s", "%s %s", "%", "plain"]) | VALUES,
    arguments=st.lists(VALUES, max_size=2),
    extras=st.dictionaries(st.text() | st.integers() | st.tuples(st.none()), VALUES, max_size=3),
    failure=st.none()
    | st.sampled_from([ValueError, FailingError, _chained, _grouped]).map(lambda make: make()),
    exc_text=st.none() | VALUES,
)
def test_no_record_raises(
    message: object,
    arguments: list[object],
    extras: dict[object, object],
    failure: Exception | None,
    exc_text: object,
) -> None:
    _log(message, arguments, extras, failure, exc_text)


def test_values_that_cannot_be_converted_do_not_raise() -> None:
    _log(Odd("%s"), [], {}, None, None)
    _log("%s", [Odd()], {(None,): 1, 2: Odd()}, FailingError(), OddMapping())


def _log(
    message: object,
    arguments: list[object],
    extras: dict[object, object],
    failure: Exception | None,
    exc_text: object,
) -> None:
    made = logging.LogRecord("a", logging.ERROR, __file__, 1, message, tuple(arguments), None)
    made.exc_info = (type(failure), failure, failure.__traceback__) if failure else None
    given: dict[Any, object] = vars(made)  # with keys that are no text, as from extra={1: 2}
    for name, value in extras.items():
        given.setdefault(name, value)
    given["exc_text"] = exc_text
    entry = json.loads(logs.JsonFormatter().format(made), parse_constant=pytest.fail)
    assert entry["level"] == "ERROR"
    assert isinstance(entry["message"], str)
    logs.TextFormatter().format(made).encode("utf-8")


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
def test_request_ids_are_those_that_herokus_router_accepts(
    header: str | None, expected: str | None
) -> None:
    assert logs.checked_request_id(header) == expected


def test_variables_set_level_and_format() -> None:
    assert logs.read_level({}) == "INFO"
    assert logs.read_level({"LOG_LEVEL": "Debug"}) == "DEBUG"
    assert logs.formatter_path({}) == "herokuify.logs.TextFormatter"
    assert logs.formatter_path({"LOG_FORMAT": "JSON"}) == "herokuify.logs.JsonFormatter"
    with pytest.raises(ConfigurationError, match="LOG_LEVEL is 'loud'"):
        logs.read_level({"LOG_LEVEL": "loud"})
    with pytest.raises(ConfigurationError, match="LOG_FORMAT is 'loud'"):
        logs.read_format({"LOG_FORMAT": "loud"})
