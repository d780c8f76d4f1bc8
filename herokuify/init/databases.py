"""DATABASES and CACHES, from the project's own lines."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator

from herokuify.db import PRIMARY, get_db_config
from herokuify.init.plan import Plan
from herokuify.init.source import Assignment, is_literal

#: Django's keys of a database and others' arguments → get_db_config()'s.
OPTIONS = {
    name: name.lower() if name in {"CONN_MAX_AGE", "CONN_HEALTH_CHECKS", "ENGINE"} else name
    for name in (
        *("conn_max_age", "conn_health_checks", "ssl_require", "engine"),
        *("ATOMIC_REQUESTS", "AUTOCOMMIT", "CONN_HEALTH_CHECKS", "CONN_MAX_AGE", "ENGINE"),
        *("DISABLE_SERVER_SIDE_CURSORS", "OPTIONS", "TEST", "TIME_ZONE"),
    )
} | {"disable_server_side_cursors": "DISABLE_SERVER_SIDE_CURSORS", "test_options": "TEST"}
#: get_db_config()'s own, which need no argument.
DEFAULTS = {
    name: repr(one.default) for name, one in inspect.signature(get_db_config).parameters.items()
}
#: Functions of dj-database-url, django-environ and environs.
URL_READERS = {"config", "parse", "db", "db_url", "dj_db_url"}
REDIS = {"REDIS_URL", "REDIS_TLS_URL", "REDISCLOUD_URL", "STACKHERO_REDIS_URL_TLS"}
#: What a cache keeps of its own, and what herokuify's replaces.
KEPT = ("TIMEOUT", "KEY_PREFIX", "KEY_FUNCTION", "VERSION")
KEYS = {"BACKEND", "LOCATION", *KEPT}
CACHES = re.compile("locmem|dummy|redis|memcached|pylibmc", re.IGNORECASE)


def database_lines(plan: Plan) -> Iterator[str]:
    """Yield the lines that set DATABASES; those above count while no variable has a URL."""
    if "DATABASES" in plan.keep:
        return
    entries = [*plan.source.entries("DATABASES")]
    default = [entry[1:] for entry in entries if entry[0] in {"", "default"}]
    called, given = plan.source.django_heroku or (None, set[str]())
    options: dict[str, str] = {}
    for key, value, one in default:
        _take(plan, options, key, value, one)
    options = {name: text for name, text in options.items() if DEFAULTS.get(name) != text}
    variable = _variable(plan, default)
    if variable != PRIMARY:
        options["variable"] = repr(variable)
    if "geodjango" in given:
        options["engine"] = "'django.contrib.gis.db.backends.postgis'"
    is_merged = len(default) < len(entries) or "db_colors" in given
    paths = {ast.unparse(value) for key, value, _ in default if key == "NAME"}
    # Nothing but the file of startproject: herokuify's defaults, which refuse one on a dyno.
    is_plain = (
        not called
        and len(paths) <= 1
        and not set(options) - {"ATOMIC_REQUESTS"}
        and all(
            (key or is_literal(value))
            and not (one.is_conditional or plan.source.variables(one.value))
            and (key != "ENGINE" or "sqlite" in ast.unparse(value))
            and key.partition("/")[0] not in {"OPTIONS", "TEST"}
            for key, value, one in default
        )
    )
    for path in paths if is_plain else ():
        options["sqlite_path"] = path
    call = f"herokuify.get_db_config({', '.join(f'{k}={v}' for k, v in options.items())})"
    line = plan.with_others("DATABASES", call) if is_merged else f"DATABASES = {call}"
    if is_plain:
        plan.overridden |= set() if is_merged else {"DATABASES"}
        yield line
    else:
        plan.note(plan.of("DATABASES")[:1], f"DATABASES is only used if {variable} is not set.")
        yield f'if os.environ.get("{variable}"):'
        yield f"    {line}"


def _take(plan: Plan, options: dict[str, str], key: str, value: ast.expr, one: Assignment) -> None:
    """Take the options of a part of DATABASES["default"], or refuse what is not understood."""
    if key:
        if key == "ATOMIC_REQUESTS" or "sqlite" not in ast.unparse(one.value):
            _option(plan, options, key, value, one)
    elif isinstance(value, ast.Call):
        function = ast.unparse(value.func)
        if function.startswith("DATABASES"):
            plan.refuse("DATABASES", one.place, "is changed in a way that can't be told")
        elif function.rpartition(".")[2] not in URL_READERS:
            plan.refuse("DATABASES", one.place, "is made by a function of the project's")
        for call in ast.walk(value):  # config("DATABASE_URL", cast=partial(parse, …)), too
            for keyword in call.keywords if isinstance(call, ast.Call) else ():
                _option(plan, options, keyword.arg or "", keyword.value, one)
    elif not is_literal(value):
        plan.refuse("DATABASES", one.place, "is made in a way that can't be told")


def _option(
    plan: Plan, options: dict[str, str], key: str, value: ast.expr, one: Assignment
) -> None:
    text = ast.unparse(value)
    if "/" in key:
        plan.refuse("DATABASES", one.place, f"has its {key.partition('/')[0]} changed here")
    elif key == "env" and not isinstance(value, ast.Constant):
        plan.refuse("DATABASES", one.place, "is read from a variable that can't be told")
    elif key not in OPTIONS or (key.lower() == "engine" and not _is_special(value)):
        return
    elif len(one.keys) > 1 and one.is_conditional:
        plan.refuse("DATABASES", one.place, f"has its {key} set under a condition")
    elif key == "OPTIONS" and re.search(r"backends\.(mysql|oracle)", ast.unparse(one.value)):
        plan.refuse("DATABASES", one.place, "has OPTIONS that PostgreSQL doesn't have")
    elif options.setdefault(OPTIONS[key], text) != text:
        plan.refuse("DATABASES", one.place, f"has another {key} than above")


def _is_special(engine: ast.expr) -> bool:
    """Return whether an engine is, or may be, another than the URL's."""
    names = [node.value for node in ast.walk(engine) if isinstance(node, ast.Constant)]
    return any("." in str(name) and not str(name).startswith("django.db.") for name in names)


