"""Uploads on S3: private, signed, never overwritten."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from storages.utils import setting

from herokuify.storage.base import S3BotoStorage
from herokuify.storage.locations import check_base_url, located
from herokuify.storage.static import joined


class S3MediaStorage(S3BotoStorage):
    """Uploads below ``media/``: signed URLs, and another name where a name is taken.

    AWS_S3_FILE_OVERWRITE and AWS_QUERYSTRING_AUTH are obeyed when set; with
    ``AWS_QUERYSTRING_AUTH = False`` a URL is MEDIA_URL and the quoted name, which shows
    only what something else has made public. AWS_DEFAULT_ACL does not apply (the option
    ``default_acl`` does), and AWS_S3_CUSTOM_DOMAIN only with a CloudFront signer, without
    which its URLs would go unsigned (the option ``custom_domain`` asks for just that).
    """

    def __init__(self, **options: Any) -> None:
        if options.get("cloudfront_key_id") and setting("AWS_S3_CUSTOM_DOMAIN"):
            options.setdefault("custom_domain", setting("AWS_S3_CUSTOM_DOMAIN"))
        super().__init__(**options)

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
        }

    @property
    def base_url(self) -> str:
        """MEDIA_URL, when it is a place where browsers can find this storage's files."""
        url = str(settings.MEDIA_URL or "")
        check_base_url(url, self, setting="MEDIA_URL", helper="get_media_url()")
        return url

    def url(
        self,
        name: Any,
        parameters: dict[str, Any] | None = None,
        expire: int | None = None,
        http_method: str | None = None,
    ) -> str:
        """A signed URL; MEDIA_URL and the quoted name when signing is off."""
        if self.querystring_auth:
            return super().url(name, parameters, expire, http_method)
        url = joined(self.base_url, name)
        return f"{url}?{urlencode(parameters)}" if parameters else url
