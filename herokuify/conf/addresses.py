"""Addresses of S3: building a bucket's URL from its settings, and finding a bucket in a URL."""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

#: First part of a region's name → the domain of its partition; that of all others is
#: amazonaws.com (AWS General Reference, "Amazon Simple Storage Service endpoints and
#: quotas"; China: Amazon S3 User Guide, "Virtual hosting of general purpose buckets").
_PARTITIONS = {"cn": "amazonaws.com.cn", "eusc": "amazonaws.eu"}

#: s3, s3.<region>, s3-<region> (old regions), s3.dualstack.<region>, and the website, FIPS
#: and acceleration endpoints, with the bucket in front of them in virtual-hosted style.
_AWS_HOST = re.compile(
    r"(?:(?P<bucket>.+)\.)?"
    r"s3(?:-website|-fips|-accelerate)?(?:\.dualstack)?(?:[.-](?P<region>[a-z0-9-]+))?"
    r"\.amazonaws\.(?:com|com\.cn|eu)"
)
#: The same, and VPC endpoints. Other hosts below amazonaws.com, such as EC2's, are not S3.
_AWS_SERVICE = re.compile(
    r"(?:.*\.)?s3(?:-[a-z0-9-]+)?(?:\.[a-z0-9-]+)*\.(?P<partition>amazonaws\.(?:com|com\.cn|eu))"
)
_PORTS = {"http": 80, "https": 443}
#: User and password, up to the last @ before the path; the scheme is optional.
_LOGIN = re.compile(r"(?<=//)[^/?#\s]*@")


class S3Address(NamedTuple):
    """A bucket and a prefix in it, from a URL."""

    bucket: str
    prefix: str
    """The beginning of the key, unquoted, without slashes at either end."""
    region: str | None = None
    """The region in the host; None if the host serves any region."""
    is_aws: bool = True
    """False if the URL is that of another service's endpoint."""


def s3_base_url(
    bucket: str,
    location: str,
    *,
    region: str | None = None,
    endpoint_url: str | None = None,
    custom_domain: str | None = None,
    addressing_style: str | None = None,
) -> str:
    """Return the URL, ending in a slash, below which S3 serves the keys below ``location``.

    The host and path are those that botocore uses with the same settings: virtual-hosted style on
    AWS and path style on other endpoints, unless ``addressing_style`` is "virtual" or "path"
    ("auto" and None are the default). A bucket whose name TLS certificates don't cover as a part
    of the host, such as one with dots, is in the path.
    """
    path = url_path(location)
    if custom_domain:
        return f"https://{custom_domain}/{path}"
    if endpoint_url:
        endpoint = urlsplit(endpoint_url.rstrip("/"))
        virtual = addressing_style == "virtual" and not _is_ip(endpoint.hostname or "")
    else:
        endpoint = urlsplit(f"https://{_aws_host(region)}")
        virtual = addressing_style != "path"
    if virtual and _is_host_name(bucket, dots=endpoint.scheme == "http"):
        return f"{endpoint.scheme}://{bucket}.{endpoint.netloc}{endpoint.path}/{path}"
    return f"{endpoint.scheme}://{endpoint.netloc}{endpoint.path}/{quote(bucket)}/{path}"


def url_path(location: str) -> str:
    """Quote a location for a URL, with a slash after each part; "" for an empty location."""
    return "".join(f"{quote(part)}/" for part in location.split("/") if part)


def parse_s3_url(url: str, *, endpoint_url: str | None = None) -> S3Address | None:
    """Return the bucket and prefix in a URL, or None if its host isn't known as S3.

    AWS's hosts are known, in all current and former forms (Amazon S3 User Guide, "Virtual hosting
    of general purpose buckets" and "Using dual-stack endpoints"), and the host of
    ``endpoint_url``, in path and virtual-hosted style. The scheme is optional (``//host/path``).
    """
    try:
        parts = urlsplit(url)
        if not parts.hostname or parts.scheme not in {"", *_PORTS}:
            return None
        return _at_aws(parts) or (_at_endpoint(parts, endpoint_url) if endpoint_url else None)
    except ValueError:  # an invalid URL or port
        return None


def names_bucket(endpoint_url: str, bucket: str) -> bool:
    """Return whether an endpoint contains the bucket, which each request adds to it."""
    address = parse_s3_url(endpoint_url)
    path = urlsplit(endpoint_url).path.strip("/")
    return (address is not None and address.bucket == bucket) or path.split("/")[-1] == bucket


