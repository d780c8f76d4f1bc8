"""Read and convert variables of an environment, or of any other mapping of strings.

A variable that is empty or blank counts as unset. Converters get the stripped text, and raise
ValueError with what they accept ("an integer, such as 3"), never with the value; :func:`read` adds
the variable's name, its value unless it is secret, and the command that fixes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar, overload
from urllib.parse import urlsplit

from herokuify.exceptions import ConfigurationError
from herokuify.platforms import FLY, HEROKU, PLATFORMS
from herokuify.platforms import Platform as Platform  # noqa: PLC0414 (for users, too)
from herokuify.platforms import get_platform as get_platform  # noqa: PLC0414

T = TypeVar("T")
D = TypeVar("D")

TRUE = ("true", "yes", "on", "1")
FALSE = ("false", "no", "off", "0")
LONGEST_SHOWN = 80  # characters of a wrong value that a message repeats


@dataclass(frozen=True)
class Variable:
    """A config var that a herokuify module reads; each module lists its own in VARIABLES.

    The first of ``names`` that is set wins; ``<COLOR>`` in a name is a placeholder. ``purpose``
    says what it is for. The value of a ``secret`` is never shown. ``settings`` are the resulting
    settings, of which the first that exists is shown.
    """

    names: tuple[str, ...]
    purpose: str
    secret: bool = False
    settings: tuple[str, ...] = ()

    def names_set(self, environ: Mapping[str, str]) -> list[str]:
        """Return the names that are set, beginning with the one that is used."""
        patterns = [re.sub(r"<\w+>", "[A-Z0-9_]+", name) for name in self.names]
        return [
            name
            for pattern in patterns
            for name in sorted(environ)
            if re.fullmatch(pattern, name) and _text_of(environ, name)
        ]


STAGE = "HEROKUIFY_STAGE"
FLY_RELEASE = "RELEASE_COMMAND"
VARIABLES = (
    Variable((STAGE,), "the stage, if it can't be detected: build, ci, release, dyno or local"),
    Variable(("DYNO",), "Heroku's name of the dyno, by which the stage is detected"),
    Variable(("PORT",), "the port of a web dyno, which a build doesn't have"),
    Variable(("SOURCE_VERSION",), "the commit of a build, by which a build is detected"),
    Variable(("CI",), "true in Heroku CI and other CI services"),
    *(
        Variable((one.detected_by,), f"set by {one.name}, by which it is detected")
        for one in PLATFORMS
        if one is not HEROKU
    ),
    Variable((FLY_RELEASE,), "Fly.io: set for the release command"),
)


class Stage(Enum):
    """The stage in which the code runs, on Heroku or another platform, or locally."""

    BUILD = "build"
    CI = "ci"
    RELEASE = "release"
    DYNO = "dyno"
    LOCAL = "local"


DEPLOYED = frozenset({Stage.BUILD, Stage.RELEASE, Stage.DYNO})
LIVE = frozenset({Stage.RELEASE, Stage.DYNO})  # with the site's production data


def get_stage(environ: Mapping[str, str]) -> Stage:
    """Return the stage: build, CI, release phase, running site or local development.

    HEROKUIFY_STAGE overrides it. Raises ConfigurationError if its value is not a stage.
    """
    return explain_stage(environ)[0]


def explain_stage(environ: Mapping[str, str]) -> tuple[Stage, str]:
    """Return the stage, and the name of the variable that decides it, or ``""``.

    DYNO is not enough: Heroku sets it in all stages (Heroku Dev Center, "Dyno Startup Behavior";
    heroku-buildpack-python, ``spec/fixtures/ci_pip`` and
    ``spec/fixtures/hooks_pre_compile_pass_post_compile_fail``). In a build, SOURCE_VERSION is set
    to the commit ("Buildpack API", and Scalingo, "Environment Variables"), and PORT is not set.
    Heroku CI sets ``CI=true`` ("Heroku CI"), as other CI services do. Fly.io sets RELEASE_COMMAND
    for the release command (flyctl, ``ToReleaseMachineConfig``).

    Raises ConfigurationError if HEROKUIFY_STAGE is not a stage.
    """
    given = read(environ, STAGE, convert=one_of(*(stage.value for stage in Stage)))
    if given:
        return Stage(given), STAGE
    platform = get_platform(environ)
    if platform is FLY and _text_of(environ, FLY_RELEASE):
        return Stage.RELEASE, FLY_RELEASE
    if platform is not None and platform is not HEROKU:
        # Most platforms set their variables in builds, too, and builds can't be recognized
        # otherwise. A site mistaken for a build would sign with a random key.
        return Stage.DYNO, platform.detected_by
    return _stage_by_process(environ)


def _stage_by_process(environ: Mapping[str, str]) -> tuple[Stage, str]:
    """Return the stage on Heroku, in CI, and in a build on Scalingo."""
    process = _process_type(_text_of(environ, "DYNO"))
    has_port = bool(_text_of(environ, "PORT"))
    # First, because the app may have a config var CI (which npm packages read) or SOURCE_VERSION
    # (which some buildpacks keep) in production.
    if process == "release" or (process == "web" and has_port):
        return Stage.RELEASE if process == "release" else Stage.DYNO, "DYNO"
    # Heroku CI runs in a one-off dyno; on a worker, CI=true is a config var of the app.
    if process in {"", "run"} and _text_of(environ, "CI").lower() not in {"", *FALSE}:
        return Stage.CI, "CI"
    if _text_of(environ, "SOURCE_VERSION") and not has_port:
        return Stage.BUILD, "SOURCE_VERSION"
    return (Stage.DYNO, "DYNO") if process else (Stage.LOCAL, "")


def _process_type(dyno: str) -> str:
    """Return ``web`` from ``web.1`` (Cedar) and ``web-12a34b56d-e78f9`` (Fir)."""
    return dyno.partition(".")[0] if "." in dyno else dyno.rsplit("-", 2)[0]


@overload
def read(environ: Mapping[str, str], *names: str, secret: bool = ...) -> str | None: ...
@overload
def read(environ: Mapping[str, str], *names: str, default: str, secret: bool = ...) -> str: ...
@overload
def read(
    environ: Mapping[str, str], *names: str, convert: Callable[[str], T], secret: bool = ...
) -> T | None: ...
@overload
def read(
    environ: Mapping[str, str],
    *names: str,
    convert: Callable[[str], T],
    default: D,
    secret: bool = ...,
) -> T | D: ...
def read(
    environ: Mapping[str, str],
    *names: str,
    convert: Callable[[str], object] = str,
    default: object = None,
    secret: bool = False,
) -> object:
    """Return the converted value of the first variable that is set; ``default`` if none is.

    Raises ConfigurationError for an invalid value. The message doesn't contain the value of a
    ``secret``, nor a URL's user, password and query.
    """
    for name in names:
        value = _text_of(environ, name)
        if value:
            try:
                return convert(value)
            except ValueError as error:
                found = "malformed" if secret else _shown(value)
                accepted = _accepted(convert, value, error, secret=secret)
                raise ConfigurationError(
                    f"{name} is {found}; it must be {accepted}.", config_set([name], environ)
                ) from None
    return default


def _accepted(
    convert: Callable[[str], object], value: str, error: ValueError, *, secret: bool
) -> str:
    """Return the converter's message, unless it may contain the value."""
    own = str(getattr(convert, "__module__", "")).partition(".")[0] == __name__.partition(".")[0]
    if own or not (secret or value in str(error) or repr(value)[1:-1] in str(error)):
        return str(error)
    return f"a value that {getattr(convert, '__name__', 'its converter')}() accepts"


