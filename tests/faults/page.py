"""docs/troubleshooting.md: the faults of the catalogue, and the message of each."""

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

This page shows the message for each configuration fault that herokuify detects. The message also
says how to fix it. Search the page for a word of your message, or for its id. Two commands look for
faults:

```console
$ heroku run python manage.py check            # settings, without a network
$ heroku run python manage.py herokuify doctor # S3, databases, caches and mail
```

{doc}`checks` and {doc}`doctor` describe them. In a build, `collectstatic` first runs the checks for
static files. Messages of configuration errors contain the word ImproperlyConfigured, by which
Heroku's build recognizes them. The messages below are from the tests
(`python3 tools/troubleshooting.py`), with example names and paths.
"""


def render(messages: Mapping[str, str]) -> str:
    """Return the page for messages by the titles of their faults."""
    return "\n".join(_blocks(messages))


def entry(fault: Fault, message: str) -> str:
    """Return what the page says of a fault."""
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
    """Return the page as it is."""
    return PATH.read_text(encoding="utf-8") if PATH.exists() else ""


def entries(text: str) -> dict[str, str]:
    """Return the messages of a page, as it shows them, by the titles of their faults."""
    pattern = r"^### (.+)\n\n.*\n\n```text\n((?:.*\n)*?)```$"
    return {title: body.rstrip("\n") for title, body in re.findall(pattern, text, re.MULTILINE)}


def _blocks(messages: Mapping[str, str]) -> Iterator[str]:
    yield HEAD
    yield "| Fault | Id or error | Found by |\n|---|---|---|"
    for faults in SECTIONS.values():
        for fault in faults:
            name = _id(messages.get(fault.title, ""))
            yield f"| [{fault.title}]({_label(fault)}) | {name} | {fault.means.value} |"
    yield ""
    for section, faults in SECTIONS.items():
        yield f"## {section}\n"
        for fault in faults:
            if fault.title in messages:  # not where its server is missing
                yield entry(fault, messages[fault.title])


def _label(fault: Fault) -> str:
    return "fault-" + re.sub(r"[\W_]+", "-", re.sub("['`]", "", fault.title.lower())).strip("-")


def _id(message: str) -> str:
    """Return what a message is known by: a check, the doctor's probe or the exception."""
    kinds = r"herokuify\.[EW]\d+|^(?:failed|warning) +([\w.-]+)|^(\w+Error)"
    found = re.search(kinds, message, re.MULTILINE)
    return f"`{found[1] or found[2] or found[0]}`" if found else ""


def _wrapped(message: str) -> str:
    """Break long lines, and leave of a list of files the first one."""
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
