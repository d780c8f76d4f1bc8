"""Render docs/troubleshooting.md: each fault of the catalogue, with its message."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.faults.catalogue import SECTIONS
from tests.faults.fault import Fault

PATH = Path(__file__).resolve().parents[2] / "docs" / "troubleshooting.md"
WIDTH = 96  # characters of a line of a message
HEAD = """\
# Troubleshooting

This page lists the configuration mistakes that herokuify detects. For each, it shows the message,
which says how to fix the mistake. Search the page for the id in your message, such as
`herokuify.E002`, or for a few of its words.

Two commands look for mistakes:

```console
$ heroku run python manage.py check            # checks settings and variables, opens no connections
$ heroku run python manage.py herokuify doctor # tests S3, databases, caches and mail servers
```

For details, see {doc}`checks` and {doc}`doctor`. In a build, `collectstatic` runs the checks for
static files first. Names and paths below are examples.
"""


def render(messages: Mapping[str, str]) -> str:
    """Return the page; ``messages`` are by the titles of their faults."""
    return "\n".join(_blocks(messages))


def entry(fault: Fault, message: str) -> str:
    """Return the page's entry for a fault."""
    return "\n".join(
        [
            f"({_label(fault)})=",
            f"### {fault.title}",
            "",
            f"Found by {fault.means.value}: `{fault.command.shown}`",
            "",
            "```text",
            _wrapped(message),
            "```",
            "",
        ]
    )


def current() -> str:
    """Return the page's text; empty if there is no page."""
    return PATH.read_text(encoding="utf-8") if PATH.exists() else ""


def entries(text: str) -> dict[str, str]:
    """Return the messages of a page by the titles of their faults."""
    pattern = r"^### (.+)\n\n.*\n\n```text\n((?:.*\n)*?)```$"
    return {title: body.rstrip("\n") for title, body in re.findall(pattern, text, re.MULTILINE)}


def _blocks(messages: Mapping[str, str]) -> Iterator[str]:
    yield HEAD
    yield "| Id, error or command | Mistake |\n|---|---|"
    for faults in SECTIONS.values():
        for fault in faults:
            name = _id(fault, messages.get(fault.title, ""))
            yield f"| {name} | [{fault.title}]({_label(fault)}) |"
    yield ""
    for section, faults in SECTIONS.items():
        yield f"## {section}\n"
        for fault in faults:
            if fault.title in messages:  # otherwise, its server is missing
                yield entry(fault, messages[fault.title])


def _label(fault: Fault) -> str:
    return "fault-" + re.sub(r"[\W_]+", "-", re.sub("['`]", "", fault.title.lower())).strip("-")


def _id(fault: Fault, message: str) -> str:
    """Return the check's id, the doctor's probe or the exception's name, else the command."""
    kinds = r"herokuify\.[EW]\d+|^(?:failed|warning) +([\w.-]+)|^(\w+Error|ImproperlyConfigured)"
    # A message may begin with another check's, which the same mistake causes.
    expected = (word for word in fault.words if re.fullmatch(r"herokuify\.[EW]\d+", word))
    found = re.search(kinds, next(expected, message), re.MULTILINE)
    return f"`{found[1] or found[2] or found[0]}`" if found else fault.means.value


def _wrapped(message: str) -> str:
    """Break long lines, and shorten a list of files to the first one."""
    shown: list[str] = []
    for line in message.expandtabs(4).splitlines():
        is_file = line.startswith("  ") and not line.startswith("    ")
        if is_file and shown and shown[-1].startswith("  "):
            if shown[-1] != "  …":
                shown.append("  …")
        else:
            indent = " " * (len(line) - len(line.lstrip()))
            shown += textwrap.wrap(
                line,
                WIDTH,
                subsequent_indent=indent,
                break_long_words=False,
                break_on_hyphens=False,
            )
    return "\n".join(shown)
