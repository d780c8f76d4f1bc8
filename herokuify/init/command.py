"""`python -m herokuify init`."""

from __future__ import annotations

import argparse
import difflib
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from herokuify.exceptions import ConfigurationError, HerokuifyError
from herokuify.init.block import KEEPABLE, deletable, make_block
from herokuify.init.files import changed_files
from herokuify.init.plan import Plan
from herokuify.init.source import Source, find_settings, read_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and return its status."""
    options = _parser().parse_args(arguments)
    root = Path.cwd()
    try:
        _require_known(options.keep)
        module, choice = find_settings(root, options.settings)
        plan = Plan(Source(root, module), frozenset(options.keep), bool(choice))
        block = make_block(plan)
        changes = [] if plan.refused else [*_settings(plan, block), *changed_files(plan)]
    except HerokuifyError as error:
        print(f"Error: {error.problem} {error.hint}", file=sys.stderr)  # noqa: T201
        return 1
    if plan.refused:
        for place, problem, hint in dict.fromkeys(plan.refused):
            print(f"{place.show(root)}: {problem} {hint}", file=sys.stderr)  # noqa: T201
        return 1
    report = [f"Settings: {module}. {choice}".rstrip()]
    for file, text in changes:
        report += ["", *_diff(file, text, root)]
        if options.write:
            _write(file, text)
    if changes:
        report += ["", *_advice(plan, is_written=options.write)]
    else:
        report.append("Nothing to do.")
    print("\n".join(report))  # noqa: T201
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m herokuify")
    commands = parser.add_subparsers(required=True, metavar="init")
    init = commands.add_parser(
        "init", help="Move a Django project to herokuify: print what would change as a diff."
    )
    init.add_argument("--settings", metavar="MODULE", help="The settings of the deployed site.")
    init.add_argument("--write", action="store_true", help="Change the files; keep copies (.orig).")
    init.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="SETTING",
        help="A setting that is to stay as it is; may be given more than once.",
    )
    return parser


def _require_known(names: Sequence[str]) -> None:
    for name in names:
        if name not in KEEPABLE:
            raise ConfigurationError(f"init can't keep a setting {name}.", "Correct --keep.")


def _settings(plan: Plan, block: str) -> Iterator[tuple[Path, str]]:
    if not block:
        return
    text, _ = read_text(plan.source.file)
    yield plan.source.file, text.rstrip("\n") + "\n\n\n" + block


def _diff(file: Path, text: str, root: Path) -> list[str]:
    old = read_text(file)[0] if file.exists() else ""
    name = file.relative_to(root).as_posix()
    lines = difflib.unified_diff(
        old.splitlines(),
        text.splitlines(),
        f"a/{name}" if old else "/dev/null",
        f"b/{name}",
        "",
        "",
        3,
        "",
    )
    return [*lines]


def _write(file: Path, text: str) -> None:
    """Write a file, after a copy of what is there; no copy is overwritten."""
    newline, encoding = "\n", "utf-8"
    if file.exists():
        copy, number = file.with_name(f"{file.name}.orig"), 1
        while copy.exists():
            copy, number = file.with_name(f"{file.name}.orig{number}"), number + 1
        shutil.copy2(file, copy)
        encoding = read_text(file)[1]
        newline = "\r\n" if b"\r\n" in file.read_bytes() else "\n"
    file.parent.mkdir(exist_ok=True)
    # Values that come from a module in another encoding are written as escapes.
    file.write_text(text, encoding, "backslashreplace", newline)
    if file.parent.name == "bin":
        file.chmod(0o755)


def _advice(plan: Plan, *, is_written: bool) -> Iterator[str]:
    root = plan.source.root
    if not plan.source.uses_herokuify:
        lines = deletable(plan)
        if lines:
            yield "No longer have any effect, and may be deleted:"
            yield from (f"  line {line}: {name}" for line, name in lines)
        if plan.notes:
            yield "Still have an effect, or need a decision:"
        for place, text in dict.fromkeys(plan.notes):
            yield f"  {place.show(root)}: {text}"
    yield "Next steps:"
    if plan.names_settings:
        plan.to_type.append(f"heroku config:set DJANGO_SETTINGS_MODULE={plan.source.module}")
    if not is_written:
        yield "  python -m herokuify init --write"
    yield from (f"  {line}" for line in dict.fromkeys(plan.to_type))
    yield "  heroku run python manage.py check --deploy"
