"""Settings fragment for S3: ``from herokuify.aws import *``.

Reads the plain config vars and those of add-ons that provide a bucket, and opens no connection. If
nothing is set, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_STORAGE_BUCKET_NAME are None, and
the other names don't exist.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from django.core.checks import Tags, register

from herokuify import env
from herokuify.conf.addons import KEYS, bucket_name, find_addon, region_name
from herokuify.conf.addresses import names_bucket, s3_base_url, url_path
from herokuify.exceptions import ConfigurationError
from herokuify.legacy import OFFLINE_MANIFEST_STORAGE, check_legacy_settings

# For type checkers. Only the first three names always exist.
AWS_ACCESS_KEY_ID: str | None
AWS_SECRET_ACCESS_KEY: str | None
AWS_STORAGE_BUCKET_NAME: str | None
AWS_SESSION_TOKEN: str
AWS_S3_REGION_NAME: str
AWS_S3_ENDPOINT_URL: str
AWS_S3_PUBLIC_ENDPOINT_URL: str
AWS_S3_CUSTOM_DOMAIN: str
AWS_S3_ADDRESSING_STYLE: str
AWS_LOCATION: str
AWS_PUBLIC_LOCATION: str
AWS_AUTO_CREATE_BUCKET: bool

TOKEN = "AWS_SESSION_TOKEN"  # noqa: S105 (a variable's name)
BUCKET = "AWS_STORAGE_BUCKET_NAME"
ENDPOINT = "AWS_S3_ENDPOINT_URL"
PUBLIC_ENDPOINT = "AWS_S3_PUBLIC_ENDPOINT_URL"
AUTO_CREATE = "AWS_AUTO_CREATE_BUCKET"
ALWAYS = (*KEYS, BUCKET)

# If "compressor" is above "herokuify" in INSTALLED_APPS, its own `compress` runs, which runs no
# checks and loses errors. Only the storage of the manifest, which it writes last, can stop the
# build then.
COMPRESS_OFFLINE_MANIFEST_STORAGE = OFFLINE_MANIFEST_STORAGE


def bare_host(value: str) -> str:
    """Check a host with an optional port."""
    label = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    if not re.fullmatch(rf"{label}(?:\.{label})*(?::[0-9]{{1,5}})?", value):
        raise ValueError("a host name such as cdn.example.com, without https:// or slashes")
    return value


def key_prefix(value: str) -> str:
    """Strip slashes from both ends of a key prefix."""
    parts = [part for part in value.split("/") if part]
    if {".", ".."} & set(parts):
        raise ValueError("a folder in the bucket such as my-app, without . or ..")
    return "/".join(parts)


#: Setting → the variables, of which the first that is set is read, and their converter.
PLACEMENT: Mapping[str, tuple[tuple[str, ...], Callable[[str], str]]] = {
    BUCKET: ((BUCKET,), bucket_name),
    "AWS_S3_REGION_NAME": (
        ("AWS_S3_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"),
        region_name,
    ),
    ENDPOINT: ((ENDPOINT, "AWS_ENDPOINT_URL_S3"), env.http_url),
    PUBLIC_ENDPOINT: ((PUBLIC_ENDPOINT,), env.http_url),
    "AWS_S3_CUSTOM_DOMAIN": (("AWS_S3_CUSTOM_DOMAIN",), bare_host),
    "AWS_S3_ADDRESSING_STYLE": (
        ("AWS_S3_ADDRESSING_STYLE",),
        env.one_of("auto", "virtual", "path"),
    ),
    "AWS_LOCATION": (("AWS_LOCATION",), key_prefix),
}

VARIABLES = (
    *(env.Variable((name,), "access to S3", secret=True, settings=(name,)) for name in KEYS),
    env.Variable((TOKEN,), "temporary access to S3", secret=True, settings=(TOKEN,)),
    *(
        env.Variable(names, "S3: the location of the bucket and its files", settings=(setting,))
        for setting, (names, _) in PLACEMENT.items()
    ),
    env.Variable((AUTO_CREATE,), "S3: create a missing bucket", settings=(AUTO_CREATE,)),
)


def read_aws(environ: Mapping[str, str]) -> dict[str, str | bool | None]:
    """Return the AWS_* settings from an environment.

    Both credentials come from the plain variables or from one add-on, as do the bucket and its
    location. Raises ConfigurationError for incomplete variables, for two add-ons that could provide
    the same settings, and for invalid values.
    """
    settings: dict[str, str | bool | None] = dict.fromkeys(ALWAYS)
    settings.update(_read_text(environ))
    auto_create = env.read(environ, AUTO_CREATE, convert=env.boolean)
    if auto_create is not None:
        settings[AUTO_CREATE] = auto_create
    return settings


def get_static_url(
    location: str = "static",
    *,
    bucket: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    custom_domain: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> str:
    """Return STATIC_URL for the static storages on S3, or ``/static/`` if no bucket is set.

    ``location`` is the folder. The other arguments are for a storage whose options differ from the
    environment. AWS_S3_CUSTOM_DOMAIN doesn't apply to another ``bucket``. Raises ConfigurationError
    like :func:`read_aws`.
    """
    given = _Given(bucket, region, endpoint_url, custom_domain)
    return _base_url(location, ("AWS_PUBLIC_LOCATION", "AWS_LOCATION"), given, environ)


def get_media_url(
    location: str = "media",
    *,
    bucket: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    custom_domain: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> str:
    """Return MEDIA_URL for the media storage on S3, or ``/media/`` if no bucket is set.

    The other arguments and the errors are the same as for get_static_url().
    """
    given = _Given(bucket, region, endpoint_url, custom_domain)
    return _base_url(location, ("AWS_LOCATION",), given, environ)


class _Given(NamedTuple):
    """Arguments that override the environment unless they are None; ``""`` means none."""

    bucket: str | None
    region: str | None
    endpoint_url: str | None
    custom_domain: str | None


def _base_url(
    location: str, prefixes: tuple[str, ...], given: _Given, environ: Mapping[str, str] | None
) -> str:
    settings = _read_text(os.environ if environ is None else environ)
    bucket = given.bucket or settings.get(BUCKET)
    if not bucket:
        return "/" + url_path(location)
    prefix = next((settings[name] for name in prefixes if name in settings), "")
    # Browsers use the public endpoint. It belongs to the environment's endpoint, so an argument
    # overrides both.
    endpoint = settings.get(PUBLIC_ENDPOINT) or settings.get(ENDPOINT)
    domain = settings.get("AWS_S3_CUSTOM_DOMAIN") if bucket == settings.get(BUCKET) else None
    return s3_base_url(
        bucket,
        f"{prefix}/{location}",
        region=_or_default(given.region, settings.get("AWS_S3_REGION_NAME")),
        endpoint_url=_or_default(given.endpoint_url, endpoint),
        custom_domain=_or_default(given.custom_domain, domain),
        addressing_style=settings.get("AWS_S3_ADDRESSING_STYLE"),
    )


def _or_default(given: str | None, default: str | None) -> str | None:
    return default if given is None else given


def _read_text(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that are set, except AWS_AUTO_CREATE_BUCKET."""
    credentials = _read_credentials(environ)
    placement = {
        setting: value
        for setting, (names, convert) in PLACEMENT.items()
        if (value := env.read(environ, *names, convert=convert))
    }
    for setting in (ENDPOINT, PUBLIC_ENDPOINT):
        # The variable that the value is from: others don't matter.
        name = next((one for one in PLACEMENT[setting][0] if env.is_set(environ, one)), setting)
        _check_endpoint(name, placement.get(setting), placement.get(BUCKET))
    if credentials and BUCKET in placement:
        return credentials | placement
    addon = find_addon(environ)
    if addon is None:
        return credentials | placement
    # One error for everything that is missing.
    keys = () if credentials else addon.keys
    found = env.require(
        environ,
        *keys,
        *(() if BUCKET in placement else addon.placement),
        needed_by=addon.title,
    )
    if not credentials:
        credentials = {name: found[source] for name, source in zip(KEYS, addon.keys, strict=True)}
    if BUCKET not in placement:
        placement = _confined(addon.place(environ), placement)
    return credentials | placement


