"""Where a storage's files lie in the bucket, and whether a URL points there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from herokuify.addresses import parse_s3_url
from herokuify.exceptions import ConfigurationError

if TYPE_CHECKING:
    from herokuify.storage.base import S3BotoStorage


def located(prefix: str | None, location: str) -> str:
    """The location below a prefix: ``located("cube/", "static")`` is ``cube/static``."""
    return "/".join(part for part in ((prefix or "").strip("/"), location) if part)


def index_key(location: str) -> str:
    """Where collectstatic keeps its index of a location, which has no slash at its end.

    Beside the location: whoever may read static files can't read it.
    """
    parent, _, folder = location.rpartition("/")
    return "/".join(filter(None, (parent, ".herokuify", folder, "index.json.gz")))


def location_around(location: str, public: Iterable[str]) -> str | None:
    """The first of the public locations that holds this one; ``""`` is a whole bucket."""
    inside = f"{location.strip('/')}/"
    found = (one.strip("/") for one in public)
    return next((one for one in found if not one or inside.startswith(f"{one}/")), None)


def check_base_url(url: str, storage: S3BotoStorage, *, setting: str, helper: str) -> None:
    """Raise ConfigurationError when browsers can't find the storage's files below ``url``.

    A host that is not S3's is a CDN's, and is believed. ``setting`` is named in the
    error, and ``helper``, the function of herokuify.aws that builds the right URL.
    """
    name = type(storage).__name__
    mend = f"In settings.py: from herokuify.aws import *; {setting} = {helper}"
    parts = urlsplit(url)
    if not parts.netloc:
        if not storage.bucket_name:
            raise ConfigurationError(
                f"AWS_STORAGE_BUCKET_NAME is not set, and {name} needs it. "
                "heroku config:set AWS_STORAGE_BUCKET_NAME=… "
                f"(or choose one of Django's local storages in settings.py)"
            )
        given = f"{url!r}, a path on this site" if url else "not set"
        raise ConfigurationError(f"{setting} is {given}, but {name} keeps its files on S3. {mend}")
    if (parts.hostname or "").split(".")[0] == "none" or parts.path.split("/")[1:2] == ["None"]:
        raise ConfigurationError(
            f"{setting} is {url!r}: it was built while AWS_STORAGE_BUCKET_NAME was not set. "
            f"heroku config:set AWS_STORAGE_BUCKET_NAME=… {mend}"
        )
    if not url.endswith("/"):
        raise ConfigurationError(f"{setting} is {url!r}; it must end with a slash. {mend}")
    address = parse_s3_url(url, endpoint_url=storage.endpoint_url)
    if address is None:
        return
    if not storage.bucket_name:
        raise ConfigurationError(
            f"AWS_STORAGE_BUCKET_NAME is not set, and {name} needs it. "
            "heroku config:set AWS_STORAGE_BUCKET_NAME=…"
        )
    if address.is_aws and not is_aws(storage.endpoint_url):
        raise ConfigurationError(
            f"{setting} is {url!r}, at Amazon, but {name} keeps its files at AWS_S3_ENDPOINT_URL, "
            f"{storage.endpoint_url!r}. {mend}"
        )
    if None not in {address.region, storage.region_name} and address.region != storage.region_name:
        raise ConfigurationError(
            f"{setting} is {url!r}, in the region {address.region}, but {name} keeps its files in "
            f"{storage.region_name}. {mend}"
        )
    found = (address.bucket, address.prefix.strip("/"))
    kept = (storage.bucket_name, storage.location.strip("/"))
    if found != kept:
        raise ConfigurationError(
            f"{setting} is {url!r}, which is {'/'.join(found)!r} on S3, but {name} keeps its "
            f"files in {'/'.join(map(str, kept))!r}. {mend}"
        )


def is_aws(endpoint_url: str | None) -> bool:
    """Whether an endpoint, None for the usual one, is Amazon's."""
    host = urlsplit(endpoint_url).hostname if endpoint_url else None
    return host is None or re.search(r"\.amazonaws\.(com|com\.cn|eu)$", host) is not None
