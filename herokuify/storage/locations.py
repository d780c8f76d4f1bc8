"""Where a storage's files lie in the bucket, and whether a URL points there."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from herokuify.conf.addresses import is_aws, parse_s3_url
from herokuify.exceptions import ConfigurationError

if TYPE_CHECKING:
    from herokuify.storage.backend import S3BotoStorage


def located(prefix: str | None, location: str) -> str:
    """The location below a prefix: ``located("cube/", "static")`` is ``cube/static``."""
    return "/".join(part for part in ((prefix or "").strip("/"), location) if part)


def is_at_bucket(url: str, storage: S3BotoStorage) -> bool:
    """Whether a URL is the service's own address, so that it answers, and not a CDN."""
    return parse_s3_url(url, endpoint_url=storage.endpoint_url) is not None


def check_base_url(url: str, storage: S3BotoStorage, *, setting: str, helper: str) -> None:
    """Raise ConfigurationError when browsers can't find the storage's files below ``url``.

    A host that is not S3's is a CDN's, and is believed. ``setting`` is named in the
    error, and ``helper``, the function of herokuify.aws that builds the right URL.
    """
    name = type(storage).__name__
    hint = f"In settings.py: from herokuify.aws import *; {setting} = {helper}"
    parts = urlsplit(url)
    if not parts.netloc:
        if not storage.bucket_name:
            raise ConfigurationError(
                f"AWS_STORAGE_BUCKET_NAME is not set, and {name} needs it.",
                "heroku config:set AWS_STORAGE_BUCKET_NAME=… "
                "(or choose one of Django's local storages in settings.py)",
            )
        given = f"{url!r}, a path on this site" if url else "not set"
        raise ConfigurationError(f"{setting} is {given}, but {name} keeps its files on S3.", hint)
    if (parts.hostname or "").split(".")[0] == "none" or parts.path.split("/")[1:2] == ["None"]:
        raise ConfigurationError(
            f"{setting} is {url!r}: it was built while AWS_STORAGE_BUCKET_NAME was not set.",
            f"heroku config:set AWS_STORAGE_BUCKET_NAME=… {hint}",
        )
    if not url.endswith("/"):
        raise ConfigurationError(f"{setting} is {url!r}; it must end with a slash.", hint)
    address = parse_s3_url(url, endpoint_url=storage.endpoint_url)
    if address is None:
        return
    if not storage.bucket_name:
        raise ConfigurationError(
            f"AWS_STORAGE_BUCKET_NAME is not set, and {name} needs it.",
            "heroku config:set AWS_STORAGE_BUCKET_NAME=…",
        )
    if address.is_aws and not is_aws(storage.endpoint_url):
        raise ConfigurationError(
            f"{setting} is {url!r}, at Amazon, but {name} keeps its files at AWS_S3_ENDPOINT_URL, "
            f"{storage.endpoint_url!r}.",
            hint,
        )
    if None not in {address.region, storage.region_name} and address.region != storage.region_name:
        raise ConfigurationError(
            f"{setting} is {url!r}, in the region {address.region}, but {name} keeps its files in "
            f"{storage.region_name}.",
            hint,
        )
    found = (address.bucket, address.prefix.strip("/"))
    kept = (storage.bucket_name, storage.location.strip("/"))
    if found != kept:
        raise ConfigurationError(
            f"{setting} is {url!r}, which is {'/'.join(found)!r} on S3, but {name} keeps its "
            f"files in {'/'.join(map(str, kept))!r}.",
            hint,
        )