def _check_endpoint(name: str, endpoint_url: str | None, bucket: str | None) -> None:
    """Refuse an endpoint that includes the bucket's name."""
    if endpoint_url and bucket and names_bucket(endpoint_url, bucket):
        raise ConfigurationError(
            f"{name} is {endpoint_url!r}, which contains the bucket {bucket!r}. It must be the "
            f"address of the service only; the bucket is in {BUCKET}.",
            f"heroku config:set {name}=… or, for Amazon S3: heroku config:unset {name}",
        )


def _read_credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the credentials from the plain variables; an empty dictionary if none is set."""
    if not env.is_set(environ, *KEYS, TOKEN):
        return {}
    credentials = env.require(environ, *KEYS, needed_by="Access to S3")
    token = env.read(environ, TOKEN, secret=True)
    return credentials | ({TOKEN: token} if token else {})


def _confined(given: Mapping[str, str], plain: Mapping[str, str]) -> dict[str, str]:
    """Override an add-on's settings with the plain variables, but stay inside its AWS_LOCATION."""
    placement = {**given, **plain}
    root, requested = given.get("AWS_LOCATION"), plain.get("AWS_LOCATION")
    if not root or not requested:
        return placement
    is_inside = f"{requested}/".startswith(f"{root}/")
    relative = requested[len(root) + 1 :] if is_inside else requested
    for name in ("AWS_LOCATION", "AWS_PUBLIC_LOCATION"):
        if name in given:
            placement[name] = "/".join(filter(None, (given[name], relative)))
    public = given.get("AWS_PUBLIC_LOCATION")
    if public and f"{placement['AWS_LOCATION']}/".startswith(f"{public}/"):
        raise ConfigurationError(
            f"AWS_LOCATION is {requested!r}, which is below {public!r}, where anyone may read: "
            "media files would be public. Static files go there by default.",
            "heroku config:unset AWS_LOCATION",
        )
    return placement


# When the module is reloaded, names whose variables are no longer set must go.
for _name in [name for name in globals() if name.startswith("AWS_")]:
    del globals()[_name]
_settings = read_aws(os.environ)
#: herokuify.E011 reports variables that are set later.
SET_AT_IMPORT = env.names_set(os.environ)
# Type checkers don't see this __all__, and go by the annotations above.
globals().update(
    _settings,
    __all__=[
        *_settings,
        "COMPRESS_OFFLINE_MANIFEST_STORAGE",
        "get_media_url",
        "get_static_url",
    ],
)
# Django keeps checks in a set: registering one again has no effect.
register(check_legacy_settings, Tags.staticfiles)
