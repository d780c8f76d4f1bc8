"""The options of the storages, and the settings that they come from."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from django.conf import settings
from storages.utils import lookup_env, setting

from herokuify import env
from herokuify.conf.addresses import has_login, without_logins
from herokuify.exceptions import ConfigurationError

#: Settings with an address of S3, and the corresponding options.
ENDPOINTS = {
    "AWS_S3_ENDPOINT_URL": "endpoint_url",
    "AWS_S3_PUBLIC_ENDPOINT_URL": "public_endpoint_url",
}

#: Boolean settings that aren't options of a storage.
_OTHER_SWITCHES = ("HEROKUIFY_COMPRESS", "COMPRESS_ENABLED", "COMPRESS_OFFLINE")


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_verify(value: object) -> bool:
    """Return whether it is a boolean, None or a path; words such as "true" aren't paths."""
    is_word = isinstance(value, str) and value.strip().lower() in {"", *env.TRUE, *env.FALSE}
    return not is_word and (value is None or isinstance(value, bool | str | os.PathLike))


def _is_list(value: object) -> bool:
    return isinstance(value, Collection) and not isinstance(value, str | bytes)


def _is_dict(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_dict_or_none(value: object) -> bool:
    return value is None or isinstance(value, Mapping)


#: Options for which a value of the wrong type, such as the text "False", would be accepted
#: silently: the setting, a description of the type, and a function that checks it.
_TYPES: dict[str, tuple[str, str, Callable[[object], bool]]] = {
    **{
        option: (name, "True or False", _is_boolean)
        for option, name in (
            ("auto_create_bucket", "AWS_AUTO_CREATE_BUCKET"),
            ("gzip", "AWS_IS_GZIPPED"),
            ("querystring_auth", "AWS_QUERYSTRING_AUTH"),
            ("file_overwrite", "AWS_S3_FILE_OVERWRITE"),
            ("use_ssl", "AWS_S3_USE_SSL"),
            ("use_threads", "AWS_S3_USE_THREADS"),
        )
    },
    "url_view": ("", "True or False", _is_boolean),
    "verify": ("AWS_S3_VERIFY", "True or False", _is_verify),
    "querystring_expire": ("AWS_QUERYSTRING_EXPIRE", "a whole number of seconds", _is_number),
    "max_memory_size": ("AWS_S3_MAX_MEMORY_SIZE", "a whole number of bytes", _is_number),
    "gzip_content_types": ("GZIP_CONTENT_TYPES", "a list of content types", _is_list),
    "object_parameters": ("AWS_S3_OBJECT_PARAMETERS", "a dictionary", _is_dict),
    "proxies": ("AWS_S3_PROXIES", "a dictionary, or None", _is_dict_or_none),
}


class WrongTypeError(ConfigurationError):
    """An option has the wrong type; ``setting`` is the setting that it comes from, or ""."""

    def __init__(self, problem: str, hint: str = "", setting: str = "") -> None:
        super().__init__(problem, hint)
        self.setting = setting


def check_types(storage: Any) -> None:
    """Raise WrongTypeError for the first option whose value has the wrong type.

    Any text is true in Python: with "False", uploads would be overwritten.
    """
    for option, (name, kind, is_right) in _TYPES.items():
        value = getattr(storage, option, False)  # some classes lack some options
        if not is_right(value):
            is_setting = hasattr(settings, name) and value is getattr(settings, name)
            what = name if is_setting else f"The option {option} of {type(storage).__name__}"
            problem, hint = _wrong(what, name, kind, value)
            if not name:  # an option without a setting
                hint = f'In settings.py: "OPTIONS": {{"{option}": True}}, not the text "True".'
            raise WrongTypeError(problem, hint, name if is_setting else "")


def wrong_settings() -> Iterator[tuple[str, str]]:
    """Yield the problem and the hint for each setting with the wrong type."""
    known = [(name, kind, is_right) for name, kind, is_right in _TYPES.values()]
    known += [(name, "True or False", _is_boolean) for name in _OTHER_SWITCHES]
    for name, kind, is_right in known:
        if hasattr(settings, name) and not is_right(getattr(settings, name)):
            yield _wrong(name, name, kind, getattr(settings, name))


def _wrong(what: str, name: str, kind: str, value: object) -> tuple[str, str]:
    problem = f"{what} must be {kind}, not {type(value).__name__}."
    if "True" not in kind:
        return problem, f"In settings.py: {name} must be {kind}, without quotes."
    return problem, (
        f"In settings.py: {name} = False, or, to read it from a variable: from herokuify import "
        f'env; {name} = env.read(os.environ, "{name}", convert=env.boolean, default=False)'
    )


def default_options() -> dict[str, Any]:
    """Return all options with the values of their settings, or their defaults.

    They are those of django-storages' S3 backend, some with safer defaults, and four more.
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
        # Regions opened since 2014 refuse version 2, and so does SSE-KMS everywhere.
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
    """Remove users and passwords from a storage's endpoints; return the options that had them.

    S3 doesn't use them, and they would appear in URLs and messages.
    """
    found = [option for option in ENDPOINTS.values() if has_login(getattr(storage, option))]
    for option in found:
        setattr(storage, option, without_logins(str(getattr(storage, option))))
    return found


def check_options(storage: Any) -> None:
    """Raise ConfigurationError for wrong types, and for options that conflict or are incomplete."""
    check_types(storage)
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
