"""Uploads on S3: private, signed, never overwritten."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.utils.deconstruct import deconstructible
from storages.utils import setting

from herokuify.exceptions import ConfigurationError
from herokuify.s3 import content_types
from herokuify.storage.backend import S3BotoStorage
from herokuify.storage.locations import check_base_url, domain_url, located
from herokuify.storage.static import joined


def _patterns(value: object) -> tuple[str, ...]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        found = type(value).__name__
    else:
        patterns = tuple(value)
        wrong = [one for one in patterns if not isinstance(one, str) or not one.strip()]
        if not wrong:
            return tuple(pattern.lower() for pattern in patterns)
        found = repr(wrong[0])
    raise ConfigurationError(
        f"AWS_ATTACHMENT_TYPES is {found}; it must be a list of content types, or [] for none.",
        'In settings.py: AWS_ATTACHMENT_TYPES = ["text/html", "*+xml"]',
    )


@deconstructible(path="herokuify.storage.S3MediaStorage")
class S3MediaStorage(S3BotoStorage):
    """Uploads below ``media/``: signed URLs, and another name where a name is taken.

    AWS_S3_FILE_OVERWRITE and AWS_QUERYSTRING_AUTH are obeyed when set; with
    ``AWS_QUERYSTRING_AUTH = False`` a URL is MEDIA_URL and the quoted name, which shows
    only what something else has made public. AWS_DEFAULT_ACL does not apply (the option
    ``default_acl`` does), and AWS_S3_CUSTOM_DOMAIN only with a CloudFront signer, without
    which its URLs would go unsigned (the option ``custom_domain`` asks for just that).
    Only inert types are shown, such as photos, videos and PDF; all others are downloads, unless
    AWS_HEADERS or AWS_EXTRA_HEADERS give them a Content-Disposition. AWS_ATTACHMENT_TYPES
    (``attachment_types``) names the downloads instead. Raises ConfigurationError when that is
    wrong.
    """

    def __init__(self, **options: Any) -> None:
        if options.get("cloudfront_key_id") and setting("AWS_S3_CUSTOM_DOMAIN"):
            options.setdefault("custom_domain", setting("AWS_S3_CUSTOM_DOMAIN"))
        super().__init__(**options)
        self._attachment_types = (
            None if self.attachment_types is None else _patterns(self.attachment_types)
        )

    def get_default_settings(self) -> dict[str, Any]:
        """The backend's defaults, private and without overwriting."""
        defaults = super().get_default_settings()
        is_signed_by_cloudfront = bool(
            getattr(self, "cloudfront_key_id", defaults["cloudfront_key_id"])
        )
        return {
            **defaults,
            "location": located(setting("AWS_LOCATION", ""), "media"),
            "file_overwrite": setting("AWS_S3_FILE_OVERWRITE", False),
            "default_acl": None,
            "custom_domain": defaults["custom_domain"] if is_signed_by_cloudfront else None,
            "attachment_types": setting("AWS_ATTACHMENT_TYPES"),
        }

    def parameters_for(
        self, name: str, content_type: str | None = None, *, is_hashed: bool = False
    ) -> dict[str, Any]:
        """What a PUT of this clean name sends along; what is not inert as a download."""
        parameters = super().parameters_for(name, content_type, is_hashed=is_hashed)
        if self._is_download(content_types.essence(parameters["ContentType"])):
            parameters.setdefault("ContentDisposition", "attachment")
        return parameters

    def _is_download(self, essence: str) -> bool:
        if self._attachment_types is None:
            return bool(self.querystring_auth) and essence not in content_types.INERT
        return any(fnmatchcase(essence, pattern) for pattern in self._attachment_types)

    @property
    def base_url(self) -> str:
        """MEDIA_URL, or a domain of the options, where browsers can find this storage's files."""
        url = domain_url(self) or str(settings.MEDIA_URL or "")
        check_base_url(url, self, setting="MEDIA_URL", helper="get_media_url")
        return url

    def url(
        self,
        name: Any,
        parameters: dict[str, Any] | None = None,
        expire: int | None = None,
        http_method: str | None = None,
    ) -> str:
        """A signed URL; when signing is off, a domain's own, or MEDIA_URL and the quoted name."""
        if self.querystring_auth or self.own_domain:
            return super().url(name, parameters, expire, http_method)
        url = joined(self.base_url, name)
        return f"{url}?{urlencode(parameters)}" if parameters else url
