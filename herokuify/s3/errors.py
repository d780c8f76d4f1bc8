"""What S3's errors mean, with a hint for each."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from herokuify.conf.addresses import without_logins
from herokuify.exceptions import S3ConfigurationError, S3Error
from herokuify.s3.destination import Destination

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

_KEYS = "heroku config:set AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…"
_ADDRESS = "Check AWS_S3_ENDPOINT_URL and AWS_S3_REGION_NAME."
_TRANSIENT_STATUSES = {429, 500, 502, 503, 504}
_TRANSIENT_CODES = {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable"}


class NotS3Error(S3Error):
    """The response doesn't come from S3."""


@contextmanager
def explained(
    destination: Destination, permission: str, key: str = "", *, may_be_absent: bool = False
) -> Iterator[None]:
    """Raise S3Error or S3ConfigurationError in place of botocore's errors.

    ``permission`` is the IAM action of the request (``s3:PutObject``). With ``may_be_absent``,
    a 404 for the object raises FileNotFoundError.
    """
    try:
        yield
    except S3Error:
        raise
    except Exception as error:
        # Imported only now: a process without failed requests may never need botocore.
        from botocore.exceptions import BotoCoreError, ClientError

        _forget_locals(error)
        if isinstance(error, ClientError):
            if may_be_absent and is_absent(error):
                raise FileNotFoundError(f"File does not exist: {key}") from error
            raise translate(error, destination, permission, key) from error
        if isinstance(error, BotoCoreError):
            raise _unsent(error, destination, permission, key) from error
        raise


def _forget_locals(error: BaseException | None) -> None:
    """Clear the local variables of the failed calls: their headers contain tokens.

    Error pages and mail to ADMINS show the local variables of each call in a traceback.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def explain(error: Exception, destination: Destination, key: str = "") -> S3Error:
    """Return the S3Error for one of botocore's errors."""
    from botocore.exceptions import ClientError

    if isinstance(error, S3Error):
        return error
    if isinstance(error, ClientError):
        return translate(error, destination, permission_of(error.operation_name), key)
    return _unsent(error, destination, "the request", key)


def failures() -> tuple[type[Exception], ...]:
    """Return what a request to S3 can raise, for an ``except`` clause."""
    from botocore.exceptions import BotoCoreError, ClientError

    return BotoCoreError, ClientError, S3Error


@contextmanager
def translated(destination: Destination, key: str = "") -> Iterator[None]:
    """Raise S3Error in place of botocore's errors; the permission follows from the operation."""
    try:
        yield
    except S3Error:
        raise
    except failures() as error:
        raise explain(error, destination, key) from error


def code_of(error: Exception) -> str:
    """Return S3's error code; for a HEAD, whose response has no body, the HTTP status.

    ``""`` if S3 did not respond.
    """
    return str(_response(error).get("Error", {}).get("Code", ""))


