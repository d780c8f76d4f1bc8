"""The site's domains, from ALLOWED_HOSTS and from the platform's variables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from herokuify import env, platforms

#: Names by which a local server, such as runserver, is reached.
LOCAL_HOSTS = (".localhost", "127.0.0.1", "[::1]")

VARIABLES = (
    env.Variable(
        ("ALLOWED_HOSTS",), "the site's domains, separated by commas", settings=("ALLOWED_HOSTS",)
    ),
    env.Variable(
        ("CSRF_TRUSTED_ORIGINS",),
        "other sites whose forms are accepted, separated by commas",
        settings=("CSRF_TRUSTED_ORIGINS",),
    ),
    env.Variable(
        ("HEROKU_APP_DEFAULT_DOMAIN_NAME",),
        "dyno metadata: a domain of the site",
        settings=("ALLOWED_HOSTS",),
    ),
    *(
        env.Variable((name,), f"{platform}: a domain of the site", settings=("ALLOWED_HOSTS",))
        for name, platform in (
            ("RENDER_EXTERNAL_HOSTNAME", "Render"),
            ("RAILWAY_PUBLIC_DOMAIN", "Railway"),
            ("KOYEB_PUBLIC_DOMAIN", "Koyeb"),
            ("FLY_APP_NAME", "Fly.io"),
            ("APP", "Scalingo"),
            ("REGION_NAME", "Scalingo"),
        )
    ),
)
#: Variables that contain a domain of the site; not set if no domain leads to the process.
DOMAINS = (
    "HEROKU_APP_DEFAULT_DOMAIN_NAME",
    "RENDER_EXTERNAL_HOSTNAME",
    "RAILWAY_PUBLIC_DOMAIN",
    "KOYEB_PUBLIC_DOMAIN",
)

_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_NAME = rf"{_LABEL}(?:\.{_LABEL})*"
_IPV6 = r"\[[0-9A-Fa-f:.]+\]"


def host(value: str) -> str:
    """Convert a domain (``.example.com`` with its subdomains), an IP address or ``*``."""
    if not re.fullmatch(rf"\*|\.?{_NAME}|{_IPV6}", value):
        raise ValueError("domain names such as www.example.com, without https:// or ports")
    return value.lower()


def hosts(value: str) -> list[str]:
    """Convert domains that are separated by commas."""
    return [host(item) for item in env.comma_list(value)]


def origins(value: str) -> list[str]:
    """Convert origins that are separated by commas: a scheme and a host, such as ``*.a.com``."""
    items = env.comma_list(value)
    origin = rf"https?://(?:(?:\*\.)?{_NAME}|{_IPV6})(?::[0-9]{{1,5}})?"
    if not all(re.fullmatch(origin, item) for item in items):
        raise ValueError("origins, such as https://www.example.com or https://*.example.com")
    return items


def domain(value: str) -> str:
    """Convert a single domain, from a platform's variable."""
    if value.startswith(("*", ".", "[")):
        raise ValueError("a domain, such as example-1234567890ab.herokuapp.com")
    return host(value)


def read_hosts(environ: Mapping[str, str], *, is_local: bool) -> dict[str, list[str]]:
    """Read ALLOWED_HOSTS and CSRF_TRUSTED_ORIGINS; ``is_local`` adds LOCAL_HOSTS.

    Raises ConfigurationError for an invalid value.
    """
    given = env.read(environ, "ALLOWED_HOSTS", convert=hosts) or []
    trusted = env.read(environ, "CSRF_TRUSTED_ORIGINS", convert=origins) or []
    of_platform = _domains_of_platform(environ)
    return {
        "ALLOWED_HOSTS": _unique(*given, *of_platform, *(LOCAL_HOSTS if is_local else ())),
        "CSRF_TRUSTED_ORIGINS": _unique(*trusted, *(f"https://{name}" for name in of_platform)),
    }


def _domains_of_platform(environ: Mapping[str, str]) -> list[str]:
    """Return the domains that the platform has assigned to the site.

    HEROKU_APP_NAME is not used: the domains of apps created since June 2023 have a random part
    (Heroku Dev Center, "App Names and Subdomains").
    """
    found = [env.read(environ, name, convert=domain) for name in DOMAINS]
    platform = env.get_platform(environ)
    fly, app, region = (
        env.read(environ, name, default="") for name in ("FLY_APP_NAME", "APP", "REGION_NAME")
    )
    # Only on these platforms: elsewhere, a variable APP may contain anything.
    if platform is platforms.FLY and re.fullmatch(_LABEL, fly):
        found.append(f"{fly}.fly.dev")
    elif platform is platforms.SCALINGO and re.fullmatch(rf"{_LABEL} {_LABEL}", f"{app} {region}"):
        found.append(f"{app}.{region}.scalingo.io")
    return [name for name in found if name]


def site_origins(allowed_hosts: Iterable[str], trusted_origins: Iterable[str]) -> list[str]:
    """Return the origins of the site's pages for CORS rules; ``["*"]`` for any.

    Takes Django's ALLOWED_HOSTS and CSRF_TRUSTED_ORIGINS. Domains are assumed to use HTTPS, and
    LOCAL_HOSTS are left out.
    """
    names = [name for name in allowed_hosts if name not in LOCAL_HOSTS]
    if "*" in names:
        return ["*"]
    found = []
    for name in names:
        found.append(f"https://{name.removeprefix('.')}")
        if name.startswith("."):  # with its subdomains
            found.append(f"https://*{name}")
    return _unique(*found, *trusted_origins)


def _unique(*items: str) -> list[str]:
    return list(dict.fromkeys(items))
