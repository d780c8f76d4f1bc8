"""The options of every storage, and the settings that they come from."""

from __future__ import annotations

import warnings
from typing import Any

from storages.utils import lookup_env, setting

from herokuify.conf.addresses import has_login, without_logins
from herokuify.exceptions import ConfigurationError

#: Settings that name S3's address, and the options that do.
ENDPOINTS = {
    "AWS_S3_ENDPOINT_URL": "endpoint_url",
    "AWS_S3_PUBLIC_ENDPOINT_URL": "public_endpoint_url",
}


def default_options() -> dict[str, Any]:
    """Return all options with the values of their settings, else the defaults.

    They are those of django-storages' S3 backend, safer on a dyno in places, and four more.
    """
    key, secret = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
    s3_key, s3_secret = "AWS_S3_ACCESS_KEY_ID", "AWS_S3_SECRET_ACCESS_KEY"
    tokens = ["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"]
    return {
        "access_key": setting(s3_key, setting(key, lookup_env([s3_key, key]))),
        "secret_key": setting(s3_secret, setting(secret, lookup_env([s3_secret, secret]))),
        "security_token": setting(tokens[0], setting(tokens[1], lookup_env(tokens))),
        "session_profile": setting(
            "AWS_S3_SESSION_PROFILE", lookup_env(["AWS_S3_SESSION_PROFILE"])
        ),
        "file_overwrite": setting("AWS_S3_FILE_OVERWRITE", True),
        "object_parameters": setting("AWS_S3_OBJECT_PARAMETERS", {}),
        "bucket_name": setting("AWS_STORAGE_BUCKET_NAME"),
        "querystring_auth": setting("AWS_QUERYSTRING_AUTH", True),
        "querystring_expire": setting("AWS_QUERYSTRING_EXPIRE", 3600),
        # Version 2 is refused in every region since 2014, and with SSE-KMS.
        "signature_version": setting("AWS_S3_SIGNATURE_VERSION") or "s3v4",
        "location": setting("AWS_LOCATION", ""),
        "custom_domain": setting("AWS_S3_CUSTOM_DOMAIN"),
        "cloudfront_key_id": setting("AWS_CLOUDFRONT_KEY_ID"),
        "cloudfront_key": setting("AWS_CLOUDFRONT_KEY"),
        "addressing_style": setting("AWS_S3_ADDRESSING_STYLE"),
        "file_name_charset": setting("AWS_S3_FILE_NAME_CHARSET", "utf-8"),
        "gzip": setting("AWS_IS_GZIPPED", False),
        "gzip_content_types": setting(
            "GZIP_CONTENT_TYPES",
            (
                "text/css",
                "text/javascript",
                "application/javascript",
                "application/x-javascript",
                "image/svg+xml",
            ),
        ),
        "url_protocol": setting("AWS_S3_URL_PROTOCOL") or "https:",
        "endpoint_url": setting("AWS_S3_ENDPOINT_URL"),
        "public_endpoint_url": setting("AWS_S3_PUBLIC_ENDPOINT_URL"),
        "proxies": setting("AWS_S3_PROXIES"),
        "region_name": setting("AWS_S3_REGION_NAME"),
        "use_ssl": setting("AWS_S3_USE_SSL", True),
        "verify": setting("AWS_S3_VERIFY"),
        "max_memory_size": setting("AWS_S3_MAX_MEMORY_SIZE", 0),
        "default_acl": setting("AWS_DEFAULT_ACL"),
        "use_threads": setting("AWS_S3_USE_THREADS", True),
        "transfer_config": setting("AWS_S3_TRANSFER_CONFIG"),
        "client_config": setting("AWS_S3_CLIENT_CONFIG"),
        "headers": setting("AWS_HEADERS", {}),
        "extra_headers": setting("AWS_EXTRA_HEADERS", []),
        "auto_create_bucket": setting("AWS_AUTO_CREATE_BUCKET", False),
    }


def drop_logins(storage: Any) -> list[str]:
    """Take users and passwords out of a storage's endpoints; returns the options that had one.

    They are of no use to S3, and would be in every URL and every message.
    """
    found = [option for option in ENDPOINTS.values() if has_login(getattr(storage, option))]
    for option in found:
        setattr(storage, option, without_logins(str(getattr(storage, option))))
    return found


def check_options(storage: Any) -> None:
    """Raise ConfigurationError for options that exclude each other or need each other."""
    if storage.session_profile and (storage.access_key or storage.secret_key):
        raise ConfigurationError(
            "AWS_S3_SESSION_PROFILE (session_profile) and AWS_ACCESS_KEY_ID (access_key) are both "
            "set.",
            "Delete one of them from the settings.",
        )
    if bool(storage.cloudfront_key_id) != bool(storage.cloudfront_key):
        raise ConfigurationError(
            "AWS_CLOUDFRONT_KEY_ID (cloudfront_key_id) and AWS_CLOUDFRONT_KEY (cloudfront_key) "
            "must be set together."
        )
    if storage.use_threads is False:
        warnings.warn(
            "AWS_S3_USE_THREADS is deprecated: give AWS_S3_TRANSFER_CONFIG = "
            "TransferConfig(use_threads=False)",
            DeprecationWarning,
            stacklevel=3,
        )