def status_of(error: Exception) -> int:
    """Return the HTTP status of S3's response; 0 without one."""
    return int(_response(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _response(error: Exception) -> Any:
    # botocore's errors for broken connections have None.
    return getattr(error, "response", None) or {}


def cause_of(error: S3Error, operation: str = "") -> ClientError | None:
    """Return S3's error response; None without one, or if it was to another operation."""
    from botocore.exceptions import ClientError

    cause = error.__cause__
    if isinstance(cause, ClientError) and operation in {"", cause.operation_name}:
        return cause
    return None


def is_absent(error: ClientError) -> bool:
    """Return whether the bucket exists, but not the object."""
    return status_of(error) == 404 and code_of(error) != "NoSuchBucket"


def is_denied(error: Exception) -> bool:
    """Return whether a permission is missing."""
    return code_of(error) in _DENIED


def is_unsupported(error: Exception) -> bool:
    """Return whether the service doesn't support this request."""
    return status_of(error) in {405, 501} or code_of(error) in _UNSUPPORTED


def is_transient(error: BaseException) -> bool:
    """Return whether the same request may succeed shortly."""
    from botocore.exceptions import ClientError, HTTPClientError, SSLError
    from botocore.exceptions import ConnectionError as BotoConnectionError

    if isinstance(error, ClientError):
        return status_of(error) in _TRANSIENT_STATUSES or code_of(error) in _TRANSIENT_CODES
    return isinstance(error, (BotoConnectionError, HTTPClientError)) and not isinstance(
        error, SSLError
    )


#: Operation of boto3's client → the IAM action that it needs, where the names differ.
_PERMISSIONS = {
    "CreateMultipartUpload": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "DeleteObjects": "s3:DeleteObject",
    "GetBucketCors": "s3:GetBucketCORS",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "HeadBucket": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "ListObjects": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "PutBucketCors": "s3:PutBucketCORS",
    "PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "UploadPart": "s3:PutObject",
}


def permission_of(operation: str) -> str:
    """Return the IAM action that an operation of boto3's client needs."""
    return _PERMISSIONS.get(operation, f"s3:{operation}")


def translate(error: ClientError, destination: Destination, permission: str, key: str) -> S3Error:
    """Return the error that says what S3's response means."""
    code = code_of(error)
    bucket = destination.bucket
    where = f"s3://{bucket}/{key}" if key else f"bucket {bucket!r}"
    meaning = _meaning(code, error, destination, permission, where)
    if meaning is not None:
        problem, hint = meaning
        return S3ConfigurationError(f"{destination.storage}: {problem}", hint)
    message = error.response.get("Error", {}).get("Message") or "no explanation"
    attempts = error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)
    tries = f" after {attempts + 1} tries" if attempts else ""
    return S3Error(
        f"{destination.storage}: S3 answered {status_of(error)} {code} ({message}) "
        f"to {permission} on {where}{tries}.",
        _BUSY if status_of(error) == 503 else "",
    )


def moved(destination: Destination, region: str) -> S3Error:
    """Return the error for a bucket that is in a different region than the settings say."""
    from botocore.exceptions import ClientError

    answer: Any = {"Error": {"Code": "PermanentRedirect", "Region": region}}
    return translate(ClientError(answer, "HeadBucket"), destination, "s3:ListBucket", "")


#: S3 asks for fewer requests, or is overloaded.
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
#: S3's error code → the problem and the hint (Amazon S3 API Reference, "Error responses").
#: A HEAD has no body, and its code is the status.
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
        "AWS_STORAGE_BUCKET_NAME is {bucket!r}, which is not a valid bucket name.",
        "heroku config:set AWS_STORAGE_BUCKET_NAME=…",
    ),
    "InvalidAccessKeyId": ("S3 does not know this AWS_ACCESS_KEY_ID.", _KEYS),
    "SignatureDoesNotMatch": (
        "AWS_SECRET_ACCESS_KEY does not match AWS_ACCESS_KEY_ID.",
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
        "{endpoint} has no region {region}.",
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
    code: str, error: ClientError, destination: Destination, permission: str, where: str
) -> tuple[str, str] | None:
    """Return the problem and the hint; None if the settings aren't the cause."""
    if code in _DENIED:
        return _denied(permission, where)
    if code not in _MEANINGS:
        return None
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    details: Any = error.response.get("Error", {})
    found = headers.get("x-amz-bucket-region") or details.get("Region")
    facts = {
        "bucket": destination.bucket,
        "endpoint": destination.endpoint,
        "region": destination.region or "us-east-1 (the default)",
        "found": found or "another one",
        "found_or_dots": found or "…",
    }
    problem, hint = _MEANINGS[code]
    return problem.format(**facts), hint.format(**facts)


def _denied(permission: str, where: str) -> tuple[str, str]:
    if permission == "s3:GetObject":
        reason = (
            "the permission s3:GetObject is missing, or the object does not exist and "
            "s3:ListBucket is missing (without it, S3 responds with 403 instead of 404)"
        )
    else:
        reason = f"the permission {permission} is missing, or the bucket belongs to another account"
    return (
        f"S3 denied access to {where}: {reason}.",
        "Grant it to the IAM user of AWS_ACCESS_KEY_ID, and check AWS_STORAGE_BUCKET_NAME.",
    )


def _unsent(error: Exception, destination: Destination, permission: str, key: str) -> S3Error:
    """Return the error for a request without a response from S3."""
    from botocore import exceptions as botos

    name = destination.storage
    # Settings that botocore itself refuses.
    unusable: dict[type[BotoCoreError], str] = {
        botos.InvalidRegionError: "AWS_S3_REGION_NAME",
        botos.InvalidS3AddressingStyleError: "AWS_S3_ADDRESSING_STYLE",
        botos.ProfileNotFound: "AWS_S3_SESSION_PROFILE",
    }
    # botocore's messages contain the URL, which may hold a password from its own configuration.
    reason = without_logins(str(error))
    if isinstance(error, (botos.NoCredentialsError, botos.PartialCredentialsError)):
        return S3ConfigurationError(
            f"{name} needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, which are not set.",
            _KEYS,
        )
    if isinstance(error, botos.ParamValidationError):
        return S3ConfigurationError(
            f"{name}: the settings (AWS_STORAGE_BUCKET_NAME, AWS_S3_OBJECT_PARAMETERS, "
            f"AWS_HEADERS) ask for something that {permission} does not accept: {reason}"
        )
    for kind, setting in unusable.items():
        if isinstance(error, kind):
            return S3ConfigurationError(f"{name}: {setting} can't be used: {reason}")
    if isinstance(error, botos.SSLError):
        return S3ConfigurationError(
            f"{name}: the TLS certificate of {destination.endpoint} is not trusted: {reason}.",
            "Check AWS_S3_ENDPOINT_URL, or in settings.py: AWS_S3_VERIFY = …, the path of the CA's "
            "file.",
        )
    where = f"s3://{destination.bucket}/{key}"
    if isinstance(error, (botos.ConnectionError, botos.HTTPClientError)):
        return S3Error(
            f"{name}: {destination.endpoint} could not be reached for {permission} on {where}: "
            f"{reason}.",
            _ADDRESS,
        )
    return S3Error(f"{name}: {permission} on {where}: {reason}")
