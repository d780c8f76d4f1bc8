"""Check that visitors can read the files that are about to be published."""

from __future__ import annotations

import logging
import time

from herokuify.exceptions import S3ConfigurationError
from herokuify.s3.client import PROBE
from herokuify.s3.web import UnreachableError, fetch
from herokuify.storage.static import S3StaticStorage, joined

logger = logging.getLogger("herokuify.collect")

#: A new bucket's policy takes a moment to have effect everywhere.
ATTEMPTS = 4
_EMPTY = 416  # for an empty file, which has no first byte
_UNKNOWN = "Can't tell whether visitors can read the static files: %s"
_HINT = (
    "python manage.py herokuify bucket --apply (a policy that lets anyone read only static files; "
    "it reports if the AWS account blocks public policies)"
)


def confirm_public(storage: S3StaticStorage, key: str) -> None:
    """Request a static file without credentials, at the bucket's own address.

    If S3 refuses, log a warning, because the bucket may be made public later, or this machine may
    be blocked. With AWS_AUTO_CREATE_BUCKET, raise S3ConfigurationError instead: herokuify is
    responsible for the policy then.
    """
    location = storage.location.strip("/")
    url = joined(storage.base_url, key.removeprefix(f"{location}/"))
    ca_file = storage.verify if isinstance(storage.verify, str) else None
    attempts = ATTEMPTS if storage.auto_create_bucket else 1
    for attempt in range(1, attempts + 1):
        try:
            status = fetch(url, ca_file=ca_file, headers={"Range": "bytes=0-0"}).status
        except UnreachableError as error:
            logger.warning(_UNKNOWN, f"{error} {error.hint}")
            return
        if status not in {401, 403}:
            break
        if attempt < attempts:
            time.sleep(PROBE.pause(attempt))
    else:
        problem = (
            f"{storage.__class__.__name__}: visitors can't read the static files in "
            f"s3://{storage.bucket_name}/{location}/: {url} responds with {status} to requests "
            "without credentials."
        )
        if storage.auto_create_bucket:
            raise S3ConfigurationError(f"{problem} The release is not published.", _HINT)
        logger.warning("%s %s", problem, _HINT)
        return
    if status >= 300 and status != _EMPTY:
        logger.warning(_UNKNOWN, f"{url} responds with {status}. Check STATIC_URL.")
