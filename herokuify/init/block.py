"""The lines that go to the end of the settings, and what there is to say of the lines above."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from herokuify.db import PRIMARY
from herokuify.init.databases import cache_lines, database_lines
from herokuify.init.plan import HOSTS, OWN, REPLACED, WIDTH, Plan, holds, listed, wrapped
from herokuify.init.source import BY_HAND, Assignment, Place
from herokuify.init.storages import has_media_on_s3, root_line, storage_lines
from herokuify.init.variables import is_plain_read
from herokuify.legacy import successor

MARK = "# Added by `python -m herokuify init`. These lines override those above."
#: Settings that herokuify.aws reads from variables, and by which names.
AWS = {
    name: {name}
    for name in (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("AWS_STORAGE_BUCKET_NAME", "AWS_S3_CUSTOM_DOMAIN", "AWS_S3_ADDRESSING_STYLE"),
        "AWS_LOCATION",
    )
} | {
    "AWS_S3_REGION_NAME": {"AWS_S3_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"},
    "AWS_S3_ENDPOINT_URL": {"AWS_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"},
}
MAIL = ("EMAIL_BACKEND", "EMAIL_HOST", "MAILERS", "ANYMAIL")
#: What --keep accepts.
KEEPABLE = {
    *("CACHES", "DATABASES", "DEBUG", "MEDIA_URL", "SECRET_KEY", "STATIC_URL", "STORAGES"),
    *(*OWN, *REPLACED, *HOSTS, *AWS, *MAIL),
}
CONSOLE = "django.core.mail.backends.console."


def make_block(plan: Plan) -> str:
    """Return the lines, and complete the plan; none where the settings have herokuify's."""
    if plan.source.uses_herokuify:
        return ""
    plan.refused += plan.source.refused
    if not plan.of("INSTALLED_APPS") and not plan.refused:
        hint = (
            f"{BY_HAND} Or name other settings: python -m herokuify init --settings mysite.settings"
        )
        place = Place(plan.source.file, 1)
        plan.refused.append((place, "INSTALLED_APPS is not set in these files.", hint))
    own = plan.own()
    hosts = [name for name in HOSTS if name not in own and _has_hosts(plan, name)]
    before = [*_variables(plan)]
    after = []
    if own:
        line = f"own = {{name: globals()[name] for name in {listed(own)}}}"
        if plan.always_sets(*own) and len(line) <= WIDTH:
            before.append(line)
        else:
            before.append(f"own = {listed(own)}")
            before.append("own = {name: globals()[name] for name in own if name in globals()}")
        after.append("globals().update(own)")
    for name in hosts:
        value = name if plan.always_sets(name) else f'globals().get("{name}", ())'
        before.append(f"{HOSTS[name]} = {value}")
        after.append(f"{name} = list(dict.fromkeys([*{HOSTS[name]}, *{name}]))")
    after.append('INSTALLED_APPS = ["herokuify", *INSTALLED_APPS]')
    for lines in (database_lines, cache_lines, root_line, storage_lines, _mail_lines):
        after += lines(plan)
    text = "\n".join((*before, *after))
    imports = [
        *(["import os"] if "os." in text and not plan.source.imports_os else []),
        *(["from pathlib import Path"] if "Path(" in text else []),
    ]
    fragments = ["from herokuify.aws import *", "from herokuify.common import *"]
    _look_above(plan, own)
    every = [MARK, *imports, *([""] if imports else []), "import herokuify"]
    every += [""] if before else []
    return "\n".join(map(wrapped, (*every, *before, *fragments, "", *after))) + "\n"


def deletable(plan: Plan) -> list[tuple[int, str]]:
    """Return the lines of the settings file that have no effect any more, with their names."""
    source = plan.source
    unused = plan.overridden - {name for name, _ in source.loads} - source.loads_in_functions
    others = {one.place for one in source.assignments if one.name not in unused}
    found = [
        one
        for one in source.assignments
        if one.name in unused
        and one.place.file == source.file
        and one.place not in others
        and source.statements[one.place] == 1
    ]
    places = {one.place for one in found}
    for block in source.blocks:
        if places.issuperset(block):  # a block must not become empty
            places.discard(block[-1])
    return sorted({(one.place.line, one.name) for one in found if one.place in places})