def has_login(url: object) -> bool:
    """Return whether a URL has a user or a password before its host."""
    return isinstance(url, str) and bool(re.match(r"[^/]*//[^/?#]*@", url))


def without_logins(text: str) -> str:
    """Return a URL, or a text with URLs, without their users and passwords."""
    return _LOGIN.sub("", text)


def is_local(hosts: str) -> bool:
    """Return whether all hosts, separated by commas, are this machine.

    An empty host or a path is a socket.
    """
    local = {"", "localhost", "127.0.0.1", "::1"}
    return all(host.strip("[]") in local or host.startswith("/") for host in hosts.split(","))


def is_aws(endpoint_url: str | None) -> bool:
    """Return whether an endpoint is Amazon's, as is the default, None."""
    host = urlsplit(endpoint_url).hostname if endpoint_url else None
    return host is None or re.search(r"\.amazonaws\.(com|com\.cn|eu)$", host) is not None


def same_endpoint(one: str | None, other: str | None) -> bool:
    """Return whether two endpoints are the same service, regardless of their spelling.

    Amazon's regional, dual-stack, FIPS, VPC and acceleration endpoints are the same, because a
    bucket's name is unique within a partition. For other services, the scheme, default ports,
    slashes, a trailing dot and the notation of an IP address make no difference. Names are not
    resolved: localhost and 127.0.0.1 are different services.
    """
    return _service(one) == _service(other)


def _service(endpoint_url: str | None) -> tuple[str, ...]:
    try:
        parts = urlsplit(endpoint_url or "https://s3.amazonaws.com")
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:  # an invalid URL or port, where nothing can be reached
        return (str(endpoint_url),)
    if aws := _AWS_SERVICE.fullmatch(host):
        return (aws["partition"],)
    own_port = "" if port in {None, *_PORTS.values()} else str(port)
    return _normalized(host), own_port, "/".join(filter(None, parts.path.split("/")))


def _normalized(host: str) -> str:
    """Return an IP address in its shortest notation, or a name in ASCII."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        with suppress(UnicodeError):
            return host.encode("idna").decode("ascii")
        return host
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _at_aws(parts: SplitResult) -> S3Address | None:
    match = _AWS_HOST.fullmatch(parts.hostname or "")
    if match is None or parts.port not in {None, *_PORTS.values()}:
        return None
    region = match["region"]
    if region == "external-1":  # Northern Virginia's old name
        region = "us-east-1"
    return _address(match["bucket"], parts.path, region=region, is_aws=True)


def _at_endpoint(parts: SplitResult, endpoint_url: str) -> S3Address | None:
    endpoint = urlsplit(endpoint_url.rstrip("/"))
    scheme = parts.scheme or endpoint.scheme
    port = parts.port or _PORTS.get(scheme)
    host, own_host = parts.hostname or "", endpoint.hostname or ""
    path = parts.path or "/"
    in_path = path.startswith(f"{endpoint.path}/")
    if not in_path or port != (endpoint.port or _PORTS.get(endpoint.scheme)):
        return None
    path = path.removeprefix(endpoint.path)
    if host == own_host:
        return _address(None, path, region=None, is_aws=False)
    bucket = host.removesuffix(f".{own_host}")
    return None if bucket == host else _address(bucket, path, region=None, is_aws=False)


def _address(
    bucket: str | None, path: str, *, region: str | None, is_aws: bool
) -> S3Address | None:
    path = path.strip("/")
    if bucket is None:
        bucket, _, path = path.partition("/")
        bucket = unquote(bucket)
    return S3Address(bucket, unquote(path).strip("/"), region, is_aws) if bucket else None


def _aws_host(region: str | None) -> str:
    # Like botocore, which uses the host without a region for us-east-1.
    if region in {None, "", "us-east-1", "aws-global"}:
        return "s3.amazonaws.com"
    domain = _PARTITIONS.get(str(region).partition("-")[0], "amazonaws.com")
    return f"s3.{region}.{domain}"


def _is_host_name(bucket: str, *, dots: bool) -> bool:
    """Return whether a bucket can be a part of the host (botocore, ``endpoint_provider.py``)."""
    labels = bucket.split(".") if dots else [bucket]
    return (
        3 <= len(bucket) <= 63
        and all(re.fullmatch(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", label) for label in labels)
        and not _is_ip(bucket)
    )


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
