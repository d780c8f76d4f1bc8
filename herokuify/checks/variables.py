"""Config vars that are set in part; herokuify.aws refuses half an add-on's when it is imported."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning

from herokuify import env
from herokuify.checks.configured import s3_configured, s3_storages
from herokuify.checks.messages import error, unique

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
BUCKET = "AWS_STORAGE_BUCKET_NAME"
#: What nothing but S3 has a use for, and S3 only with a bucket.
FOR_A_BUCKET = (*KEYS, "AWS_S3_ENDPOINT_URL", "AWS_S3_CUSTOM_DOMAIN", "AWS_LOCATION")
#: Where boto3 finds credentials without herokuify (its documentation, "Credentials").
ELSEWHERE = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "BOTO_CONFIG",
)
FILES = ("~/.aws/credentials", "~/.aws/config", "~/.boto", "/etc/boto.cfg")


def check_credentials(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.E003: on Heroku, a storage on S3 without any credentials."""
    stage = env.get_stage(os.environ)
    if stage not in env.ON_HEROKU or _may_be_elsewhere():
        return []
    return unique(
        error(
            f"{env.listed(KEYS)} are not set, and {one.kind.__name__} needs them to reach S3.",
            hint=env.config_set(KEYS),
            id="herokuify.E003",
        )
        for one, storage in s3_storages()
        if storage.bucket_name
        and not (storage.access_key or storage.secret_key or storage.session_profile)
        and isinstance(storage.signature_version, str)  # the other value is botocore's UNSIGNED
        # Where the site runs, a static URL needs no credentials, nor does one that is not signed.
        and (stage is env.Stage.BUILD or not (storage.public or not storage.querystring_auth))
    )


def _may_be_elsewhere() -> bool:
    paths = (Path(os.path.expanduser(name)) for name in FILES)  # noqa: PTH111  (HOME may be unset)
    return env.is_set(os.environ, *ELSEWHERE) or any(os.path.exists(path) for path in paths)  # noqa: PTH110


def check_bucket(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """herokuify.W007: on Heroku, variables for S3 that have no effect without a bucket."""
    if env.get_stage(os.environ) not in env.ON_HEROKU or not hasattr(settings, BUCKET):
        return []
    found = [name for name in FOR_A_BUCKET if env.is_set(os.environ, name)]
    if not found or getattr(settings, BUCKET) or s3_configured():
        return []
    verb = "is" if len(found) == 1 else "are"
    return [
        CheckWarning(
            f"{env.listed(found)} {verb} set, but {BUCKET} is not: no file goes to S3.",
            hint=f"{env.config_set([BUCKET])}, or heroku config:unset {' '.join(found)}",
            id="herokuify.W007",
        )
    ]
