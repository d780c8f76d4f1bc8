"""The lines that go to the end of the settings, and what there is to say of the lines above."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from herokuify.init.source import (
    Assignment,
    Place,
    Source,
    is_literal,
    is_plain_read,
)
from herokuify.legacy import OBSOLETE

MARK = "# Added by `python -m herokuify init`. It overrides what stands above."
WIDTH = 88
KEEP = "Keep it as it is: python -m herokuify init --keep"
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
HOSTS = ("ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS")
#: Those that herokuify.common sets, and nothing is lost.
REPLACED = ("SECURE_PROXY_SSL_HEADER", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE")
#: Settings that herokuify.aws reads from variables, and by which names.
AWS = {
    name: {name}
    for name in (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("AWS_STORAGE_BUCKET_NAME", "AWS_S3_CUSTOM_DOMAIN", "AWS_S3_ADDRESSING_STYLE"),
    )
} | {
    "AWS_S3_REGION_NAME": {"AWS_S3_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"},
    "AWS_S3_ENDPOINT_URL": {"AWS_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"},
    "AWS_LOCATION": {"AWS_LOCATION"},
}
MAIL = ("EMAIL_BACKEND", "EMAIL_HOST", "MAILERS", "ANYMAIL")
REDIS = {"REDIS_URL", "REDIS_TLS_URL", "REDISCLOUD_URL", "STACKHERO_REDIS_URL_TLS"}
MEMCACHED = {"MEMCACHIER_SERVERS", "MEMCACHEDCLOUD_SERVERS"}
DATABASE_OPTIONS = {
    **dict.fromkeys(("conn_max_age", "conn_health_checks", "ssl_require", "engine")),
    **{name.upper(): name for name in ("conn_max_age", "conn_health_checks", "engine")},
    **dict.fromkeys(("ATOMIC_REQUESTS", "AUTOCOMMIT", "DISABLE_SERVER_SIDE_CURSORS", "OPTIONS")),
    **dict.fromkeys(("TEST", "TIME_ZONE")),
}
URL_READERS = {"config", "parse", "db", "db_url", "dj_db_url"}
DJANGO_S3 = re.compile(r"storages\.backends\.s3|herokuify\.storage\.")
FAMILIAR = re.compile(r"django\.|whitenoise\.storage\.|pipeline\.storage\.")


@dataclass
class Block:
    """What is to be written at the end of the settings, and said about them."""

    source: Source
    keep: frozenset[str]
    #: Whether the deployed site must name its settings in DJANGO_SETTINGS_MODULE.
    settings_variable: bool
    lines: list[str] = field(default_factory=list)
    notes: list[tuple[Place | None, str]] = field(default_factory=list)
    refused: list[tuple[Place, str, str]] = field(default_factory=list)
    to_type: list[str] = field(default_factory=list)
    extras: set[str] = field(default_factory=set)
    overridden: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.refused += self.source.refused
        if not self.source.of("INSTALLED_APPS"):
            self._refuse("INSTALLED_APPS", Place(self.source.file, 1), "is not set in these files")
        before = [*self._variables()]
        own = self._own()
        if own:
            before.append(f"own = {_names(own)}")
            before.append("own = {name: globals()[name] for name in own if name in globals()}")
        hosts = [name for name in HOSTS if name not in own and self._has_hosts(name)]
        before += [f'{_short(name)} = [*globals().get("{name}", ())]' for name in hosts]
        after = ["globals().update(own)"] if own else []
        after += [f"{name} = list(dict.fromkeys([*{_short(name)}, *{name}]))" for name in hosts]
        after.append('INSTALLED_APPS = ["herokuify", *INSTALLED_APPS]')
        after += [*self._databases(), *self._caches(), *self._files(), *self._mail()]
        imports = ["import os", ""] if any("os." in one for one in (*before, *after)) else []
        if any("Path(" in one for one in after):
            imports.insert(-1 if imports else 0, "from pathlib import Path")
        self.lines = [
            *(MARK, *imports, "import herokuify", "", *before),
            *("from herokuify.aws import *", "from herokuify.common import *", "", *after),
        ]
        self._look_above()

    @property
    def text(self) -> str:
        """The lines, as text."""
        return "\n".join(map(_wrapped, self.lines)) + "\n"

    def deletable(self) -> Iterator[tuple[Place, str]]:
        """Yield the lines of the settings file that have no effect any more, with their names."""
        unused = self.overridden - {name for name, _ in self.source.loads}
        for one in self.source.assignments:
            if one.name in unused and one.place.file == self.source.file:
                yield one.place, one.name

    def _refuse(self, name: str, place: Place, problem: str) -> None:
        if name not in self.keep:
            self.refused.append((place, f"{name} {problem}.", f"{KEEP} {name}"))

    def _note(self, place: Place | None, text: str) -> None:
        self.notes.append((place, text))

    def _variables(self) -> Iterator[str]:
        """Yield lines that give variables, and values in the code, the names that are read."""
        for name in ("SECRET_KEY", "DEBUG"):
            for other in sorted(self.aliases(name)):
                yield f'os.environ.setdefault("{name}", os.environ.get("{other}", ""))'
        renamed = [name for name in AWS if name not in self.keep and self._is_elsewhere(name)]
        if renamed:
            yield f"for name in {_names(renamed)}:"
            yield '    os.environ.setdefault(name, str(globals().get(name) or ""))'
        self.overridden |= {name for name in AWS if name not in renamed} - {"AWS_LOCATION"}

    def aliases(self, name: str) -> set[str]:
        """Return the other names of a variable that a setting is read from, and only read."""
        if name in self._own():
            return set()
        return {
            variable
            for one in self.source.of(name)
            for variable in self.source.variables(one.value)
        } - {name}

    def _is_elsewhere(self, name: str) -> bool:
        """Tell whether a setting's value would be lost when it is read from its variable."""
        if name == "AWS_LOCATION" and not self._is_media_on_s3:
            return False
        return any(
            not (is_plain_read(one.value) and self.source.variables(one.value) <= AWS[name])
            for one in self.source.of(name)
        )

    def _own(self) -> list[str]:
        """Return the settings of herokuify.common that stay the project's own."""
        found = [name for name in OWN if any(_differs(one) for one in self.source.of(name))]
        found += [name for name in ("DEBUG", "SECRET_KEY") if self._is_own(name)]
        found += [name for name in (*HOSTS, *REPLACED, "DEBUG", "SECRET_KEY") if name in self.keep]
        return sorted({*found})

    def _is_own(self, name: str) -> bool:
        """Tell whether a setting is computed, and not read from a variable or written down."""
        values = [one.value for one in self.source.of(name) if not is_literal(one.value)]
        read = [self.source.variables(value) for value in values]
        if name == "SECRET_KEY":
            return bool(values) and not any(read)
        return any(
            variables != {name} and not (variables and isinstance(value, ast.Call | ast.Subscript))
            for value, variables in zip(values, read, strict=True)
        )

    def _has_hosts(self, name: str) -> bool:
        heroku = self.source.django_heroku is not None and name == "ALLOWED_HOSTS"
        values = [one.value for one in self.source.of(name)]
        return heroku or any(not (isinstance(one, ast.List) and not one.elts) for one in values)

    def _databases(self) -> Iterator[str]:
        if "DATABASES" in self.keep:
            return
        options: dict[str, str] = {}
        variable, paths, others = "DATABASE_URL", set(), set()
        is_simple = self.source.django_heroku is None
        for alias, key, value, one in self.source.entries("DATABASES"):
            if alias not in {"", "default"}:
                others.add(alias)
                continue
            is_simple &= not (one.is_conditional or self.source.variables(value))
            is_simple &= bool(key) or is_literal(value)
            if key == "NAME" and self._is_sqlite(one):
                paths.add(ast.unparse(value))
            elif not key and isinstance(value, ast.Call):
                if ast.unparse(value.func).rpartition(".")[2] not in URL_READERS:
                    self._refuse("DATABASES", one.place, "is made by a function of the project's")
                for name in self.source.variables(value):
                    variable = name if name.endswith(("_URL", "URL")) else variable
                for keyword in value.keywords:
                    if keyword.arg == "env":
                        variable = str(getattr(keyword.value, "value", variable))
                    self._option(options, keyword.arg or "", keyword.value, one)
            elif key and (key == "ATOMIC_REQUESTS" or not self._is_sqlite(one)):
                self._option(options, key, value, one)
            elif not key and not is_literal(value):
                self._refuse("DATABASES", one.place, "is made in a way that can't be told")
        heroku = self.source.django_heroku
        if heroku and "geodjango" in heroku[1]:
            options["engine"] = "'django.contrib.gis.db.backends.postgis'"
        is_simple &= len(paths) <= 1 and not set(options) - {"ATOMIC_REQUESTS"}
        if variable != "DATABASE_URL":
            options["variable"] = repr(variable)
        merged = bool(others or (heroku and "db_colors" in heroku[1]))
        if is_simple:
            options |= {"sqlite_path": path for path in paths}
        call = f"herokuify.get_db_config({', '.join(f'{k}={v}' for k, v in options.items())})"
        line = f"DATABASES = {{**DATABASES, **{call}}}" if merged else f"DATABASES = {call}"
        if is_simple:
            self.overridden |= set() if merged else {"DATABASES"}
            yield line
            return
        yield f'if os.environ.get("{variable}"):'
        yield f"    {line}"
        for one in self.source.of("DATABASES")[:1]:
            self._note(one.place, f"DATABASES counts while {variable} is not set.")

    def _is_sqlite(self, one: Assignment) -> bool:
        return "sqlite" in ast.unparse(one.value)

    def _option(self, options: dict[str, str], key: str, value: ast.expr, one: Assignment) -> None:
        """Take an option of a database, by the name of get_db_config()'s argument."""
        if "/" in key:
            self._refuse("DATABASES", one.place, f"has its {key.split('/')[0]} changed here")
        if key not in DATABASE_OPTIONS:
            return
        text = ast.unparse(value)
        if key.lower() == "engine" and text[1:].startswith("django.db.backends."):
            return
        name = DATABASE_OPTIONS[key] or key
        if options.setdefault(name, text) != text:
            self._refuse("DATABASES", one.place, f"has another {key} than above")

    def _caches(self) -> Iterator[str]:
        values = [*self.source.entries("CACHES")]
        if not values and "CACHES" not in self.keep:
            is_used = any("REDIS" in one.name for one in self.source.assignments)
            yield from [] if is_used else ["CACHES = herokuify.get_cache_config()"]
            return
        default = [(key, value, one) for alias, key, value, one in values if alias == "default"]
        backends = [ast.unparse(value) for key, value, _ in default if key == "BACKEND"]
        known = re.compile("locmem|dummy|redis|memcached|bmemcached|pylibmc", re.IGNORECASE)
        variables = {
            name for key, value, _ in default if key for name in self.source.variables(value)
        }
        is_redis = any("redis" in one.lower() for one in backends)
        place = values[0][3].place if values else None
        is_known = bool(backends) and all(known.search(one) for one in backends)
        if "CACHES" in self.keep or not is_known or (is_redis and not variables & REDIS):
            self._note(place, "CACHES is kept: herokuify.get_cache_config() can't replace it.")
            return
        if is_redis:
            self.extras.add("redis")
        elif any("memcached" in one or "pylibmc" in one.lower() for one in backends):
            self.extras.add("memcached")
        merged = {alias for alias, *_ in values} - {"default"}
        call = "herokuify.get_cache_config()"
        yield f"CACHES = {{**CACHES, **{call}}}" if merged else f"CACHES = {call}"
        self.overridden |= set() if merged else {"CACHES"}
        kept = {key: ast.unparse(value) for key, value, _ in default}
        kept = {key: kept[key] for key in ("TIMEOUT", "KEY_PREFIX", "VERSION") if key in kept}
        if kept:
            items = ", ".join(f'"{key}": {value}' for key, value in kept.items())
            yield f'CACHES["default"] |= {{{items}}}'
        if any("django_redis" in one for one in backends):
            self._note(
                place,
                "django-redis's OPTIONS and methods (lock, keys, ttl) are not those of "
                "herokuify's cache. If your code calls them: --keep CACHES.",
            )

    @property
    def _is_media_on_s3(self) -> bool:
        return any(DJANGO_S3.search(name) for name, _ in self._backends()["default"])

    def _backends(self) -> dict[str, list[tuple[str, Assignment]]]:
        """Return the classes of each storage, of STORAGES and of the settings before it."""
        found: dict[str, list[tuple[str, Assignment]]] = {"default": [], "staticfiles": []}
        old = {"DEFAULT_FILE_STORAGE": "default", "STATICFILES_STORAGE": "staticfiles"}
        for name, alias in old.items():
            for one in self.source.of(name):
                found[alias].append((str(getattr(one.value, "value", "")), one))
        for alias, key, value, one in self.source.entries("STORAGES"):
            if alias in found and key == "BACKEND":
                found[alias].append((str(getattr(value, "value", "")), one))
            elif not alias or (not key and alias in found):
                self._refuse("STORAGES", one.place, "is made in a way that can't be told")
        return found

    def _files(self) -> Iterator[str]:
        root = not self.source.of("STATIC_ROOT") and self.source.django_heroku is None
        yield from [f"STATIC_ROOT = {self._root()}"] if root else []
        if {"STORAGES", "STATIC_URL"} & self.keep:
            return
        compressor = next(
            (one for one in self.source.of("INSTALLED_APPS") if _has(one, "compressor")), None
        )
        backends = self._backends()
        every = [pair for pairs in backends.values() for pair in pairs]
        is_on_s3 = any(DJANGO_S3.search(name) for name, _ in every)
        if compressor and not is_on_s3:
            self._note(
                compressor.place,
                "Files are kept where they are: for S3, django-compressor wants "
                "`from herokuify.compress import *` (docs: django-compressor).",
            )
            return
        foreign = [pair for pair in every if re.search("gcloud|azure|dropbox|sftp", pair[0])]
        if foreign and not is_on_s3:
            self._note(foreign[0][1].place, "STORAGES is kept: its files are not on S3.")
            return
        for name, one in every:
            is_known = DJANGO_S3.search(name) or FAMILIAR.match(name) or (name, one) in foreign
            if not is_known:
                self._refuse("STORAGES", one.place, f"has a storage of the project's, {name}")
        static_url = {ast.unparse(one.value).strip("'/") for one in self.source.of("STATIC_URL")}
        is_plain = not every and static_url <= {"static"} and not self._has_whitenoise
        lines = [*self._storages(backends)]
        if is_plain:
            self.overridden |= {"STATIC_URL", "STORAGES"}
            yield from lines
            return
        yield "if AWS_STORAGE_BUCKET_NAME:"
        if any(self.source.of(f"{name}_STORAGE") for name in ("STATICFILES", "DEFAULT_FILE")) or (
            self.source.django_heroku
        ):
            yield '    for name in ("DEFAULT_FILE_STORAGE", "STATICFILES_STORAGE"):'
            yield "        globals().pop(name, None)"
        yield from (f"    {line}" for line in lines)

    @property
    def _has_whitenoise(self) -> bool:
        middleware = any(_has(one, "whitenoise.") for one in self.source.of("MIDDLEWARE"))
        return middleware or self.source.django_heroku is not None

    def _storages(self, backends: dict[str, list[tuple[str, Assignment]]]) -> Iterator[str]:
        arguments, media = [], ""
        if self._is_media_on_s3:
            options = self._media_options()
            media = options.get("location", '"media"')
            if options:
                items = ", ".join(f'"{key}": {value}' for key, value in options.items())
                arguments.append(f'media={{"OPTIONS": {{{items}}}}}')
            if not any(DJANGO_S3.search(name) for name, _ in backends["staticfiles"]):
                names = [name for name, _ in backends["staticfiles"]]
                name = (names or ["django.contrib.staticfiles.storage.StaticFilesStorage"])[-1]
                arguments.append(f'static="{name}"')
                place = backends["default"][0][1].place
                self._note(place, f'Static files stay where they are: static="{name}".')
        elif self.source.of("AWS_LOCATION"):
            yield 'AWS_LOCATION = ""'
        yield f"STORAGES = herokuify.get_storages({', '.join(arguments)})"
        if not any(one.startswith("static=") for one in arguments):
            yield "STATIC_URL = get_static_url()"
        if media in {"", '"media"'}:
            yield "MEDIA_URL = get_media_url()"
        else:
            yield f"MEDIA_URL = get_media_url({media})"

    def _media_options(self) -> dict[str, str]:
        """Return the options of uploads on S3; files stay where they are in the bucket."""
        options: dict[str, str] = {}
        for alias, key, value, one in self.source.entries("STORAGES"):
            if alias == "default" and key == "OPTIONS" and isinstance(value, ast.Dict):
                for name, item in zip(value.keys, value.values, strict=True):
                    options[str(getattr(name, "value", ""))] = ast.unparse(item)
            elif alias == "default" and key.startswith("OPTIONS/"):
                options[key.partition("/")[2]] = ast.unparse(value)
            elif alias == "staticfiles" and "bucket_name" in ast.unparse(value):
                self._refuse("STORAGES", one.place, "has another bucket for static files")
        own = next(
            (name for name, _ in self._backends()["default"] if name.startswith("herokuify.")), ""
        )
        options.setdefault("location", '"media"' if own else '""')
        unsigned = any(
            isinstance(one.value, ast.Constant) and not one.value.value
            for one in self.source.of("AWS_QUERYSTRING_AUTH")
        )
        if unsigned and self.source.of("AWS_S3_CUSTOM_DOMAIN"):
            options.setdefault("custom_domain", 'globals().get("AWS_S3_CUSTOM_DOMAIN")')
        if options.get("file_overwrite") == "False":
            del options["file_overwrite"]
        if options["location"].strip("\"'/") == "media":
            del options["location"]
        return options

    def _root(self) -> str:
        values = [ast.unparse(one.value) for one in self.source.of("BASE_DIR")]
        if values and all("Path(" in one and not one.startswith("str(") for one in values):
            return 'BASE_DIR / "staticfiles"'
        depth = len(self.source.file.relative_to(self.source.root).parts) - 1
        return f'Path(__file__).resolve().parents[{depth}] / "staticfiles"'

    def _mail(self) -> Iterator[str]:
        found = [one for name in MAIL for one in self.source.of(name)]
        if found:
            self._note(found[-1].place, "Mail is kept as it is.")
        elif not set(MAIL) & self.keep:
            yield "globals().update(herokuify.get_email_config())"

    def _look_above(self) -> None:
        """Note the lines above that still have an effect, and shouldn't or needn't."""
        source = self.source
        self.overridden |= {*REPLACED, "DEBUG", "SECRET_KEY"} - set(self._own()) - self.keep
        for name in self._own():
            for one in source.of(name):
                self._note(one.place, f"{name} is kept; without this line herokuify sets it.")
        for one in source.of("ALLOWED_HOSTS"):
            if _has(one, "*"):
                text = 'ALLOWED_HOSTS accepts any host, "*": set the variable ALLOWED_HOSTS instead.'
                self._note(one.place, text)
        if not self.aliases("SECRET_KEY") and "SECRET_KEY" not in self._own():
            self.to_type.append('heroku config:set SECRET_KEY="$(openssl rand -base64 48)"')
        if any(ast.unparse(one.value) == "True" for one in source.of("DEBUG")) and (
            "DEBUG" in self.overridden
        ):
            for name, place in source.loads:
                if name == "DEBUG":
                    self._note(place, "This line reads DEBUG before the block changes it.")
            if not self.settings_variable:
                self.to_type.append("locally: DEBUG=true python manage.py runserver")
        if source.django_heroku:
            text = "Delete this call and its import, after setting the variable ALLOWED_HOSTS."
            self._note(source.django_heroku[0], text)
        for place in source.optional_imports:
            self._note(place, "The block overrides these settings: move this import below it.")
        for one in source.assignments:
            if one.name in OBSOLETE and not one.keys:
                self._note(one.place, f"{one.name} has no effect: {OBSOLETE[one.name]}")
        for one in source.of("INSTALLED_APPS"):
            if _has(one, "collectfast"):
                self._note(one.place, "Delete collectfasta: herokuify's collectstatic runs.")
        for one in source.of("AWS_S3_OBJECT_PARAMETERS"):
            if _has(one, "CacheControl"):
                text = "This CacheControl overrides the year for which hashed names are cached."
                self._note(one.place, text)
        for one in source.of("AWS_QUERYSTRING_AUTH"):
            self._note(one.place, "Uploads stay unsigned: delete this if they are not public.")


