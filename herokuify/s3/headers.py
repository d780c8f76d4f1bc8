"""HTTP headers from the settings, as parameters of S3's API."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from herokuify.exceptions import ConfigurationError

#: HTTP header of a PUT → parameter of boto3's ``put_object`` (Amazon S3 API
#: Reference, "PutObject"). Headers that the client computes itself (lengths,
#: digests, checksums), customer-provided keys and preconditions have no place in
#: settings.
PARAMETERS: Mapping[str, str] = {
    "cache-control": "CacheControl",
    "content-disposition": "ContentDisposition",
    "content-encoding": "ContentEncoding",
    "content-language": "ContentLanguage",
    "content-type": "ContentType",
    "expires": "Expires",
    "x-amz-acl": "ACL",
    "x-amz-expected-bucket-owner": "ExpectedBucketOwner",
    "x-amz-grant-full-control": "GrantFullControl",
    "x-amz-grant-read": "GrantRead",
    "x-amz-grant-read-acp": "GrantReadACP",
    "x-amz-grant-write-acp": "GrantWriteACP",
    "x-amz-object-lock-legal-hold": "ObjectLockLegalHoldStatus",
    "x-amz-object-lock-mode": "ObjectLockMode",
    "x-amz-object-lock-retain-until-date": "ObjectLockRetainUntilDate",
    "x-amz-request-payer": "RequestPayer",
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
    "x-amz-server-side-encryption-bucket-key-enabled": "BucketKeyEnabled",
    "x-amz-server-side-encryption-context": "SSEKMSEncryptionContext",
    "x-amz-storage-class": "StorageClass",
    "x-amz-tagging": "Tagging",
    "x-amz-website-redirect-location": "WebsiteRedirectLocation",
}
METADATA_PREFIX = "x-amz-meta-"
HEADERS_BY_PARAMETER = {parameter: header for header, parameter in PARAMETERS.items()}
_EXTRA_SHAPE = (
    'a list of (regex, headers) pairs, such as [(r".*\\.woff2$", {"Cache-Control": "…"})]'
)


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merge S3 parameters; later layers take precedence, for metadata per name."""
    result: dict[str, Any] = {}
    for layer in layers:
        metadata = {**result.get("Metadata", {}), **layer.get("Metadata", {})}
        result.update(layer)
        if metadata:
            result["Metadata"] = metadata
    return result


@dataclass(frozen=True)
class HeaderRules:
    """The headers of all objects, and of those whose names match a pattern."""

    everywhere: Mapping[str, Any]
    patterns: Sequence[tuple[re.Pattern[str], Mapping[str, Any]]]

    @classmethod
    def parse(cls, headers: object, extra_headers: object) -> HeaderRules:
        """Parse AWS_HEADERS (a dict) and AWS_EXTRA_HEADERS (pairs of regex and dict).

        Raises ConfigurationError for an unknown header, a value of the wrong type,
        a wrong shape or a pattern that does not compile.
        """
        if isinstance(extra_headers, (str, bytes, Mapping)) or not isinstance(
            extra_headers, Iterable
        ):
            raise ConfigurationError(
                f"AWS_EXTRA_HEADERS must be {_EXTRA_SHAPE}, not {type(extra_headers).__name__}."
            )
        return cls(
            everywhere=parameters(headers, setting="AWS_HEADERS"),
            patterns=tuple(_pattern(index, entry) for index, entry in enumerate(extra_headers)),
        )

    def for_name(self, name: str) -> dict[str, Any]:
        """Return S3 parameters for a name relative to the storage's location."""
        matching = (params for pattern, params in self.patterns if pattern.match(name))
        return merged(self.everywhere, *matching)


def _pattern(index: int, entry: object) -> tuple[re.Pattern[str], Mapping[str, Any]]:
    setting = f"AWS_EXTRA_HEADERS[{index}]"
    if not isinstance(entry, Sequence) or isinstance(entry, (str, bytes)) or len(entry) != 2:
        raise ConfigurationError(
            f"{setting} is not a pair: AWS_EXTRA_HEADERS must be {_EXTRA_SHAPE}."
        )
    regex, headers = entry
    return pattern(regex, setting), parameters(headers, setting=setting)


def pattern(regex: object, setting: str) -> re.Pattern[str]:
    """Compile a regular expression for names; errors name the setting."""
    if isinstance(regex, re.Pattern):
        regex = regex.pattern if isinstance(regex.pattern, bytes) else regex
    if not isinstance(regex, (str, re.Pattern)):
        raise ConfigurationError(
            f"{setting} has the pattern {regex!r}; it must be a regular expression as str."
        )
    try:
        return re.compile(regex)
    except re.error as error:
        raise ConfigurationError(
            f"{setting} has the pattern {regex!r}, which is invalid: {error}. "
            "It is a regular expression, not a shell pattern: every .js file is '.*\\.js$'."
        ) from error


