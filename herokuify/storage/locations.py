"""Where a storage's files are in the bucket, and checks of the URLs that should lead there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import combinations
from typing import Any
from urllib.parse import urlsplit

from herokuify import env
from herokuify.conf.addresses import (
    S3Address,
    has_login,
    is_aws,
    parse_s3_url,
    s3_base_url,
    url_path,
)
from herokuify.exceptions import ConfigurationError
from herokuify.s3.destination import Destination

_ENDPOINT = "AWS_S3_ENDPOINT_URL"
_PUBLIC_ENDPOINT = "AWS_S3_PUBLIC_ENDPOINT_URL"


def located(prefix: str | None, location: str) -> str:
    """Return a location below a prefix: ``located("cube/", "static")`` is ``cube/static``."""
    return "/".join(part for part in ((prefix or "").strip("/"), location) if part)


def is_at_bucket(url: str, storage: Any) -> bool:
    """Return whether a URL is S3's own, not a CDN's."""
    return parse_s3_url(url, endpoint_url=storage.public_endpoint) is not None


def check_base_url(url: str, storage: Any, *, setting: str, helper: str) -> None:
    """Raise ConfigurationError if browsers can't find the storage's files below ``url``.

    URLs of hosts other than S3 may be a CDN's and aren't checked further. The error names
    ``setting``, and ``helper``, the function of herokuify.aws that builds the right URL.
    """
    line = f"In settings.py: {_line(storage, setting, helper)}"
    if has_login(url):
        raise ConfigurationError(
            f"{setting} contains a user and a password, which every page would show.", line
        )
    fault = next(_faults(url, storage), None)
    if fault is None:
        return
    bucket = "heroku config:set AWS_STORAGE_BUCKET_NAME=…"
    if not storage.bucket_name and not _names_none(url):
        raise ConfigurationError(
            f"AWS_STORAGE_BUCKET_NAME is not set, and {type(storage).__name__} needs it.",
            f"{bucket} (or choose one of Django's local storages in settings.py)",
        )
    raise ConfigurationError(
        f"{setting} is {fault}", f"{bucket} {line}" if _names_none(url) else line
    )


def _names_none(url: str) -> bool:
    """Return whether the URL contains "None" in place of the bucket's name."""
    parts = urlsplit(url)
    return (parts.hostname or "").split(".")[0] == "none" or parts.path.split("/")[1:2] == ["None"]


def _faults(url: str, storage: Any) -> Iterator[str]:
    """Yield the faults of a base URL, as ends of sentences; the first may cause the others."""
    name = type(storage).__name__
    if not urlsplit(url).netloc:
        given = f"{url!r}, a path on this site" if url else "not set"
        yield f"{given}, but {name} keeps its files on S3."
    if _names_none(url):
        yield f"{url!r}: it was built while AWS_STORAGE_BUCKET_NAME was not set."
    if not url.endswith("/"):
        yield f"{url!r}; it must end with a slash."
    address = parse_s3_url(url, endpoint_url=storage.public_endpoint)
    if address is not None:
        yield from _misplaced(url, storage, address)
    elif storage.public_endpoint_url and parse_s3_url(url, endpoint_url=storage.endpoint_url):
        yield (
            f"{url!r}, at {_ENDPOINT}, but browsers reach the files of {name} at "
            f"{_PUBLIC_ENDPOINT}, {storage.public_endpoint_url!r}."
        )


def _misplaced(url: str, storage: Any, address: S3Address) -> Iterator[str]:
    """Yield the faults of an S3 URL: a wrong service, region, bucket or location."""
    name = type(storage).__name__
    if address.is_aws and not is_aws(storage.public_endpoint):
        source = _PUBLIC_ENDPOINT if storage.public_endpoint_url else _ENDPOINT
        yield (
            f"{url!r}, at Amazon, but {name} keeps its files at {source}, "
            f"{storage.public_endpoint!r}."
        )
    if None not in {address.region, storage.region_name} and address.region != storage.region_name:
        yield (
            f"{url!r}, in the region {address.region}, but {name} keeps its files in "
            f"{storage.region_name}."
        )
    found = (address.bucket, address.prefix.strip("/"))
    kept = (storage.bucket_name, storage.location.strip("/"))
    if found != kept:
        yield (
            f"{url!r}, which points to {'/'.join(found)!r} on S3, but {name} keeps its "
            f"files in {'/'.join(map(str, kept))!r}."
        )


