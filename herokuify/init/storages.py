"""STORAGES, and the URLs of files: S3 where a bucket is set, else what the project has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from herokuify.conf.addons import KEYS
from herokuify.init.plan import Plan, holds
from herokuify.init.source import Assignment
from herokuify.legacy import LEGACY_SETTINGS

ON_S3 = re.compile(r"storages\.backends\.s3")
ELSEWHERE = re.compile(r"storages\.backends\.")
FAMILIAR = re.compile(r"django\.|whitenoise\.storage\.")
MEDIA = '"media"'
STATIC = "django.contrib.staticfiles.storage.StaticFilesStorage"


def root_line(plan: Plan) -> Iterator[str]:
    """Yield the line that sets STATIC_ROOT, where nothing does."""
    if plan.of("STATIC_ROOT") or plan.source.django_heroku:
        return
    values = [ast.unparse(one.value) for one in plan.of("BASE_DIR")]
    if values and all(re.match(r"(pathlib\.)?Path\(", one) for one in values):
        yield 'STATIC_ROOT = BASE_DIR / "staticfiles"'
    else:
        depth = len(plan.source.file.relative_to(plan.source.root).parts) - 1
        yield f'STATIC_ROOT = Path(__file__).resolve().parents[{depth}] / "staticfiles"'


def storage_lines(plan: Plan) -> Iterator[str]:
    """Yield the lines that set STORAGES and what goes with it."""
    if {"STORAGES", "STATIC_URL"} & plan.keep:
        return
    classes = classes_of(plan)
    every = [pair for pairs in classes.values() for pair in pairs]
    is_on_s3 = any(ON_S3.match(name) for name, _ in every)
    compressor = [one for one in plan.of("INSTALLED_APPS") if holds(one, "compressor")]
    if compressor and not is_on_s3:
        text = "Files stay where they are: the docs' page on django-compressor moves them to S3."
        plan.note(compressor, text)
        return
    foreign = [one for name, one in every if ELSEWHERE.match(name) and not ON_S3.match(name)]
    if foreign and not is_on_s3:
        plan.note(foreign, "STORAGES is kept: its files are not on S3.")
        return
    for name, one in every:
        if not name:
            plan.refuse("STORAGES", one.place, "has a class that can't be told")
        elif not ELSEWHERE.match(name) and not FAMILIAR.match(name):
            plan.refuse("STORAGES", one.place, f"has a class that is the project's, {name}")
    lines = _lines(plan, classes)
    whitenoise = plan.source.django_heroku or any(
        holds(one, "whitenoise.") for one in plan.of("MIDDLEWARE")
    )
    if not whitenoise and not is_on_s3:
        values = " ".join(f"{name}=…" for name in (*KEYS, "AWS_STORAGE_BUCKET_NAME"))
        plan.to_type.append(f"heroku config:set {values}  # or install WhiteNoise")
    urls = [
        (one.name, ast.unparse(one.value).strip("'/")) for one in plan.of("STATIC_URL", "MEDIA_URL")
    ]
    usual = {("STATIC_URL", "static"), ("MEDIA_URL", "media"), ("MEDIA_URL", "")}
    if not every and not whitenoise and usual.issuperset(urls):
        plan.overridden |= {"STATIC_URL"}
        yield from lines
        return
    yield "if AWS_STORAGE_BUCKET_NAME:"
    if plan.of(*LEGACY_SETTINGS) or plan.source.django_heroku:
        yield '    for name in ("DEFAULT_FILE_STORAGE", "STATICFILES_STORAGE"):'
        yield "        globals().pop(name, None)"
    yield from (f"    {line}" for line in lines)


def classes_of(plan: Plan) -> dict[str, list[tuple[str, Assignment]]]:
    """Return the classes that each of the two storages may have, the last one last."""
    found: dict[str, list[tuple[str, Assignment]]] = {"default": [], "staticfiles": []}
    for one in plan.of(*LEGACY_SETTINGS):
        found[LEGACY_SETTINGS[one.name]].append((str(getattr(one.value, "value", "")), one))
    for alias, key, value, one in plan.source.entries("STORAGES"):
        if alias in found and key == "BACKEND":
            found[alias].append((str(getattr(value, "value", "")), one))
        elif not alias or (not key and alias in found):
            plan.refuse("STORAGES", one.place, "is made in a way that can't be told")
        elif alias == "staticfiles" and "bucket_name" in ast.unparse(value):
            plan.refuse("STORAGES", one.place, "has another bucket for static files")
    return found


def has_media_on_s3(plan: Plan) -> bool:
    """Return whether uploads are on S3 today, so that they have a place in a bucket."""
    return any(ON_S3.match(name) for name, _ in classes_of(plan)["default"])


def _lines(plan: Plan, classes: dict[str, list[tuple[str, Assignment]]]) -> Iterator[str]:
    arguments, location = [], MEDIA
    static = [name for name, _ in classes["staticfiles"]]
    is_static = True
    if has_media_on_s3(plan):
        options = _media_options(plan)
        location = options.get("location", location)
        if options:
            items = ", ".join(f'"{key}": {value}' for key, value in options.items())
            arguments.append(f'media={{"OPTIONS": {{{items}}}}}')
        is_static = any(map(ON_S3.match, static))
        if not is_static:
            name = (static or [STATIC])[-1]
            arguments.append(f'static="{name}"')
            places = [one for _, one in classes["staticfiles"] or classes["default"]]
            plan.note(places[-1:], "Static files stay where they are.")
    elif plan.of("AWS_LOCATION") and "AWS_LOCATION" not in plan.keep:
        yield 'AWS_LOCATION = ""'
    if is_static and (plan.source.django_heroku or any("Compressed" in name for name in static)):
        arguments.append('static={"OPTIONS": {"gzip": True}}')  # as WhiteNoise does
    call = f"herokuify.get_storages({', '.join(arguments)})"
    aliases = {alias for alias, *_ in plan.source.entries("STORAGES")}
    others = aliases - {"default", "staticfiles"}
    yield plan.with_others("STORAGES", call) if others else f"STORAGES = {call}"
    if is_static:
        yield "STATIC_URL = get_static_url()"
    if "MEDIA_URL" not in plan.keep:
        yield f"MEDIA_URL = get_media_url({'' if location == MEDIA else location})"


def _media_options(plan: Plan) -> dict[str, str]:
    """Return the options of uploads on S3, with which they stay where they are in the bucket."""
    options: dict[str, str] = {}
    for alias, key, value, _ in plan.source.entries("STORAGES"):
        if alias == "default" and key == "OPTIONS" and isinstance(value, ast.Dict):
            pairs = zip(value.keys, value.values, strict=True)
            options |= {str(getattr(name, "value", "")): ast.unparse(item) for name, item in pairs}
        elif alias == "default" and key.startswith("OPTIONS/"):
            options[key.partition("/")[2]] = ast.unparse(value)
    options.setdefault("location", '""')
    unsigned = any(ast.unparse(one.value) == "False" for one in plan.of("AWS_QUERYSTRING_AUTH"))
    if unsigned and plan.of("AWS_S3_CUSTOM_DOMAIN"):
        options.setdefault("custom_domain", 'globals().get("AWS_S3_CUSTOM_DOMAIN")')
    if options.get("file_overwrite") == "False":
        del options["file_overwrite"]
    if options["location"].strip("\"'/") == "media":
        del options["location"]
    return options
