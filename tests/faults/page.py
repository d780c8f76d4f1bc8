"""docs/troubleshooting.md: the faults of the catalogue, and what was really printed of each."""

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

What herokuify says of a fault, and how to fix it. Start with the two commands that look for faults:

```console
$ heroku run python manage.py check            # of the settings, without a network
$ heroku run python manage.py herokuify doctor # of S3, databases, caches and mail
```

{doc}`checks` and {doc}`doctor` describe them. In a build, `collectstatic` runs the checks that
matter there before it starts, and what S3 refuses is said by the command that meets it. Such
errors hold the word ImproperlyConfigured: Heroku's buildpack looks for it in the log, to tell
faults of the configuration from those of the code.

Each fault below is made for real by the tests, and the messages are what they printed, with the
addresses and folders of an example in place of theirs:

    python3 tools/troubleshooting.py

writes this page, and a test fails when it tells something else than what is printed today.
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
    yield "| Fault | Found by |\n|---|---|"
    for faults in SECTIONS.values():
        for fault in faults:
            yield f"| [{fault.title}]({_label(fault)}) | {fault.means.value} |"
    yield ""
    for section, faults in SECTIONS.items():
        yield f"## {section}\n"
        for fault in faults:
            if fault.title in messages:  # not where its server is missing
                yield entry(fault, messages[fault.title])


def _label(fault: Fault) -> str:
    return "fault-" + re.sub(r"[\W_]+", "-", re.sub("['`]", "", fault.title.lower())).strip("-")


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
