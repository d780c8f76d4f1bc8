"""Environment variables in expressions of settings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

#: What settings and config vars are called.
NAME = re.compile("[A-Z][A-Z0-9_]*")


def variables_read(value: ast.AST) -> Iterator[str]:
    """Yield the environment variables that an expression reads by itself."""
    yield from filter(None, map(variable_of, ast.walk(value)))


def variable_of(node: ast.AST) -> str | None:
    """Return the environment variable that an expression reads, if it does nothing else."""
    name: object = None
    if isinstance(node, ast.Call) and node.args:
        if re.search("env|config", ast.unparse(node.func), re.IGNORECASE):
            name = getattr(node.args[0], "value", None)
    elif isinstance(node, ast.Subscript) and "environ" in ast.unparse(node.value):
        name = getattr(node.slice, "value", None)
    return name if isinstance(name, str) and NAME.fullmatch(name) else None


def defaults_of(value: ast.expr) -> list[ast.keyword]:
    """Return the variables that django-environ's Env() is given a default for."""
    if isinstance(value, ast.Call) and re.fullmatch(
        r"(.*\.)?(FileAware)?Env", ast.unparse(value.func)
    ):
        return [one for one in value.keywords if isinstance(one.value, ast.Tuple)]
    return []


def has_no_default(node: ast.AST) -> bool:
    """Return whether an expression fails if its variable is not set."""
    if isinstance(node, ast.Call):
        is_reader = re.fullmatch(r"env(\.(?!get)\w+)?|config", ast.unparse(node.func))
        has_default = len(node.args) > 1 or any(one.arg == "default" for one in node.keywords)
        return is_reader is not None and not has_default
    return isinstance(node, ast.Subscript)


def is_plain_read(value: ast.expr) -> bool:
    """Return whether an expression is a variable's value and nothing else, without a default."""
    if isinstance(value, ast.Subscript):
        return bool([*variables_read(value)])
    if not isinstance(value, ast.Call) or not [*variables_read(value)]:
        return False
    rest = [*value.args[1:], *(one.value for one in value.keywords)]
    if not isinstance(value.args[0], ast.Constant):
        return False
    return all(isinstance(one, ast.Constant) and not one.value for one in rest)