def _line(storage: Any, setting: str, helper: str) -> str:
    """Return the line for settings.py that sets the right URL, as short as possible."""
    from herokuify import aws

    imported = f"from herokuify.aws import *; {setting} ="
    if not storage.bucket_name:
        return f"{imported} {helper}()"
    build = getattr(aws, helper)
    parts = storage.location.strip("/").split("/")
    locations = [(), *(("/".join(parts[start:]),) for start in reversed(range(len(parts))))]
    named = {
        "bucket": storage.bucket_name,
        "region": storage.region_name or "",
        "endpoint_url": storage.public_endpoint or "",
    }
    right = files_url(storage)
    for count in range(len(named) + 1):
        for names in combinations(named, count):
            chosen = {name: named[name] for name in names}
            for location in locations:
                try:
                    url = build(*location, **chosen)
                except ConfigurationError:  # the environment is wrong; running the line says so
                    return f"{imported} {helper}()"
                is_domains = urlsplit(url).netloc == os.environ.get("AWS_S3_CUSTOM_DOMAIN")
                if url == right or (is_domains and not any(_faults(url, storage))):
                    told = [json.dumps(one) for one in location]
                    told += [f"{name}={json.dumps(value)}" for name, value in chosen.items()]
                    return f"{imported} {helper}({', '.join(told)})"
    return f'{setting} = "{right}"'


def check_public_endpoint(storage: Any) -> None:
    """Raise ConfigurationError if AWS_S3_PUBLIC_ENDPOINT_URL is not a valid URL."""
    try:
        env.http_url(storage.public_endpoint_url or "https://s3.amazonaws.com")
    except ValueError as error:
        # Without the value, which may contain a password.
        raise ConfigurationError(
            f"{_PUBLIC_ENDPOINT} (public_endpoint_url) must be {error}.",
            f"heroku config:set {_PUBLIC_ENDPOINT}=https://…",
        ) from None


def destination_of(storage: Any, endpoint_url: str | None) -> Destination:
    """Return the destination of a storage's requests, at one of its endpoints."""
    return Destination(
        storage=type(storage).__name__,
        bucket=str(storage.bucket_name),
        region=storage.region_name,
        endpoint_url=endpoint_url,
        access_key=storage.access_key,
        secret_key=storage.secret_key,
        security_token=storage.security_token,
        session_profile=storage.session_profile,
        use_ssl=storage.use_ssl,
        verify=storage.verify,
        addressing_style=storage.addressing_style or _usual_addressing_style(storage, endpoint_url),
        signature_version=storage.signature_version,
        proxies=tuple(sorted((storage.proxies or {}).items())),
        client_config=storage.client_config,
        transfer=storage.transfer,
    )


def _usual_addressing_style(storage: Any, endpoint_url: str | None) -> str | None:
    # botocore's "auto" signs URLs for the global host, which redirects browsers to another host,
    # where the signature is invalid. TLS certificates don't cover bucket names with dots.
    return None if endpoint_url or "." in str(storage.bucket_name) else "virtual"


def domain_url(storage: Any, domain: str | None) -> str | None:
    """Return the URL of a storage's files below a domain; None without a domain."""
    if not domain:
        return None
    return f"{storage.url_protocol}//{domain}/{url_path(storage.location)}"


def files_url(storage: Any) -> str:
    """Return the URL below which S3 serves a storage's files to browsers."""
    return s3_base_url(
        str(storage.bucket_name),
        storage.location,
        region=storage.region_name,
        endpoint_url=storage.public_endpoint,
        addressing_style=storage.addressing_style,
    )
