"""URLs of objects, without boto3 if the settings contain everything that is needed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from django.utils.encoding import filepath_to_uri

from herokuify.conf.addresses import s3_base_url
from herokuify.exceptions import ConfigurationError
from herokuify.s3.client import connect
from herokuify.s3.errors import explained
from herokuify.s3.headers import put_parameters
from herokuify.s3.signing import (
    ALGORITHM,
    LONGEST_LIFE,
    Period,
    SignedUrls,
    Signer,
    UrlSigner,
    query_name,
)

ValueT = TypeVar("ValueT")

_PROBE = "herokuify-probe"
#: Parameters of boto3's ``get_object`` that become part of the query string.
_RESPONSE = frozenset(
    f"Response{name}"
    for name in (
        *("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage"),
        *("ContentType", "Expires"),
    )
)
#: Variables from which boto3 also reads S3's address (boto3 documentation, "Configuration").
_VARIABLES = (
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
    *("AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT", "AWS_DEFAULT_REGION"),
    *("AWS_S3_US_EAST_1_REGIONAL_ENDPOINT", "AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS"),
)
_REGIONLESS = {None, "", "aws-global"}


class _Known(Generic[ValueT]):
    """A value that depends on a storage's options, cached until they change."""

    def __init__(self, make: Callable[[Any], ValueT | None]) -> None:
        self._make = make
        self._options: object = None
        self._value: ValueT | None = None

    def of(self, storage: Any) -> ValueT | None:
        """Return the value; None if only boto3 can create the URLs."""
        options = (
            *(storage.bucket_name, storage.public_endpoint, storage.region_name, storage.use_ssl),
            *(storage.access_key, storage.secret_key, storage.security_token),
            *(storage.addressing_style, storage.signature_version),
            *(storage.session_profile, storage.client_config),
        )
        if self._options != options:
            self._value = self._make(storage)
            self._options = options
        return self._value


class Urls:
    """The URLs of a storage's objects: public ones, S3's signed ones, and CloudFront's."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self._signed = SignedUrls()
        self._base: _Known[str] = _Known(unsigned_base_url)
        self._signer: _Known[UrlSigner] = _Known(make_url_signer)

    def get(
        self, key: str, parameters: Mapping[str, Any], life: int, http_method: str | None
    ) -> str:
        """Return the URL of a key; a signed one is valid for ``life`` seconds at most."""
        storage = self._storage
        if storage.custom_domain:
            return self._of_domain(key, parameters, life)
        query = _query(parameters) if http_method in {None, "GET"} else None
        if not storage.querystring_auth:
            base = None if query is None else self._base.of(storage)
            if base is None or query is None:
                return self._by_boto3(key, parameters, life, http_method)
            return f"{base}{quote(key, safe='/~')}{'?' if query else ''}{urlencode(query)}"
        check_life(storage, life)
        signer = None if query is None else self._signer.of(storage)
        if signer is None or query is None:
            return self._by_boto3(key, parameters, life, http_method)
        known = signer, key, life, *query.items()
        return self._signed.get(
            known, key, life, lambda period: signer.sign(key, query, period.start, life)
        )

    def of_upload(
        self, key: str, query: Mapping[str, str], headers: Mapping[str, str], life: int
    ) -> str:
        """Return the signed URL of a PUT, valid for ``life`` seconds, that must send these headers.

        It is never a CDN's. ``query`` has ``partNumber`` and ``uploadId`` for a part; the names of
        headers are in lower case.
        """
        signer = self._signer.of(self._storage)
        if signer is not None:
            return signer.sign_request("PUT", key, query, headers, int(time.time()), life)
        destination = self._storage.public_destination
        operation = "upload_part" if query else "put_object"
        parameters = {"Bucket": destination.bucket, "Key": key, **put_parameters(headers)}
        if query:
            parameters |= {"UploadId": query["uploadId"], "PartNumber": int(query["partNumber"])}
        with explained(destination, "s3:PutObject"):
            return connect(destination, self._storage.profile).generate_presigned_url(
                operation, Params=parameters, ExpiresIn=life
            )

    def _of_domain(self, key: str, parameters: Mapping[str, Any], life: int) -> str:
        """Return the CDN's URL, signed by the CloudFront signer if there is one."""
        storage = self._storage
        query = urlencode({query_name(name): value for name, value in parameters.items()})
        path = f"{filepath_to_uri(key)}{'?' if query else ''}{query}"
        url = f"{storage.url_protocol}//{storage.custom_domain}/{path}"
        signer = storage.cloudfront_signer
        if not (storage.querystring_auth and signer):
            return url

        def sign(period: Period) -> str:
            expiry = datetime.fromtimestamp(period.expiry, timezone.utc)
            return str(signer.generate_presigned_url(url, date_less_than=expiry))

        return self._signed.get((url, life), key, life, sign)

    def _by_boto3(
        self, key: str, parameters: Mapping[str, Any], life: int, http_method: str | None
    ) -> str:
        """Return the URL from boto3."""
        is_signed = bool(self._storage.querystring_auth)
        destination = replace(self._storage.public_destination, is_signed=is_signed)
        options: Any = {"ExpiresIn": life, "HttpMethod": http_method}
        with explained(destination, "s3:GetObject"):
            return connect(destination, self._storage.profile).generate_presigned_url(
                "get_object",
                Params={"Bucket": destination.bucket, "Key": key, **parameters},
                **options,
            )


