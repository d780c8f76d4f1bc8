"""Add-ons that provide a bucket, and how their variables become settings.

docs/aws.md, "Add a provider", explains how to add one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from herokuify import env
from herokuify.conf.addresses import parse_s3_url
from herokuify.exceptions import ConfigurationError


@dataclass(frozen=True)
class Addon:
    """An add-on that provides a bucket.

    ``keys`` are the variables with the access key's id and secret. ``place`` converts the
    ``placement`` variables to AWS_* settings, and is called only if all of them are set. If it
    returns AWS_LOCATION, the keys only have access to objects below this prefix.
    """

    title: str
    keys: tuple[str, str]
    placement: tuple[str, ...]
    place: Callable[[Mapping[str, str]], dict[str, str]]

    def is_attached(self, environ: Mapping[str, str]) -> bool:
        """Return whether any of its variables is set."""
        return env.is_set(environ, *self.keys, *self.placement)


def bucket_name(value: str) -> str:
    """Check the name of a bucket, or the alias of an access point."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{3,255}", value):
        raise ValueError("a bucket name such as my-bucket, without s3:// or folders")
    return value


def region_name(value: str) -> str:
    """Check a region's code; services other than AWS have their own (``auto``, ``fr-par``)."""
    if not re.fullmatch(r"[A-Za-z0-9-]{1,63}", value):
        raise ValueError("a region code such as eu-west-1")
    return value


def _place_bucketeer(environ: Mapping[str, str]) -> dict[str, str]:
    bucket = env.read(environ, "BUCKETEER_BUCKET_NAME", convert=bucket_name, default="")
    region = env.read(environ, "BUCKETEER_AWS_REGION", convert=region_name, default="")
    return {"AWS_STORAGE_BUCKET_NAME": bucket, "AWS_S3_REGION_NAME": region}


def _place_cloudcube(environ: Mapping[str, str]) -> dict[str, str]:
    """Split CLOUDCUBE_URL, ``https://<bucket's host>/<cube>`` (Heroku Dev Center, "Cloudcube").

    The bucket is shared by many customers: an app's objects are below its cube, and anyone may
    read those below ``public/`` in it.
    """
    url = env.read(environ, "CLOUDCUBE_URL", convert=env.http_url, default="")
    address = parse_s3_url(url)
    if address is None or not address.prefix:
        raise ConfigurationError(
            f"CLOUDCUBE_URL is {url!r}; it must be https://<bucket>.s3.amazonaws.com/<cube>, as "
            "set by the add-on.",
            "heroku config:get CLOUDCUBE_URL",
        )
    placement = {
        "AWS_STORAGE_BUCKET_NAME": address.bucket,
        "AWS_LOCATION": address.prefix,
        "AWS_PUBLIC_LOCATION": f"{address.prefix}/public",
    }
    return placement | ({"AWS_S3_REGION_NAME": address.region} if address.region else {})


ADDONS = (
    Addon(
        title="Bucketeer",
        keys=("BUCKETEER_AWS_ACCESS_KEY_ID", "BUCKETEER_AWS_SECRET_ACCESS_KEY"),
        placement=("BUCKETEER_BUCKET_NAME", "BUCKETEER_AWS_REGION"),
        place=_place_bucketeer,
    ),
    Addon(
        title="Cloudcube",
        keys=("CLOUDCUBE_ACCESS_KEY_ID", "CLOUDCUBE_SECRET_ACCESS_KEY"),
        placement=("CLOUDCUBE_URL",),
        place=_place_cloudcube,
    ),
)

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_PLACES = {"BUCKETEER_AWS_REGION": "AWS_S3_REGION_NAME"}
VARIABLES = tuple(
    env.Variable((name,), f"{addon.title}: access to the bucket", secret=True, settings=(setting,))
    for addon in ADDONS
    for name, setting in zip(addon.keys, KEYS, strict=True)
) + tuple(
    env.Variable(
        (name,),
        f"{addon.title}: where the bucket is",
        settings=(_PLACES.get(name, "AWS_STORAGE_BUCKET_NAME"),),
    )
    for addon in ADDONS
    for name in addon.placement
)


def find_addon(environ: Mapping[str, str]) -> Addon | None:
    """Return the add-on whose variables are set, or None.

    Raises ConfigurationError if there are two.
    """
    attached = [addon for addon in ADDONS if addon.is_attached(environ)]
    if len(attached) > 1:
        titles = env.listed(addon.title for addon in attached)

        raise ConfigurationError(
            f"{titles} are both attached, and herokuify can't tell which one has the files.",
            "Detach one of them (heroku addons:detach …), or set the plain variables, which take "
            f"precedence: {env.config_set((*KEYS, 'AWS_STORAGE_BUCKET_NAME'))}",
        )
    return attached[0] if attached else None
