"""The platforms that herokuify detects, and hints with each platform's commands."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Platform:
    """A platform: its name, the variable that detects it, and its commands.

    ``command`` sets variables, with ``argument`` as the format of each, and ``unset`` deletes them.
    Without a command, variables are set on the platform's website.
    """

    name: str
    detected_by: str
    command: str = ""
    argument: str = "{}=…"
    unset: str = ""


HEROKU = Platform("Heroku", "DYNO", "heroku config:set", unset="heroku config:unset")
FLY = Platform("Fly.io", "FLY_MACHINE_ID", "fly secrets set", unset="fly secrets unset")
SCALINGO = Platform(
    "Scalingo", "SCALINGO_APPLICATION_ID", "scalingo env-set", unset="scalingo env-unset"
)
#: The first platform whose variable is set is used. Sources: Heroku Dev Center, "Dynos and the
#: Dyno Manager" (Dokku sets DYNO, too, in ``scheduler-deploy-process-container``); Scalingo,
#: "Environment Variables"; Fly.io, "The Machine Runtime Environment"; Render, "Default Environment
#: Variables"; Railway, "Variables Reference"; Koyeb, "Environment Variables".
PLATFORMS = (
    HEROKU,
    SCALINGO,
    FLY,
    Platform("Render", "RENDER"),
    Platform("Railway", "RAILWAY_ENVIRONMENT_NAME", "railway variables", '--set "{}=…"'),
    Platform("Koyeb", "KOYEB_APP_NAME"),
)
#: Heroku's add-ons → what they provide, for hints on other platforms.
_ADDONS = {"heroku-postgresql": "a PostgreSQL database", "heroku-redis": "a Redis service"}
_ADDONS |= {"bucketeer": "a bucket", "mailgun": "a mail service"}

# Not compiled here, because compiling takes longer than loading the module.
_SET = r'heroku config:set((?: [A-Z][A-Z0-9_]*=(?:"[^"]*"|[^\s,;)"]*))+)'
_PAIR = r'([A-Z][A-Z0-9_]*)=("[^"]*"|[^\s,;)"]*)'
_UNSET = r"heroku config:unset((?: [A-Z][A-Z0-9_]*)+)"
_CREATE = r"heroku addons:create ([a-z-]+)(?::[a-z0-9-]+)?(?: --as [A-Z0-9_]+)?"
#: Any other command, with its options.
_OTHER = (
    r"heroku (?:[a-z]+:[a-z:-]+[a-z]|addons|restart|ps|logs)"
    r"(?: --[a-z-]+(?: [\w-]+)?| runtime-dyno-metadata| …)*"
)
#: Variables of add-ons. Heroku refuses to set them while an add-on is attached under that name.
_OWNED = (
    r"heroku config:set (?:[A-Z0-9_]+=\S* )*?"
    r"(\w*(?:DATABASE|POSTGRES|REDIS)\w*_URL|(?:MAILERTOGO|MAILGUN|MEMCACH|POSTMARK|SPARKPOST)\w+)="
)


def get_platform(environ: Mapping[str, str]) -> Platform | None:
    """Return the platform that the code runs on; None if it can't be detected.

    Dokku is detected as Heroku. DigitalOcean and plain containers can't be detected.
    """
    return next((one for one in PLATFORMS if environ.get(one.detected_by, "").strip()), None)


def adapted(hint: str, environ: Mapping[str, str] | None = None) -> str:
    """Return a hint with the commands of the platform that the code runs on.

    Hints are written with Heroku's commands, which stay if no platform is detected. To those that
    set a variable that an add-on may have set, what Heroku then requires first is added.
    """
    environ = os.environ if environ is None else environ
    platform = get_platform(environ)
    if "heroku " not in hint:
        return hint
    if platform is None or platform is HEROKU:
        owned = re.search(_OWNED, hint)
        if owned is None or not environ.get(owned[1], "").strip() or "heroku addons:" in hint:
            return hint
        move = "heroku addons:attach … --as …, and heroku addons:detach …"
        return f"{hint} (if an add-on has set {owned[1]}, first: {move})"
    where = f"in the service's environment on {platform.name}"

    def setting(match: re.Match[str]) -> str:
        pairs = re.findall(_PAIR, match[1])
        if platform.command:
            shape = platform.argument.replace("…", "{}")
            return " ".join([platform.command, *(shape.format(*pair) for pair in pairs)])
        return f"set {' '.join(f'{name}={value}' for name, value in pairs)} {where}"

    def unsetting(match: re.Match[str]) -> str:
        return f"{platform.unset}{match[1]}" if platform.unset else f"delete{match[1]} {where}"

    def adding(match: re.Match[str]) -> str:
        return f"add {_ADDONS.get(match[1], match[1])} on {platform.name}"

    hint = hint.replace("heroku run ", "")  # in a shell on the platform
    for pattern, replaced in ((_SET, setting), (_UNSET, unsetting), (_CREATE, adding)):
        hint = re.sub(pattern, replaced, hint)
    hint = re.sub(_OTHER, f"{platform.name}'s website", hint)
    return hint[:1].upper() + hint[1:] if hint.startswith(("set ", "delete ", "add ")) else hint
