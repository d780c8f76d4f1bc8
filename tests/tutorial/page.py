"""Reads docs/tutorial.md, writes its files, and runs its commands in a shell."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: A paragraph above a block may contain a file's name and how to change the file.
_BLOCK = re.compile(
    r"(?:^`(?P<file>[^`\n]+)`(?P<how>, [a-z ]+)?:\n\n)?^```(?P<kind>[\w+]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
AT_THE_END = ", at the end"
WITHOUT = ", without these lines"
#: Replaces `heroku` on the PATH: only saves its arguments.
_HEROKU = """#!/bin/sh
printf '%s\\n' "$@" > "$TUTORIAL_STATE/heroku"
"""


@dataclass(frozen=True)
class Block:
    """A fenced block: its file, how to change the file, its language and its text."""

    file: str
    how: str
    kind: str
    text: str

    def commands(self) -> Iterator[str]:
        """Yield the commands: the lines with a prompt."""
        for line in self.text.splitlines():
            if line.startswith("$ "):
                yield line[2:]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page in order."""
    for found in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        file, how, kind, text = found.group("file", "how", "kind", "text")
        yield Block(file or "", how or "", kind, text)


class Shell:
    """Runs commands in bash; the current folder and variables are kept between commands."""

    def __init__(self, folder: Path, state: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.state = state
        tools = state / "bin"
        tools.mkdir(parents=True)
        (tools / "heroku").write_text(_HEROKU, encoding="ascii")
        (tools / "heroku").chmod(0o755)
        self.environment = dict(environment)
        self.environment["PATH"] = f"{tools}{os.pathsep}{environment['PATH']}"
        self.environment["TUTORIAL_STATE"] = str(state)

    def type(self, command: str) -> str:
        """Run a command, assert that it succeeded, and return its output."""
        save_state = 'status=$?; pwd > "$TUTORIAL_STATE/pwd"; env -0 > "$TUTORIAL_STATE/env"'
        printed = run(
            ["bash", "-c", f"{command}\n{save_state}; exit $status"],
            self.folder,
            self.environment,
        )
        self.folder = Path((self.state / "pwd").read_text(encoding="utf-8").rstrip("\n"))
        lines = (self.state / "env").read_text(encoding="utf-8").rstrip("\0").split("\0")
        self.environment = dict(line.split("=", 1) for line in lines)
        return printed

    def heroku_arguments(self, command: str) -> list[str]:
        """Run a ``heroku`` command, which does nothing, and return its arguments."""
        self.type(command)
        return (self.state / "heroku").read_text(encoding="utf-8").splitlines()

    def write(self, block: Block) -> None:
        """Write or change the file of a block."""
        path = self.folder / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if block.how == AT_THE_END:
            text = f"{before}\n{block.text}"
        elif block.how == WITHOUT:
            text = _without(before, block.text)
        else:
            assert not block.how, block
            text = block.text
        path.write_text(text, encoding="utf-8")


def run(command: list[str], folder: Path, environment: Mapping[str, str]) -> str:
    """Run a command, assert that it succeeded, and return its output."""
    process = subprocess.run(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=300,
        check=False,
    )
    assert process.returncode == 0, f"{shlex.join(command)}\n{process.stdout}"
    return process.stdout


def _without(text: str, lines: str) -> str:
    """Delete lines, which must occur once; ``…`` matches any text."""
    for line in lines.splitlines():
        pattern = ".*".join(map(re.escape, line.split("…")))
        text, count = re.subn(rf"^{pattern}\n", "", text, flags=re.MULTILINE)
        assert count == 1, f"{line!r} occurs {count} times"
    return text
