"""What is known about a move so far: the settings, the options, and what there is to say."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field

from herokuify.init.source import Assignment, Place, Source, is_literal

#: Settings of herokuify.common that a project's own lines win over.
OWN = (
    "LOGGING",
    "SECRET_KEY_FALLBACKS",
    "SECURE_CSP",
    "SECURE_HSTS_INCLUDE_SUBDOMAINS",
    "SECURE_HSTS_PRELOAD",
    "SECURE_HSTS_SECONDS",
    "SECURE_SSL_REDIRECT",
)
#: What herokuify.common sets on a dyno, if no variable says otherwise.
DEFAULTS = {
    "SECURE_HSTS_INCLUDE_SUBDOMAINS": "False",
    "SECURE_HSTS_PRELOAD": "False",
    "SECURE_SSL_REDIRECT": "True",
}
#: Those that herokuify.common sets as a project would.
REPLACED = ("SECURE_PROXY_SSL_HEADER", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE")
#: The names that a project's hosts are added to.
HOSTS = {"ALLOWED_HOSTS": "hosts", "CSRF_TRUSTED_ORIGINS": "origins"}


#: Of the block's lines.
WIDTH = 88


@dataclass
class Plan:
    """The settings, what is to stay as it is, and what has been found out about them."""

    source: Source
    keep: frozenset[str]
    #: Whether the deployed site must name its settings in DJANGO_SETTINGS_MODULE.
    names_settings: bool = False
    notes: list[tuple[Place, str]] = field(default_factory=list)
    refused: list[tuple[Place, str, str]] = field(default_factory=list)
    to_type: list[str] = field(default_factory=list)
    extras: set[str] = field(default_factory=set)
    #: Settings of which nothing above the block has an effect any more.
    overridden: set[str] = field(default_factory=set)

    def refuse(self, name: str, place: Place, problem: str) -> None:
        """Refuse to touch a setting, unless it is to stay as it is."""
        if name not in self.keep:
            hint = f"Keep it as it is: python -m herokuify init --keep {name}"
            self.refused.append((place, f"{name} {problem}.", hint))

    def note(self, found: Iterable[Assignment | Place], text: str) -> None:
        """Say something about lines."""
        for one in found:
            place = one.place if isinstance(one, Assignment) else one
            self.notes.append((place, text))

    def of(self, *names: str) -> list[Assignment]:
        """Return the assignments of settings."""
        return [one for name in names for one in self.source.of(name)]

    def own(self) -> list[str]:
        """Return the settings of herokuify.common that stay the project's own."""
        found = {name for name in OWN if any(map(_differs, self.of(name)))}
        found |= {name for name in ("DEBUG", "SECRET_KEY") if self._is_computed(name)}
        return sorted(found | (self.keep & {*HOSTS, *REPLACED, "DEBUG", "SECRET_KEY"}))

    def _is_computed(self, name: str) -> bool:
        """Return whether a setting is neither written down nor read from a single variable."""
        values = [one.value for one in self.of(name) if not is_literal(one.value)]
        read = [self.source.variables(value) for value in values]
        if len(set[str]().union(*read)) > 1:
            return True
        if name == "SECRET_KEY":
            is_made = any(isinstance(value, ast.BinOp | ast.JoinedStr) for value in values)
            return bool(values) and (is_made or not any(read))
        return any(
            variables != {name} and not (variables and isinstance(value, ast.Call | ast.Subscript))
            for value, variables in zip(values, read, strict=True)
        )

    def always_sets(self, *names: str) -> bool:
        """Return whether the settings above give each of these names a value."""
        return all(
            any(not (one.is_conditional or one.keys) for one in self.of(name)) for name in names
        )

    def with_others(self, name: str, call: str) -> str:
        """Return the line that sets a setting, and keeps the other aliases above."""
        above = name if self.always_sets(name) else f'globals().get("{name}", {{}})'
        return f"{name} = {{**{above}, **{call}}}"

    def aliases(self, name: str) -> list[str]:
        """Return the other names of the variable that a setting is read from."""
        if name in self.own():
            return []
        found = {one for each in self.of(name) for one in self.source.variables(each.value)}
        return sorted(found - {name})


def holds(one: Assignment, text: str) -> bool:
    """Return whether an assignment contains a string that begins with a text, or is ``"*"``."""
    return any(
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and (node.value == text if text == "*" else node.value.startswith(text))
        for node in ast.walk(one.value)
    )


def listed(names: Iterable[str]) -> str:
    """Write names as a tuple."""
    items = [f'"{name}"' for name in names]
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


def wrapped(line: str, width: int = WIDTH) -> str:
    """Break a long line at the commas of its outermost brackets."""
    found = re.fullmatch(r"( *)(.*?[(\[{])(.*)([)\]}]+[:,]?)", line)
    if len(line) <= width or not found:
        return line
    indent, head, inside, tail = found.groups()
    if re.fullmatch(r'("\w+",? ?)+', inside):  # names: as many as fit
        items = textwrap.wrap(f"{inside.rstrip(',')},", width - len(indent) - 4)
        return "\n".join([indent + head, *(f"{indent}    {item}" for item in items), indent + tail])
    parts, depth = [""], 0
    for character in inside:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    items = [wrapped(f"{indent}    {part.strip()},") for part in parts if part.strip()]
    return "\n".join([indent + head, *items, indent + tail])


def _differs(one: Assignment) -> bool:
    """Return whether a setting is another than herokuify.common's on a dyno."""
    return ast.unparse(one.value) != DEFAULTS.get(one.name)