def _query(parameters: Mapping[str, Any]) -> dict[str, str] | None:
    """Return boto3's parameters as S3's query; None if only boto3 knows how to send them."""
    found = {}
    for name, value in parameters.items():
        if not (isinstance(value, str) and (name in _RESPONSE or name == "VersionId")):
            return None
        found[query_name(name)] = value
    return found


def check_life(storage: Any, seconds: Any) -> None:
    """Raise ConfigurationError if signed URLs can't be valid for this long."""
    is_limited = storage.querystring_auth and storage.signature_version == "s3v4"
    if is_limited and seconds > LONGEST_LIFE:
        raise ConfigurationError(
            f"AWS_QUERYSTRING_EXPIRE (expire) is {seconds} seconds, but S3 accepts signed URLs "
            f"that are valid for {LONGEST_LIFE} seconds, seven days, at most.",
            f"In settings.py: AWS_QUERYSTRING_EXPIRE = {LONGEST_LIFE}",
        )


def make_url_signer(storage: Any) -> UrlSigner | None:
    """Return a signer for a storage's options; None if only boto3 can sign.

    Boto3 must sign if the credentials are its own, because they may expire before a URL does, and
    for other signature versions than 4.
    """
    storage.check_configuration()
    is_own = storage.access_key and storage.secret_key and not storage.session_profile
    if not is_own or storage.signature_version != "s3v4":
        return None
    keys = storage.access_key, storage.secret_key
    base_url = unsigned_base_url(storage)
    if base_url is not None:
        region = storage.region_name
        signer = Signer(*keys, "us-east-1" if region in _REGIONLESS else region)
        return UrlSigner(signer, base_url, storage.security_token)
    return _as_boto3_signs(storage, *keys)


def unsigned_base_url(storage: Any) -> str | None:
    """Return the bucket's URL; None if boto3's own configuration may change it."""
    bucket = str(storage.bucket_name)
    is_simple = not (
        storage.client_config
        or storage.session_profile
        or bucket.startswith("arn:")
        or bucket.endswith(("--x-s3", "--op-s3", "-s3alias"))
        or storage.addressing_style not in {None, "auto", "virtual", "path"}
    )
    if not is_simple or _is_boto3_configured(has_region=storage.region_name not in _REGIONLESS):
        return None
    url = s3_base_url(
        bucket,
        "",
        region=storage.region_name,
        endpoint_url=storage.public_endpoint,
        addressing_style=storage.addressing_style,
    )
    if not storage.use_ssl and not storage.public_endpoint:
        url = url.replace("https://", "http://", 1)
    return url


def _is_boto3_configured(*, has_region: bool) -> bool:
    """Return whether boto3's own variables or configuration file may change the address."""
    names = [name for name in _VARIABLES if not (has_region and name == "AWS_DEFAULT_REGION")]
    if any(os.environ.get(name) for name in names):
        return True
    path = os.path.expanduser(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config")  # noqa: PTH111
    try:
        return os.stat(path).st_size > 0  # noqa: PTH116
    except OSError:
        return False


def _as_boto3_signs(storage: Any, access_key: str, secret_key: str) -> UrlSigner | None:
    """Return a signer with the base URL and region of boto3; None for another signature."""
    destination = storage.public_destination
    with explained(destination, "s3:GetObject"):
        url = connect(destination, storage.profile).generate_presigned_url(
            "get_object", Params={"Bucket": destination.bucket, "Key": _PROBE}
        )
    parts = urlsplit(url)
    query: Any = {name: values[0] for name, values in parse_qs(parts.query).items()}
    key, _, scope = query.get("X-Amz-Credential", "").partition("/")
    is_known = (
        query.get("X-Amz-Algorithm") == ALGORITHM
        and query.get("X-Amz-SignedHeaders") == "host"
        and key == access_key
        and scope.endswith("/s3/aws4_request")
    )
    if not is_known:
        return None
    base_url = url.partition("?")[0].removesuffix(_PROBE)
    return UrlSigner(
        Signer(access_key, secret_key, scope.split("/")[1]), base_url, storage.security_token
    )
