"""Access to a bucket: connection, region, clock, credentials, and whether it exists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from herokuify.doctor.findings import Finding, Subject
from herokuify.doctor.runner import Findings
from herokuify.exceptions import S3Error
from herokuify.s3.errors import cause_of, code_of, status_of, translated
from herokuify.storage import S3BotoStorage

ResultT = TypeVar("ResultT")

#: What a response proves, in the order in which S3 checks a request.
STEPS = ("s3.connection", "s3.region", "s3.clock", "s3.credentials", "s3.bucket")
#: S3's error code, or the class of botocore's error for a request that was not sent → the step
#: that fails.
_BROKEN = {
    **dict.fromkeys(
        (
            *("301", "PermanentRedirect", "AuthorizationHeaderMalformed"),
            *("IllegalLocationConstraintException", "InvalidRegionError"),
        ),
        "s3.region",
    ),
    "RequestTimeTooSkewed": "s3.clock",
    **dict.fromkeys(
        (
            *("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"),
            *("TokenRefreshRequired", "AccountProblem", "NotSignedUp"),
            *("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"),
        ),
        "s3.credentials",
    ),
    **dict.fromkeys(("NoSuchBucket", "InvalidBucketName", "AllAccessDisabled"), "s3.bucket"),
}
#: Seconds that clocks may differ. S3 refuses more than 15 minutes; smaller differences shorten the
#: life of signed URLs.
_MAX_SKEW = 60
_MAX_KEYS = 10  # one is enough to request as a visitor
_ENDPOINT = (
    "heroku config:set AWS_S3_ENDPOINT_URL=…, or, for Amazon S3: heroku config:unset "
    "AWS_S3_ENDPOINT_URL"
)
_OUTAGE = "Check https://health.aws.amazon.com, or try again."
_CLOCK = (
    "Set the clock: sudo timedatectl set-ntp true; a dyno moves to another machine with heroku "
    "ps:restart"
)


def ask(storage: S3BotoStorage, key: str, request: Callable[[], ResultT]) -> ResultT:
    """Return the response to a request; raise S3Error for botocore's errors."""
    with translated(storage.destination, key):
        return request()


def is_status(error: S3Error, *statuses: int) -> bool:
    """Return whether S3 has responded with one of these HTTP statuses."""
    refusal = cause_of(error)
    return refusal is not None and status_of(refusal) in statuses


@dataclass(frozen=True)
class Listing:
    """S3's first response to a storage: the first keys, or an error."""

    keys: tuple[str, ...]
    error: S3Error | None
    metadata: Mapping[str, Any]

    @classmethod
    def first(cls, storage: S3BotoStorage) -> Listing:
        """List the first keys of the storage's location."""
        location = storage.location.strip("/")
        prefix = f"{location}/" if location else ""
        try:
            client = ask(storage, prefix, lambda: storage.probing_client)
            answer = ask(
                storage,
                prefix,
                lambda: client.list_objects_v2(
                    Bucket=storage.bucket_name, Prefix=prefix, MaxKeys=_MAX_KEYS
                ),
            )
        except S3Error as error:
            refusal = cause_of(error)
            response: Any = refusal.response if refusal else {}
            return cls((), error, response.get("ResponseMetadata", {}))
        keys = tuple(item["Key"] for item in answer.get("Contents", ()))
        return cls(keys, None, answer["ResponseMetadata"])

    @property
    def headers(self) -> Mapping[str, str]:
        """The response's headers, with names in lower case."""
        headers: Mapping[str, str] = self.metadata.get("HTTPHeaders", {})
        return headers

    @property
    def broken(self) -> str | None:
        """The step that failed; None if there is no error, or permissions are missing."""
        if self.error is None:
            return None
        refusal = cause_of(self.error)
        if refusal is None:
            return _BROKEN.get(type(self.error.__cause__).__name__, STEPS[0])
        return _BROKEN.get(code_of(refusal), None if status_of(refusal) == 403 else STEPS[0])