def _variable(plan: Plan, default: list[tuple[str, ast.expr, Assignment]]) -> str:
    """Return the variable that holds the URL."""
    calls = [value for key, value, _ in default if not key and isinstance(value, ast.Call)]
    named = [
        str(getattr(keyword.value, "value", PRIMARY))
        for call in calls
        for keyword in call.keywords
        if keyword.arg == "env"
    ]
    read = {name for call in calls for name in plan.source.variables(call) if "URL" in name}
    return (named or sorted(read) or [PRIMARY])[0]


def cache_lines(plan: Plan) -> Iterator[str]:
    """Yield the lines that set CACHES, where Redis or memcached goes on to be what it was."""
    entries = [*plan.source.entries("CACHES")]
    if "CACHES" in plan.keep or not entries:
        # Redis without a cache is Celery's, or another's.
        is_used = any("REDIS" in one.name for one in plan.source.assignments)
        if not is_used and "CACHES" not in plan.keep:
            yield "CACHES = herokuify.get_cache_config()"
        return
    default = {key: value for alias, key, value, _ in entries if alias == "default"}
    backends = [ast.unparse(value) for alias, key, value, _ in entries if key == "BACKEND"]
    variables = {
        name for _, key, value, _ in entries if key for name in plan.source.variables(value)
    }
    text = " ".join(backends).lower()
    known = KEYS | ({"OPTIONS"} if "django_redis" in text else set())
    if (
        not all(map(CACHES.search, backends or [""]))
        or not all(alias for alias, *_ in entries)
        or ("redis" in text and not variables & REDIS)
        or any(
            alias == "default" and key.partition("/")[0] not in known for alias, key, *_ in entries
        )
    ):
        plan.note([entries[0][3]], "CACHES is kept: herokuify.get_cache_config() can't replace it.")
        return
    plan.extras |= {"redis"} if "redis" in text else set()
    plan.extras |= {"memcached"} if re.search("memcached|pylibmc", text) else set()
    if {alias for alias, *_ in entries} == {"default"}:
        plan.overridden.add("CACHES")
        yield "CACHES = herokuify.get_cache_config()"
    else:
        yield plan.with_others("CACHES", "herokuify.get_cache_config()")
    kept = [name for name in KEPT if name in default]
    if kept:
        items = ", ".join(f'"{name}": {ast.unparse(default[name])}' for name in kept)
        yield f'CACHES["default"] |= {{{items}}}'
    if "django_redis" in text:
        plan.note(
            [entries[0][3]],
            "django-redis's OPTIONS and methods (lock, keys, ttl) are not those of herokuify's "
            "cache. If your code calls them: --keep CACHES.",
        )