def _differs(one: Assignment) -> bool:
    """Tell whether a setting is another than herokuify.common's on a dyno."""
    return one.name != "SECURE_SSL_REDIRECT" or ast.unparse(one.value) != "True"


def _has(one: Assignment, text: str) -> bool:
    return any(
        isinstance(node, ast.Constant) and isinstance(node.value, str) and _matches(node.value, text)
        for node in ast.walk(one.value)
    )


def _matches(value: str, text: str) -> bool:
    return value == text if text == "*" else value.startswith(text)


def _names(names: list[str]) -> str:
    return "(" + ", ".join(f'"{name}"' for name in names) + ("," if len(names) == 1 else "") + ")"


def _wrapped(line: str) -> str:
    """Break a long line at the commas of its outermost brackets."""
    found = re.fullmatch(r"( *)(.*?[(\[])(.*)([)\]]+:?)", line)
    if len(line) <= WIDTH or not found:
        return line
    indent, head, inside, tail = found.groups()
    parts, depth = [""], 0
    for character in inside:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    items = [f"{indent}    {part.strip()}," for part in parts if part.strip()]
    return "\n".join([indent + head, *map(_wrapped, items), indent + tail])


def _short(name: str) -> str:
    return "hosts" if name == "ALLOWED_HOSTS" else "origins"
