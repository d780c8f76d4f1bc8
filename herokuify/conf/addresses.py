"""Where S3 serves a bucket: URLs made of its settings, and buckets found in URLs."""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

#: First part of a region's name → the domain of its partition; all others are below
#: amazonaws.com (AWS General Reference, "Amazon Simple Storage Service endpoints and
#: quotas"; China: Amazon S3 User Guide, "Virtual hosting of general purpose buckets").
_PARTITIONS = {"cn": "amazonaws.com.cn", "eusc": "amazonaws.eu"}

#: s3, s3.<region>, s3-<region> (old regions), s3.dualstack.<region>, and the website, FIPS
#: and acceleration endpoints; the bucket before it in virtual-hosted style.
_AWS_HOST = re.compile(
    r"(?:(?P<bucket>.+)\.)?"
    r"s3(?:-website|-fips|-accelerate)?(?:\.dualstack)?(?:[.-](?P<region>[a-z0-9-]+))?"
    r"\.amazonaws\.(?:com|com\.cn|eu)"
)
#: The same, of access by VPC endpoints, too; what else is below amazonaws.com is a machine there.
_AWS_SERVICE = re.compile(
    r"(?:.*\.)?s3(?:-[a-z0-9-]+)?(?:\.[a-z0-9-]+)*\.(?P<partition>amazonaws\.(?:com|com\.cn|eu))"
)
_PORTS = {"http": 80, "https": 443}
#: User and password, up to the last @ before the path; a scheme need not be there.
_LOGIN = re.compile(r"(?<=//)[^/?#\s]*@")


class S3Address(NamedTuple):
    """A place in a bucket, as a URL names it."""

    bucket: str
    prefix: str
    """The key's beginning, unquoted, without slashes at its ends."""
    region: str | None = None
    """The region that the host names; None for hosts that serve any."""
    is_aws: bool = True
    """False where the URL belongs to the endpoint of another service."""


def s3_base_url(
    bucket: str,
    location: str,
    *,
    region: str | None = None,
    endpoint_url: str | None = None,
    custom_domain: str | None = None,
    addressing_style: str | None = None,
) -> str:
    """Build the URL, ending in a slash, below which S3 serves the keys below ``location``.

    The host and path are those that botocore addresses under the same settings:
    virtual-hosted on AWS and path-style on another endpoint, unless ``addressing_style``
    ("virtual", "path", or "auto" and None for the default) says otherwise. A bucket that
    can't be a host name that TLS certificates cover (one with dots) is in the path.
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
    """Quote a location for a URL, each part followed by a slash; "" for none."""
    return "".join(f"{quote(part)}/" for part in location.split("/") if part)


def parse_s3_url(url: str, *, endpoint_url: str | None = None) -> S3Address | None:
    """Return the bucket and prefix in a URL; None when its host isn't known as S3.

    Known are AWS's hosts, in every form they have had (Amazon S3 User Guide, "Virtual
    hosting of general purpose buckets" and "Using dual-stack endpoints"), and that of
    ``endpoint_url``, in path and virtual-hosted style. The scheme may be missing
    (``//host/path``).
    """
    try:
        parts = urlsplit(url)
        if not parts.hostname or parts.scheme not in {"", *_PORTS}:
            return None
        return _at_aws(parts) or (_at_endpoint(parts, endpoint_url) if endpoint_url else None)
    except ValueError:  # no URL at all, or no port
        return None


def names_bucket(endpoint_url: str, bucket: str) -> bool:
    """Return whether an endpoint names the bucket already, which each request adds to it."""
    address = parse_s3_url(endpoint_url)
    path = urlsplit(endpoint_url).path.strip("/")
    return (address is not None and address.bucket == bucket) or path.split("/")[-1] == bucket


def has_login(url: object) -> bool:
    """Return whether a URL has a user or a password before its host."""
    return isinstance(url, str) and bool(re.match(r"[^/]*//[^/?#]*@", url))


def without_logins(text: str) -> str:
    """Return a URL, or a text with URLs, without what stands before their hosts."""
    return _LOGIN.sub("", text)


def is_local(hosts: str) -> bool:
    """Return whether all hosts, separated by commas, are this machine.

    An empty host or a path is a socket.
    """
    return all(
        host in {"", "localhost"} or host.startswith("/") or _is_loopback(host)
        for host in hosts.split(",")
    )


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ip_address(host.strip("[]")).is_loopback
    return False


def is_aws(endpoint_url: str | None) -> bool:
    """Return whether an endpoint is Amazon's, as is the default, None."""
    host = urlsplit(endpoint_url).hostname if endpoint_url else None
    return host is None or re.search(r"\.amazonaws\.(com|com\.cn|eu)$", host) is not None


def same_endpoint(one: str | None, other: str | None) -> bool:
    """Return whether two endpoints are one service, whatever way they are spelt.

    Amazon's regional, dual-stack, FIPS, VPC and acceleration endpoints are one: a bucket's name
    is used once in a partition. Elsewhere the scheme, its own port, slashes, a dot at the end and
    the spelling of an IP address make no difference. That two names lead to one machine, such as
    localhost and 127.0.0.1, can't be known.
    """
    return _service(one) == _service(other)


def _service(endpoint_url: str | None) -> tuple[str, ...]:
    try:
        parts = urlsplit(endpoint_url or "https://s3.amazonaws.com")
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:  # no URL, or no port: nothing can be reached there
        return (str(endpoint_url),)
    if aws := _AWS_SERVICE.fullmatch(host):
        return (aws["partition"],)
    usual = "" if port in {None, *_PORTS.values()} else str(port)
    return _spelt_out(host), usual, "/".join(filter(None, parts.path.split("/")))


def _spelt_out(host: str) -> str:
    """Return a host in one spelling: an IP address in its shortest, a name in ASCII."""
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
    # botocore, too, asks us-east-1 at the host that has no region in its name.
    if region in {None, "", "us-east-1", "aws-global"}:
        return "s3.amazonaws.com"
    domain = _PARTITIONS.get(str(region).partition("-")[0], "amazonaws.com")
    return f"s3.{region}.{domain}"


def _is_host_name(bucket: str, *, dots: bool) -> bool:
    """Return whether a bucket can stand before a host (botocore, ``endpoint_provider.py``)."""
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
