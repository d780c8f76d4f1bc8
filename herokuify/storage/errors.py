"""What S3's refusals mean, and how to mend them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    InvalidRegionError,
    InvalidS3AddressingStyleError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

from herokuify.exceptions import S3ConfigurationError, S3Error
from herokuify.storage.permissions import permission_of

S3ErrorT = TypeVar("S3ErrorT", bound=S3Error)

_KEYS = "heroku config:set AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…"


@dataclass(frozen=True)
class Target:
    """Where a request went: who asked, which bucket, where; for messages."""

    storage: str
    bucket: str
    endpoint: str
    region: str | None


@contextmanager
def explained(target: Target, permission: str, key: str = "") -> Iterator[None]:
    """Raise S3Error or S3ConfigurationError in place of botocore's errors.

    ``permission`` is the IAM action of the request (``s3:PutObject``). An absent
    object (404) passes as botocore's ClientError: what absence means is the
    caller's to say.
    """
    try:
        yield
    except ClientError as error:
        if is_absent(error):
            raise
        raise translate(error, target, permission, key) from error
    except BotoCoreError as error:
        raise _unsent(error, target, permission, key) from error


def explain(error: ClientError | BotoCoreError, target: Target, key: str = "") -> S3Error:
    """The herokuify error for one of botocore's."""
    if isinstance(error, ClientError):
        return translate(error, target, permission_of(error.operation_name), key)
    return _unsent(error, target, "the request", key)


def code_of(error: ClientError) -> str:
    """S3's error code; for a HEAD, whose answer has no body, the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: ClientError) -> int:
    """The HTTP status of the answer."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_absent(error: ClientError) -> bool:
    """Whether the object, not the bucket, does not exist."""
    return status_of(error) == 404 and code_of(error) != "NoSuchBucket"


def is_denied(error: ClientError) -> bool:
    """Whether a permission is missing."""
    return code_of(error) in _DENIED


def is_unsupported(error: ClientError) -> bool:
    """Whether the service knows no such request: not each one that speaks S3 has all of it."""
    return status_of(error) in {405, 501} or code_of(error) in _UNSUPPORTED


def _is_busy(error: ClientError) -> bool:
    """Whether S3 asks for fewer requests, or is not well."""
    return status_of(error) == 503


def translate(error: ClientError, target: Target, permission: str, key: str) -> S3Error:
    """The herokuify error that says what S3's answer means."""
    code = code_of(error)
    where = f"s3://{target.bucket}/{key}" if key else f"bucket {target.bucket!r}"
    meaning = _meaning(code, error, target, permission, where)
    if meaning is not None:
        return _refused(target, *meaning)
    message = error.response.get("Error", {}).get("Message") or "no explanation"
    attempts = error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)
    tries = f" after {attempts + 1} tries" if attempts else ""
    told = (
        f"{target.storage}: S3 answered {status_of(error)} {code} ({message}) "
        f"to {permission} on {where}{tries}."
    )
    return _with_mend(S3Error(f"{told} {_BUSY}"), _BUSY) if _is_busy(error) else S3Error(told)


def _refused(target: Target, what: str, mend: str) -> S3ConfigurationError:
    return _with_mend(S3ConfigurationError(f"{target.storage}: {what} {mend}"), mend)


def _with_mend(error: S3ErrorT, mend: str) -> S3ErrorT:
    error.mend = mend
    return error


