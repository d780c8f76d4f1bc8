"""What Heroku needs besides the settings: requirements, Procfile, Python's version, app.json."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from herokuify.init.plan import Plan
from herokuify.init.source import file_of, read_text

DRIVERS = {"psycopg", "psycopg2", "psycopg2-binary", "mysqlclient", "pymysql", "django-heroku"}
LOCKS = {"uv.lock": "uv lock", "poetry.lock": "poetry lock"}


def changed_files(plan: Plan) -> Iterator[tuple[Path, str]]:
    """Yield the files, other than the settings, that are to be written, with their text."""
    root = plan.source.root
    yield from _requirements(plan)
    wsgi = _wsgi(plan)
    procfile = root / "Procfile"
    if procfile.exists() and not re.search("(?m)^release:", read_text(procfile)[0]):
        plan.to_type.append(
            "heroku run python manage.py migrate  # the Procfile has no release command"
        )
    if not procfile.exists():
        lines = ["release: python manage.py migrate --noinput"]
        yield procfile, "\n".join([*lines, *_web(wsgi), ""])
    if not (root / ".python-version").exists() and not (root / "runtime.txt").exists():
        yield root / ".python-version", f"{sys.version_info[0]}.{sys.version_info[1]}\n"
    if not (root / "app.json").exists():
        key = [*plan.aliases("SECRET_KEY"), "SECRET_KEY"][0]
        variables = {} if "SECRET_KEY" in plan.own() else {key: {"generator": "secret"}}
        if plan.names_settings:
            variables["DJANGO_SETTINGS_MODULE"] = {"value": plan.source.module}
        app = {"env": variables, "addons": ["heroku-postgresql:essential-0"]}
        yield root / "app.json", json.dumps(app, indent=2) + "\n"
    hook = root / "bin" / "post_compile"
    if plan.source.of("COMPRESS_OFFLINE") and not hook.exists():
        yield hook, "#!/usr/bin/env bash\npython manage.py compress\n"


def _requirements(plan: Plan) -> Iterator[tuple[Path, str]]:
    root = plan.source.root
    file, project = root / "requirements.txt", root / "pyproject.toml"
    wanted = _wanted(plan)
    if not wanted:
        return
    if not file.exists() and (root / "Pipfile").exists():
        plan.to_type.append(f"pipenv install {shlex.join(wanted)}")
    elif not file.exists() and project.exists() and "[tool.poetry.dep" in read_text(project)[0]:
        plan.to_type.append(f"poetry add {shlex.join(wanted)}")
    elif not file.exists() and project.exists() and (text := _with_dependencies(project, wanted)):
        plan.to_type += [command for name, command in LOCKS.items() if (root / name).exists()]
        yield project, text
    else:
        yield from _with_requirements(plan, file, wanted)


def _wanted(plan: Plan) -> list[str]:
    """Return the requirements that are missing."""
    root = plan.source.root
    names = ("requirements.txt", "requirements.in", "pyproject.toml", "Pipfile")
    known = {package for name in names for package in _packages(root / name)}
    if {"redis", "django-redis", "hiredis"} & known:
        plan.extras.add("redis")
    extras = f"[{','.join(sorted(plan.extras))}]" if plan.extras else ""
    wanted = [] if "herokuify" in known else [f"herokuify{extras}"]
    wanted += [] if known & {"gunicorn", "uwsgi", "uvicorn", "daphne"} else ["gunicorn"]
    return wanted + ([] if known & DRIVERS else ["psycopg[binary]"])


def _with_dependencies(project: Path, wanted: list[str]) -> str | None:
    text = read_text(project)[0]
    items = "".join(f'\n  "{one}",' for one in wanted)
    pattern = r"(?ms)(^\[project\]\s*$.*?^dependencies\s*=\s*\[)"
    if not re.search(pattern, text):
        return None
    return re.sub(pattern, lambda match: match[1] + items, text, count=1)


def _with_requirements(plan: Plan, file: Path, wanted: list[str]) -> Iterator[tuple[Path, str]]:
    source = file.with_suffix(".in")
    if source.exists():
        plan.to_type.append("pip-compile requirements.in  # as you made requirements.txt")
        file = source
    if not file.exists():
        plan.to_type.append("$EDITOR requirements.txt  # add the project's other packages")
    text = read_text(file)[0] if file.exists() else "Django\n"
    if "--hash=" in text:
        words = " ".join(wanted)
        plan.to_type.append(f"$EDITOR {file.name}  # add, with their hashes: {words}")
        return
    yield file, text + ("" if text.endswith("\n") else "\n") + "".join(f"{w}\n" for w in wanted)


def _packages(file: Path, *including: Path) -> Iterator[str]:
    """Yield the names of packages in a file of requirements and in those that it includes."""
    if not file.is_file() or file in including:
        return
    for line in read_text(file)[0].splitlines():
        if included := re.match(r"\s*(?:-r|--requirement)[ =]*(\S+)", line):
            path = Path(os.path.normpath(file.parent / included[1]))
            yield from _packages(path, file, *including)
        for name in re.findall(r"""(?:^|["'])\s*([A-Za-z0-9][\w.-]*)""", line):
            yield name.lower().replace("_", "-")


def _wsgi(plan: Plan) -> str:
    """Return the module of the WSGI application, ``""`` where it can't be found."""
    root = plan.source.root
    named = [getattr(one.value, "value", "") for one in plan.source.of("WSGI_APPLICATION")]
    modules = [str(name).rpartition(".")[0] for name in named]
    modules += [
        ".".join(file.relative_to(root).parts[:-1]) + ".wsgi" for file in root.glob("*/wsgi.py")
    ]
    modules += ["wsgi"]
    return next((one for one in modules if file_of(root, one)), "")


def _web(wsgi: str) -> list[str]:
    return [f"web: gunicorn -c python:herokuify.server {wsgi}"] if wsgi else []