def parameters(headers: object, *, setting: str) -> dict[str, Any]:
    """Return S3 parameters for HTTP headers; ``setting`` is named in errors."""
    if not isinstance(headers, Mapping):
        raise ConfigurationError(
            f"{setting} must map HTTP headers to values, such as "
            f'{{"Cache-Control": "max-age=3600"}}, not {type(headers).__name__}.'
        )
    layers = [_parameter(header, value, setting=setting) for header, value in headers.items()]
    return merged(*layers)


def _parameter(header: object, value: object, *, setting: str) -> dict[str, Any]:
    name = header.lower() if isinstance(header, str) else ""
    if name.startswith(METADATA_PREFIX) and name != METADATA_PREFIX:
        return {"Metadata": {name[len(METADATA_PREFIX) :]: _text(header, value, setting=setting)}}
    parameter = PARAMETERS.get(name)
    if parameter is None:
        raise ConfigurationError(
            f"{setting} contains the header {header!r}, which S3 cannot store with an object."
            f"{_suggestion(header)} Known headers: "
            f"{', '.join(sorted(PARAMETERS))}, {METADATA_PREFIX}*."
        )
    if parameter in {"Expires", "ObjectLockRetainUntilDate"}:
        return {parameter: _date(header, value, setting=setting)}
    if parameter == "BucketKeyEnabled":
        if value not in (True, False, "true", "false"):
            raise ConfigurationError(
                f"{setting}[{header!r}] is {value!r}; it must be True or False."
            )
        return {parameter: value in (True, "true")}
    return {parameter: _text(header, value, setting=setting)}


def _suggestion(header: object) -> str:
    if header in HEADERS_BY_PARAMETER:
        return f" Did you mean {HEADERS_BY_PARAMETER[str(header)]!r}?"
    close = difflib.get_close_matches(str(header).lower(), PARAMETERS, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _text(header: object, value: object, *, setting: str) -> str:
    # bool is an int; "True" in a header is never what was meant.
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        raise ConfigurationError(f"{setting}[{header!r}] is {value!r}; it must be text.")
    text = str(value)
    if "\n" in text or "\r" in text:
        raise ConfigurationError(f"{setting}[{header!r}] has a line break, which HTTP forbids.")
    return text


def _date(header: object, value: object, *, setting: str) -> datetime:
    if isinstance(value, datetime):
        return value
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            return read(str(value).replace("Z", "+00:00"))
        except (TypeError, ValueError):
            continue
    raise ConfigurationError(
        f"{setting}[{header!r}] is {value!r}; it must be a datetime or a date such as "
        "'Thu, 31 Dec 2037 23:55:55 GMT'."
    )


def http_headers(parameters: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the HTTP headers, names in lower case, of a PUT with these S3 parameters.

    The reverse of ``parameters``. None if only boto3 can send them: for parameters that the
    settings don't allow, and values that boto3 would refuse or encode.
    """
    headers: dict[str, Any] = {}
    for parameter, value in parameters.items():
        if parameter == "Metadata":
            headers |= {f"{METADATA_PREFIX}{name.lower()}": text for name, text in value.items()}
        elif parameter in HEADERS_BY_PARAMETER:
            headers[HEADERS_BY_PARAMETER[parameter]] = _header_value(parameter, value)
        else:
            return None
    is_simple = all(isinstance(text, str) and text.isascii() for text in headers.values())
    return headers if is_simple else None


def put_parameters(headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters with which boto3's PUT sends these headers, names in lower case."""
    known = {**PARAMETERS, "content-length": "ContentLength", "if-none-match": "IfNoneMatch"}
    found: dict[str, Any] = {}
    for name, value in headers.items():
        if name.startswith(METADATA_PREFIX):
            found.setdefault("Metadata", {})[name.removeprefix(METADATA_PREFIX)] = value
        else:
            found[known[name]] = int(value) if name == "content-length" else value
    return found


def _header_value(parameter: str, value: Any) -> Any:
    """Return a value as text; other types are returned unchanged."""
    if parameter == "Expires" and isinstance(value, datetime):
        return format_datetime(value.astimezone(timezone.utc), usegmt=True)
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    if parameter == "BucketKeyEnabled" and isinstance(value, bool):
        return str(value).lower()
    return value