_BUSY = (
    "Try again; with HEROKUIFY_UPLOAD_CONCURRENCY = 16 in the settings, collectstatic sends fewer "
    "requests at a time."
)
_MOVED = (
    "the bucket {bucket!r} is not in the region {region}: it is in {found}.",
    "heroku config:set AWS_S3_REGION_NAME={found_or_dots}",
)
_EXPIRED = (
    "the temporary credentials have expired, or their AWS_SESSION_TOKEN is wrong.",
    f"{_KEYS} AWS_SESSION_TOKEN=…",
)
#: S3's error code → what it means for the settings, and the mend (Amazon S3 API Reference,
#: "Error responses"). A HEAD has no body, and its code is the status.
_MEANINGS = {
    "NoSuchBucket": (
        "the bucket {bucket!r} does not exist at {endpoint}.",
        (
            "Create it, or let herokuify do so at the first write: "
            "heroku config:set AWS_AUTO_CREATE_BUCKET=true; or name another: "
            "heroku config:set AWS_STORAGE_BUCKET_NAME=…"
        ),
    ),
    "InvalidBucketName": (
        "AWS_STORAGE_BUCKET_NAME is {bucket!r}, which S3 refuses as a bucket's name.",
        "heroku config:set AWS_STORAGE_BUCKET_NAME=…",
    ),
    "InvalidAccessKeyId": ("S3 does not know the AWS_ACCESS_KEY_ID that is set.", _KEYS),
    "SignatureDoesNotMatch": (
        "AWS_SECRET_ACCESS_KEY does not belong to the AWS_ACCESS_KEY_ID that is set.",
        _KEYS,
    ),
    "ExpiredToken": _EXPIRED,
    "InvalidToken": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "301": _MOVED,
    "PermanentRedirect": _MOVED,
    "AuthorizationHeaderMalformed": _MOVED,
    "IllegalLocationConstraintException": _MOVED,
    "InvalidLocationConstraint": (
        "{endpoint} knows no region {region}.",
        "heroku config:set AWS_S3_REGION_NAME=…",
    ),
    "RequestTimeTooSkewed": (
        "this machine's clock differs from S3's by more than 15 minutes.",
        "Set the clock.",
    ),
    "AccessControlListNotSupported": (
        "the bucket {bucket!r} has ACLs disabled, as new buckets have.",
        (
            "Delete AWS_DEFAULT_ACL (and any x-amz-acl header) from the settings: a bucket policy "
            "makes static files public, and media files stay private."
        ),
    ),
}
_DENIED = {"AccessDenied", "403", "AllAccessDisabled", "AccountProblem"}
_UNSUPPORTED = {"MethodNotAllowed", "NotImplemented", "UnsupportedOperation"}


def _meaning(
    code: str, error: ClientError, target: Target, permission: str, where: str
) -> tuple[str, str] | None:
    """What an answer means, and the mend; None when it is about nothing in the settings."""
    if code in _DENIED:
        return _denied(permission, where)
    if code not in _MEANINGS:
        return None
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    found = headers.get("x-amz-bucket-region") or error.response.get("Error", {}).get("Region")
    facts = {
        "bucket": target.bucket,
        "endpoint": target.endpoint,
        "region": target.region or "us-east-1 (the default)",
        "found": found or "another one",
        "found_or_dots": found or "…",
    }
    what, mend = _MEANINGS[code]
    return what.format(**facts), mend.format(**facts)


def _denied(permission: str, where: str) -> tuple[str, str]:
    if permission == "s3:GetObject":
        hint = (
            "the permission s3:GetObject is missing, or the object does not exist and "
            "s3:ListBucket is missing (without it S3 answers 403 instead of 404)"
        )
    else:
        hint = f"the permission {permission} is missing, or the bucket belongs to somebody else"
    return (
        f"S3 denied access to {where}: {hint}.",
        "Grant it to the IAM user of AWS_ACCESS_KEY_ID, and check AWS_STORAGE_BUCKET_NAME.",
    )


#: Settings that botocore itself refuses.
_UNUSABLE = {
    InvalidRegionError: "AWS_S3_REGION_NAME",
    InvalidS3AddressingStyleError: "AWS_S3_ADDRESSING_STYLE",
    ProfileNotFound: "AWS_S3_SESSION_PROFILE",
}


def _unsent(error: BotoCoreError, target: Target, permission: str, key: str) -> S3Error:
    """The error for a request that S3 has not answered."""
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        needs = "needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and they are not set."
        return _with_mend(
            S3ConfigurationError(f"{target.storage} {needs} {_KEYS}"),
            _KEYS,
        )
    if isinstance(error, ParamValidationError):
        return S3ConfigurationError(
            f"{target.storage}: the settings (AWS_STORAGE_BUCKET_NAME, AWS_S3_OBJECT_PARAMETERS, "
            f"AWS_HEADERS) ask for something that {permission} does not take: {error}"
        )
    for kind, setting in _UNUSABLE.items():
        if isinstance(error, kind):
            return S3ConfigurationError(f"{target.storage}: {setting} can't be used: {error}")
    if isinstance(error, SSLError):
        return _refused(
            target,
            f"the TLS certificate of {target.endpoint} is not trusted: {error}.",
            "Check AWS_S3_ENDPOINT_URL, or give the CA file as AWS_S3_VERIFY.",
        )
    if isinstance(error, (BotoConnectionError, HTTPClientError)):
        mend = "Check AWS_S3_ENDPOINT_URL and AWS_S3_REGION_NAME."
        message = (
            f"{target.storage}: {target.endpoint} could not be reached for {permission} on "
            f"s3://{target.bucket}/{key}: {error}. {mend}"
        )
        return _with_mend(S3Error(message), mend)
    return S3Error(f"{target.storage}: {permission} on s3://{target.bucket}/{key}: {error}")
