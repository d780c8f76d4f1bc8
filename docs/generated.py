"""Directives that write parts of the reference from the code."""

from __future__ import annotations

import ast
import importlib
import re
from argparse import SUPPRESS, Action, ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path

from django.core.management import load_command_class
from django.core.management.base import BaseCommand
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from herokuify.env import Variable
from herokuify.management.subcommands.env import MODULES

NOXFILE = Path(__file__).resolve().parent.parent / "noxfile.py"
#: Module with variables → its page.
PAGES = {
    "herokuify.common": "common",
    "herokuify.conf.hosts": "common",
    "herokuify.logs": "common",
    "herokuify.db": "db",
    "herokuify.conf.redis": "cache",
    "herokuify.cache": "cache",
    "herokuify.celery": "cache",
    "herokuify.aws": "aws",
    "herokuify.conf.addons": "aws",
    "herokuify.mail.config": "mail",
    "herokuify.mail.mailgun": "mail",
    "herokuify.server": "server",
    "herokuify.env": "env",
}


class Variables(SphinxDirective):
    """Every variable that herokuify reads, from VARIABLES of its modules."""

    def run(self) -> list[nodes.Node]:
        """Write a table for each page that documents variables."""
        return self.parse_text_to_nodes("\n".join(variables()), allow_section_headings=True)


class Matrix(SphinxDirective):
    """The tested versions, from noxfile.py."""

    def run(self) -> list[nodes.Node]:
        """Write the matrix as a table."""
        return self.parse_text_to_nodes("\n".join(matrix()))


class Command(SphinxDirective):
    """The options of a management command, from its parser."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write the command's help and its options."""
        command = load_command_class("herokuify", self.arguments[0])
        lines = command_help(command, self.arguments[0])
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def variables() -> Iterator[str]:
    """Write Markdown: a table for each page, a row for each variable."""
    known: set[tuple[str, ...]] = set()
    last = None
    for module in MODULES:
        if PAGES[module] != last:
            last = PAGES[module]
            yield from ("", f"**{{doc}}`{last}`**", "")
            yield from ("| Variable | For | Setting |", "|---|---|---|")
        for variable in importlib.import_module(module).VARIABLES:
            if variable.names not in known:
                known.add(variable.names)
                yield _row(variable)


def _row(variable: Variable) -> str:
    names = ", ".join(f"`{name}`" for name in variable.names)
    links = " or ".join(f"[{name}](settings.md#{name.lower()})" for name in variable.settings)
    purpose = _escaped(variable.purpose) + ("; a secret" if variable.secret else "")
    return f"| {names} | {purpose} | {links} |"


def _escaped(help_text: str) -> str:
    """Escape Markdown; options are code, in which two hyphens don't become a dash."""
    text = re.sub(r"([*_<>|`])", r"\\\1", help_text)
    return re.sub(r"--[a-z][a-z-]*", r"`\g<0>`", text)


def matrix() -> Iterator[str]:
    """Write Markdown: a row for each environment of noxfile.py."""
    (found,) = (
        ast.literal_eval(node.value)
        for node in ast.parse(NOXFILE.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MATRIX"
    )
    yield from ("| Python | Django | Dependencies |", "|---|---|---|")
    for number, (python, django) in enumerate(found.items()):
        kind = "the newest" if number else "the oldest declared"
        yield f"| {python} | {django} | {kind} |"


def command_help(command: BaseCommand, name: str) -> Iterator[str]:
    """Write Markdown: the command's help, its own options, and those of its subcommands."""
    parser = command.create_parser("manage.py", name)
    yield from _parser_help(parser, f"manage.py {name}", _common_options())


def _common_options() -> set[str]:
    """Return the options that every Django command has."""
    parser = BaseCommand().create_parser("manage.py", "any")
    return {option for action in parser._actions for option in action.option_strings}  # noqa: SLF001


def _parser_help(parser: ArgumentParser, name: str, without: set[str]) -> Iterator[str]:
    yield from (f"`{name}`", f": {_escaped(parser.description or '')}", "")
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, _SubParsersAction):
            for subcommand, subparser in action.choices.items():
                yield from _parser_help(subparser, f"{name} {subcommand}", without)
        elif not without.intersection(action.option_strings) and action.help != SUPPRESS:
            yield from (f"`{_spelling(action)}`", f": {_escaped(action.help or '')}", "")


def _spelling(action: Action) -> str:
    names = ", ".join(action.option_strings) or action.metavar or action.dest
    return f"{names} {action.metavar}" if action.metavar and action.option_strings else str(names)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("herokuify-variables", Variables)
    app.add_directive("herokuify-matrix", Matrix)
    app.add_directive("herokuify-command", Command)
    return {"parallel_read_safe": True}
