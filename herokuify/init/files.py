"""What Heroku needs besides the settings: requirements, Procfile, Python's version, app.json."""

from __future__ import annotations

import json
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
        plan.to_type.append("heroku run python manage.py migrate  # the Procfile has no release:")
    if not procfile.exists():
        lines = ["release: python manage.py migrate --noinput"]
        yield procfile, "\n".join([*lines, *_web(wsgi), ""])
    if not (root / ".python-version").exists() and not (root / "runtime.txt").exists():
        yield root / ".python-version", f"{sys.version_info[0]}.{sys.version_info[1]}\n"
    if not (root / "app.json").exists():
        key = [*plan.aliases("SECRET_KEY"), "SECRET_KEY"][0]
        variables = {key: {"generator": "secret"}}
        if plan.names_settings:
            variables["DJANGO_SETTINGS_MODULE"] = {"value": plan.source.module}
        app = {"env": variables, "addons": ["heroku-postgresql:essential-0"]}
        yield root / "app.json", json.dumps(app, indent=2) + "\n"
    hook = root / "bin" / "post_compile"
    if plan.source.of("COMPRESS_OFFLINE") and not hook.exists():
        yield hook, "#!/usr/bin/env bash\npython manage.py compress\n"


def _requirements(plan: Plan) -> Iterator[tuple[Path, str]]:
    root = plan.source.root
    file, project, pipfile = (
        root / name for name in ("requirements.txt", "pyproject.toml", "Pipfile")
    )
    known = {name for one in (file, project, pipfile) for name in _packages(one)}
    if {"redis", "django-redis", "hiredis"} & known:
        plan.extras.add("redis")
    extras = f"[{','.join(sorted(plan.extras))}]" if plan.extras else ""
    wanted = [] if "herokuify" in known else [f"herokuify{extras}"]
    wanted += [] if known & {"gunicorn", "uwsgi", "uvicorn", "daphne"} else ["gunicorn"]
    wanted += [] if known & DRIVERS else ["psycopg[binary]"]
    if not wanted:
        return
    if not file.exists() and pipfile.exists():
        plan.to_type.append(f"pipenv install {shlex.join(wanted)}")
        return
    for name, command in LOCKS.items():
        if (root / name).exists() and not file.exists():
            plan.to_type.append(command)
    if not file.exists() and project.exists():
        text = read_text(project)[0]
        items = "".join(f'\n  "{one}",' for one in wanted)
        pattern = r"(?ms)(^\[project\]\s*$.*?^dependencies\s*=\s*\[)"
        if re.search(pattern, text):
            yield project, re.sub(pattern, lambda match: match[1] + items, text, count=1)
            return
        if "[tool.poetry.dependencies]" in text:
            plan.to_type.append(f"poetry add {shlex.join(wanted)}")
            return
    if not file.exists():
        plan.to_type.append("$EDITOR requirements.txt  # add the project's other packages")
    text = read_text(file)[0] if file.exists() else "Django\n"
    yield file, text + ("" if text.endswith("\n") else "\n") + "".join(f"{w}\n" for w in wanted)


def _packages(file: Path) -> Iterator[str]:
    """Yield the names of packages in a file of requirements and in those that it includes."""
    if not file.exists():
        return
    for line in read_text(file)[0].splitlines():
        if included := re.match(r"\s*(?:-r|--requirement)[ =]*(\S+)", line):
            yield from _packages(file.parent / included[1])
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
