"""Log formatters for Heroku: one line per record, without a timestamp, with the request's id.

Heroku adds the time and the dyno's name to each line ("Logging"), and gives each request an id,
which is also in the router's log ("HTTP Request IDs").
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from herokuify import env

LEVELS = ("debug", "info", "warning", "error", "critical")
FORMATS = ("text", "json")
VARIABLES = (
    env.Variable(
        ("LOG_LEVEL",),
        f"logging: the lowest level that is written: {', '.join(LEVELS)}",
        settings=("LOGGING",),
    ),
    env.Variable(("LOG_FORMAT",), f"logging: {' or '.join(FORMATS)} lines", settings=("LOGGING",)),
)

#: The id of the current request; None outside of requests.
request_id: ContextVar[str | None] = ContextVar("herokuify_request_id", default=None)

#: The ids that Heroku's router accepts from clients, and that it generates (Heroku Dev Center,
#: "HTTP Request IDs").
_VALID_ID = re.compile(r"[A-Za-z0-9+/=-]{20,200}")
#: Characters that a terminal or a log drain could interpret as a new line or a command.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
#: The attributes of every record; others are from ``extra``.
_STANDARD = {*vars(logging.makeLogRecord({})), "asctime", "message", "taskName"}


def read_level(environ: Mapping[str, str]) -> str:
    """Return LOG_LEVEL in upper case, by default INFO."""
    return env.read(environ, "LOG_LEVEL", convert=env.one_of(*LEVELS), default="info").upper()


def read_format(environ: Mapping[str, str]) -> str:
    """Return LOG_FORMAT, ``"text"`` or ``"json"``, by default text."""
    return env.read(environ, "LOG_FORMAT", convert=env.one_of(*FORMATS), default="text")


def formatter_path(environ: Mapping[str, str]) -> str:
    """Return the dotted path of the formatter for LOG_FORMAT."""
    formatter = JsonFormatter if read_format(environ) == "json" else TextFormatter
    return f"{__name__}.{formatter.__name__}"


def checked_request_id(header: str | None) -> str | None:
    """Return an X-Request-ID header, or None if Heroku's router wouldn't accept it."""
    return header if header and _VALID_ID.fullmatch(header) else None


class TextFormatter(logging.Formatter):
    """Formats ``LEVEL logger [request id] message``; lines of tracebacks have the same prefix.

    Control characters in the message are escaped, so that nobody can forge a line.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return a line for the record, and one for each line of its traceback."""
        head = f"{record.levelname} {record.name} [{request_id.get() or '-'}]"
        lines = [_message(record), *_details(record).splitlines()]
        return "\n".join(f"{head} {_escaped(line)}" for line in lines)


class JsonFormatter(logging.Formatter):
    """Formats a JSON object per line: level, logger, message, request_id, exception, extras."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line of ASCII; values that JSON can't represent become their repr()."""
        entry: dict[str, object] = {
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            "request_id": request_id.get(),
        }
        if details := _details(record):
            entry["exception"] = details
        given: dict[Any, object] = vars(record)  # extra={1: 2} gives keys that aren't strings
        for name, value in given.items():
            if name not in _STANDARD:
                entry.setdefault(name if isinstance(name, str) else _represented(name), value)
        try:
            return json.dumps(entry, default=_represented, allow_nan=False)
        # Keys that aren't strings, NaN, circular references, errors of an object's own methods, and
        # RecursionError, which logging would pass on to the caller.
        except Exception:  # noqa: BLE001  (a log line must not fail for what it describes)
            return json.dumps(
                {
                    name: value if value is None or isinstance(value, str) else _represented(value)
                    for name, value in entry.items()
                }
            )


def _message(record: logging.LogRecord) -> str:
    """Return the formatted message; if formatting fails, the message followed by its arguments."""
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001
        given: object = record.msg
        # Not str(), which a subclass may override with a method that raises.
        message = str.__str__(given) if isinstance(given, str) else _represented(given)
        is_shown = record.args and not isinstance(error, RecursionError)
        return f"{message} {_represented(record.args)}" if is_shown else message


def _details(record: logging.LogRecord) -> str:
    """Return the traceback and the stack of a record, if it has them."""
    parts = []
    if record.exc_info and record.exc_info[0]:
        try:
            parts.append("".join(traceback.format_exception(*record.exc_info)).rstrip())
        except Exception:  # noqa: BLE001  (deeply nested groups, or something that isn't an exception)
            parts.append(_represented(record.exc_info[1]))
    elif record.exc_text is not None:  # the record came from another process
        parts.append(_text(record.exc_text))
    if record.stack_info is not None:
        parts.append(_text(record.stack_info))
    return "\n".join(filter(None, parts))


def _escaped(text: str) -> str:
    """Escape control characters, and surrogates that stdout can't encode."""
    text = _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _text(value: object) -> str:
    try:
        return str.__str__(value) if isinstance(value, str) else str(value)
    except Exception:  # noqa: BLE001  (a log line must not fail for what it describes)
        return _represented(value)


def _represented(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  (a log line must not fail for what it describes)
        return f"<{type(value).__name__}>"