def probe_access(storage: S3BotoStorage, listing: Listing, subject: Subject) -> Findings:
    """Report what the first response proves: DNS, TLS, credentials, the bucket."""
    broken = listing.broken
    proven = STEPS[: STEPS.index(broken)] if broken else STEPS
    for step in proven:
        yield _proven(step, storage, listing, subject)
    if broken is None or listing.error is None:
        return
    yield _broken(broken, storage, listing, listing.error, subject)
    for step in STEPS[len(proven) + 1 :]:
        yield subject.skipped(step, f"unknown, because {broken} failed")


def _proven(step: str, storage: S3BotoStorage, listing: Listing, subject: Subject) -> Finding:
    endpoint = storage.destination.endpoint
    if step == "s3.region":
        return _region(storage, listing, subject)
    if step == "s3.clock":
        return _clock(listing, subject)
    return subject.ok(
        step,
        {
            "s3.connection": f"{endpoint} responds.",
            "s3.credentials": "S3 accepts the access key and its secret.",
            "s3.bucket": f"The bucket {storage.bucket_name!r} exists.",
        }[step],
    )


def _region(storage: S3BotoStorage, listing: Listing, subject: Subject) -> Finding:
    """Compare the regions: botocore follows redirects, but signed URLs would fail."""
    used = storage.probing_client.meta.region_name
    found = listing.headers.get("x-amz-bucket-region")
    used = "us-east-1" if used in {None, "aws-global"} else used
    if found and found != used:
        return subject.failed(
            "s3.region",
            f"The bucket {storage.bucket_name!r} is in {found}, and not in {used}. Each request "
            "is redirected, and signed URLs fail.",
            f"heroku config:set AWS_S3_REGION_NAME={found}",
        )
    if found:
        return subject.ok("s3.region", f"The bucket is in {used}, as configured.")
    return subject.ok("s3.region", f"S3 accepts signatures for {used}.")


def _clock(listing: Listing, subject: Subject) -> Finding:
    skew = _skew(listing.headers)
    if skew is None:
        return subject.ok("s3.clock", "S3 accepts the time of the signature.")
    if abs(skew) > _MAX_SKEW:
        return subject.warning("s3.clock", f"This machine's clock is {_described(skew)}.", _CLOCK)
    return subject.ok("s3.clock", "This machine's clock and S3's agree.")


def _skew(headers: Mapping[str, str]) -> float | None:
    """Return by how many seconds the local clock is ahead; None for a response without a date."""
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
        return (datetime.now(timezone.utc) - date).total_seconds()
    except (TypeError, ValueError):  # absent, malformed, or without a time zone
        return None


def _described(skew: float) -> str:
    amount = abs(skew)
    length = f"{amount / 60:.0f} minutes" if amount >= 120 else f"{amount:.0f} seconds"
    return f"{length} {'ahead of' if skew > 0 else 'behind'} S3's"


def _broken(
    step: str, storage: S3BotoStorage, listing: Listing, error: S3Error, subject: Subject
) -> Finding:
    refusal = cause_of(error)
    if step == "s3.clock":
        skew = _skew(listing.headers)
        how = "differs from S3's by more than 15 minutes"
        if skew is not None:
            how = f"is {_described(skew)}"
        return subject.failed(step, f"S3 refuses requests: this machine's clock {how}.", _CLOCK)
    if refusal is not None and code_of(refusal) == "NoSuchBucket":
        message = (
            f"The bucket {storage.bucket_name!r} does not exist at {storage.destination.endpoint}"
        )
        if storage.auto_create_bucket:
            return subject.warning(
                step,
                f"{message} yet. With AWS_AUTO_CREATE_BUCKET, the first write creates it.",
                "python manage.py collectstatic --noinput",
            )
        return subject.failed(
            step,
            f"{message}.",
            "python manage.py herokuify bucket --apply (creates it), or name another: "
            "heroku config:set AWS_STORAGE_BUCKET_NAME=…",
        )
    # Without an error code of S3, as from another kind of server, botocore uses the status.
    is_s3 = refusal is not None and not code_of(refusal).isdigit()
    return subject.refused(step, error, _OUTAGE if is_s3 else _ENDPOINT)