def is_set(environ: Mapping[str, str], *names: str) -> bool:
    """Return whether any of the variables is set."""
    return any(_text_of(environ, name) for name in names)


def names_set(environ: Mapping[str, str]) -> frozenset[str]:
    """Return the names of all variables that are set, without their values."""
    return frozenset(name for name in environ if _text_of(environ, name))


def require(environ: Mapping[str, str], *names: str, needed_by: str) -> dict[str, str]:
    """Return the values of the variables, by name.

    Raises one ConfigurationError for all missing variables; ``needed_by`` is its subject.
    """
    found = {name: _text_of(environ, name) for name in names}
    missing = [name for name in names if not found[name]]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise ConfigurationError(
            f"{needed_by} needs {listed(names)}, but {listed(missing)} {verb} not set.",
            config_set(missing, environ),
        )
    return found


def require_all_or_none(
    environ: Mapping[str, str], *names: str, needed_by: str
) -> dict[str, str] | None:
    """Return the values of the variables, by name, or None if none is set.

    Raises ConfigurationError if only some are set, like :func:`require`.
    """
    return require(environ, *names, needed_by=needed_by) if is_set(environ, *names) else None


def listed(names: Iterable[str]) -> str:
    """Format names as prose: ``A``, ``A and B``, ``A, B and C``."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def config_set(names: Iterable[str], environ: Mapping[str, str] | None = None) -> str:
    """Return the command that sets variables on the platform of ``environ``, by default Heroku."""
    platform = get_platform(environ or {}) or HEROKU
    if not platform.command:
        return f"Set {listed(names)} in the service's environment on {platform.name}."
    return " ".join([platform.command, *(platform.argument.format(name) for name in names)])


def boolean(value: str) -> bool:
    """Convert true, yes, on, 1, and false, no, off, 0, in upper or lower case."""
    if value.lower() not in TRUE + FALSE:
        raise ValueError(f"{', '.join(TRUE)} or {', '.join(FALSE)}")
    return value.lower() in TRUE


def integer(value: str) -> int:
    """Convert a whole number in decimal digits."""
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", value):
        raise ValueError("an integer, such as 3")
    return int(value)


def port(value: str) -> int:
    """Convert the number of a TCP port."""
    if not re.fullmatch("[0-9]{1,5}", value) or not 0 < int(value) < 65536:
        raise ValueError("a port's number, such as 587")
    return int(value)


def url(value: str) -> str:
    """Check an absolute URL: it has a scheme and a host, and no whitespace."""
    if not _is_url(value):
        raise ValueError("an absolute URL, such as https://example.com/path")
    return value


def http_url(value: str) -> str:
    """Check an http or https URL without user, password, query and fragment."""
    parts = urlsplit(value) if _is_url(value) else None
    if (
        parts is None
        or parts.scheme not in {"http", "https"}
        or "@" in parts.netloc
        or parts.query
        or parts.fragment
    ):
        raise ValueError("an http or https URL without a password or query: https://example.com")
    return value


def comma_list(value: str) -> list[str]:
    """Split at commas, strip the items and drop empty ones."""
    return [item.strip() for item in value.split(",") if item.strip()]


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a converter that accepts these lower-case words, in any case."""

    def convert(value: str) -> str:
        if value.lower() not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return value.lower()

    return convert


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        # Reading the port validates it.
        complete = bool(parts.scheme and parts.hostname) and parts.port != 0
    except ValueError:
        return False
    # urlsplit() drops newlines and tabs silently.
    return complete and not re.search(r"[\s\x00-\x1f\x7f]", value)


def _text_of(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip()


def _shown(value: str) -> str:
    """Return an invalid value for a message, without what may be a password."""
    value = re.sub(r"\?.*", "?…", re.sub(r".*@", "…@", value, flags=re.DOTALL), flags=re.DOTALL)
    return repr(value if len(value) <= LONGEST_SHOWN else value[:LONGEST_SHOWN] + "…")