def _variables(plan: Plan) -> Iterator[str]:
    """Yield lines that give variables, and values in the code, the names that herokuify reads."""
    for name in ("SECRET_KEY", "DEBUG"):
        for other in plan.aliases(name):
            yield f'os.environ.setdefault("{name}", os.environ.get("{other}", ""))'
    names = set(AWS) - (set() if has_media_on_s3(plan) else {"AWS_LOCATION"} - plan.keep)
    elsewhere = {
        one.name
        for one in plan.of(*names)
        if not (is_plain_read(one.value) and plan.source.variables(one.value) <= AWS[one.name])
    }
    plan.overridden |= set(AWS) - elsewhere - {"AWS_LOCATION"}
    if elsewhere:
        yield f"for name in {listed(sorted(elsewhere))}:"
        yield '    os.environ.setdefault(name, str(globals().get(name) or ""))'


def _may_be_true(debug: Assignment) -> bool:
    """Return whether DEBUG is on if no variable is set."""
    return any(isinstance(one, ast.Constant) and one.value is True for one in ast.walk(debug.value))


def _has_hosts(plan: Plan, name: str) -> bool:
    called = plan.source.django_heroku is not None and name == "ALLOWED_HOSTS"
    return called or any(ast.unparse(one.value) not in {"[]", "()"} for one in plan.of(name))


def _mail_lines(plan: Plan) -> Iterator[str]:
    # startproject of Django 6.1 writes MAILERS with the console: no decision of the project's.
    found = [one for one in plan.of(*MAIL) if one.name != "MAILERS" or not holds(one, CONSOLE)]
    if found:
        plan.note(found[-1:], "Mail is sent as before.")
    elif not set(MAIL) & plan.keep:
        plan.overridden |= set(MAIL)
        yield "globals().update(herokuify.get_email_config())"


def _look_above(plan: Plan, own: list[str]) -> None:
    """Note the lines above that still have an effect, and shouldn't or needn't."""
    plan.overridden |= {*REPLACED, "DEBUG", "SECRET_KEY"} - set(own)
    keys = () if "SECRET_KEY" in own else (*plan.aliases("SECRET_KEY"), "SECRET_KEY")[:1]
    plan.to_type += [f'heroku config:set {key}="$(openssl rand -base64 48)"' for key in keys]
    required = sorted({*plan.source.required()} - {*keys, PRIMARY})  # an add-on sets the URL
    if required:
        values = " ".join(f"{name}=…" for name in required)
        plan.to_type.append(
            f"heroku config:set {values}  # without defaults, unless an add-on sets them"
        )
    if "DEBUG" not in own and any(map(_may_be_true, plan.of("DEBUG"))):
        read = [place for name, place in plan.source.loads if name == "DEBUG"]
        plan.note(read, "This line reads DEBUG before the block changes it.")
        if not plan.names_settings:
            plan.to_type.append("DEBUG=true python manage.py runserver  # in local development")
    for name in own:
        text = f"{name} is kept; without this line, herokuify.common sets it."
        plan.note(plan.of(name), text)
    hosts = [one for one in plan.of("ALLOWED_HOSTS") if holds(one, "*")]
    plan.note(hosts, 'ALLOWED_HOSTS accepts any host, "*". Delete it once the variable is set.')
    if plan.source.django_heroku:
        text = "Delete this call and its import once the variable ALLOWED_HOSTS is set."
        plan.note([plan.source.django_heroku[0]], text)
    text = "The block overrides these settings: move this import below it."
    plan.note(plan.source.optional_imports, text)
    for one in plan.source.assignments:
        new = successor(one.name)
        if new is not None:
            instead = f"; {new} is its successor" if new else ""
            plan.note([one], f"{one.name} has no effect{instead}.")
    apps = [one for one in plan.of("INSTALLED_APPS") if holds(one, "collectfast")]
    plan.note(apps, "Delete this app: herokuify's collectstatic takes its place.")
    if "STORAGES" in plan.keep:
        return
    cached = [one for one in plan.of("AWS_S3_OBJECT_PARAMETERS") if holds(one, "CacheControl")]
    plan.note(
        cached, "CacheControl also applies to files with hashed names, otherwise cached for a year."
    )
    unsigned = plan.of("AWS_QUERYSTRING_AUTH")
    plan.note(unsigned, "The URLs of uploads stay unsigned. Delete this if uploads are private.")
