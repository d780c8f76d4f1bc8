"""Uploads on S3: private, signed, never overwritten."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.utils.deconstruct import deconstructible
from storages.utils import setting

from herokuify.exceptions import ConfigurationError
from herokuify.s3 import content_types
from herokuify.storage.backend import S3BotoStorage
from herokuify.storage.locations import check_base_url, domain_url, files_url, located
from herokuify.storage.permanent import alias_of, permanent_url
from herokuify.storage.static import BRIEFLY, joined

#: Not longer, and not "immutable", because after a deletion another file can get the name.
FOR_A_DAY = "public, max-age=86400"


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
    """Uploads below ``media/``, with signed URLs, and a different name if a name is taken.

    AWS_S3_FILE_OVERWRITE and AWS_QUERYSTRING_AUTH apply if they are set. With
    ``AWS_QUERYSTRING_AUTH = False``, a URL is MEDIA_URL and the quoted name; this alone doesn't
    make files public. AWS_DEFAULT_ACL does not apply (the option ``default_acl`` does).
    AWS_S3_CUSTOM_DOMAIN only applies with a CloudFront signer, because URLs would be unsigned
    without it (the option ``custom_domain`` always applies). Browsers show only safe types, such as
    photos, videos and PDF; all others are downloads, unless AWS_HEADERS or AWS_EXTRA_HEADERS set
    Content-Disposition. AWS_ATTACHMENT_TYPES (``attachment_types``) replaces the types that are
    downloads.

    With the option ``url_view``, a URL is a permanent path on the site. The view in
    ``herokuify.media.urls`` checks who may read the file and redirects to a signed URL.
    ``url_permission``, a function or its dotted path, replaces the default check for a logged-in
    user.
    """

    def __init__(self, **options: Any) -> None:
        if options.get("cloudfront_key_id") and setting("AWS_S3_CUSTOM_DOMAIN"):
            options.setdefault("custom_domain", setting("AWS_S3_CUSTOM_DOMAIN"))
        super().__init__(**options)
        self._attachment_types = (
            None if self.attachment_types is None else _patterns(self.attachment_types)
        )

    def get_default_settings(self) -> dict[str, Any]:
        """Return the backend's defaults: private and never overwritten."""
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
            "url_view": False,
            "url_permission": None,
        }

    def parameters_for(
        self, name: str, content_type: str | None = None, *, is_hashed: bool = False
    ) -> dict[str, Any]:
        """Return a PUT's parameters; types that aren't safe to show are downloads."""
        parameters = super().parameters_for(name, content_type, is_hashed=is_hashed)
        if self._is_download(content_types.essence(parameters["ContentType"])):
            parameters.setdefault("ContentDisposition", "attachment")
        return parameters

    def _is_download(self, essence: str) -> bool:
        if self._attachment_types is None:
            is_ours = self.querystring_auth or self.public
            return bool(is_ours) and essence not in content_types.INERT
        return any(fnmatchcase(essence, pattern) for pattern in self._attachment_types)

    @property
    def base_url(self) -> str:
        """MEDIA_URL, or the URL for the option ``custom_domain``.

        Raises ConfigurationError if browsers can't find this storage's files there.
        """
        url = domain_url(self, self.own_domain) or str(settings.MEDIA_URL or "")
        check_base_url(url, self, setting="MEDIA_URL", helper="get_media_url")
        return url

    def url(
        self,
        name: Any,
        parameters: dict[str, Any] | None = None,
        expire: int | None = None,
        http_method: str | None = None,
    ) -> str:
        """Return the view's URL with the option ``url_view``, else that of ``object_url``.

        With ``parameters``, ``expire`` or ``http_method`` it is always that of ``object_url``.
        """
        if self.url_view and not parameters and expire is None and http_method is None:
            return permanent_url(self, self._alias, name)
        return self.object_url(name, parameters, expire, http_method)

    @cached_property
    def _alias(self) -> str | None:
        return alias_of(self)

    def object_url(
        self,
        name: Any,
        parameters: dict[str, Any] | None = None,
        expire: int | None = None,
        http_method: str | None = None,
    ) -> str:
        """Return the object's URL: signed, at the option's domain, or unsigned below MEDIA_URL."""
        if self.querystring_auth or self.own_domain:
            return super().url(name, parameters, expire, http_method)
        url = joined(self.base_url, name)
        return f"{url}?{urlencode(parameters)}" if parameters else url


@deconstructible(path="herokuify.storage.S3PublicMediaStorage")
class S3PublicMediaStorage(S3MediaStorage):
    """Uploads that anyone may read, below ``public-media/``, with permanent, unsigned URLs.

    For files in stored HTML, in mail and in feeds. Never overwrites and never signs, regardless of
    AWS_S3_FILE_OVERWRITE and AWS_QUERYSTRING_AUTH. A URL begins with AWS_S3_CUSTOM_DOMAIN if it is
    set, else with S3's URL, but never with MEDIA_URL. The bucket policy must make the location
    public: use AWS_AUTO_CREATE_BUCKET or ``herokuify bucket --apply``. Types that aren't safe are
    downloads, as in private media.
    """

    public = True
    file_overwrite = False
    querystring_auth = False

    def get_default_settings(self) -> dict[str, Any]:
        """Return the media storage's defaults with the location and domain of public uploads."""
        prefix = setting("AWS_PUBLIC_LOCATION", setting("AWS_LOCATION", ""))
        return {
            **super().get_default_settings(),
            "location": located(prefix, "public-media"),
            "custom_domain": setting("AWS_S3_CUSTOM_DOMAIN"),
        }

    def class_parameters(self, name: str, *, is_hashed: bool) -> dict[str, Any]:
        """Return headers to cache for a day, or five minutes if an option allows overwriting."""
        return {"CacheControl": BRIEFLY if self.file_overwrite else FOR_A_DAY}

    @property
    def base_url(self) -> str:
        """The URL below which browsers find the files: AWS_S3_CUSTOM_DOMAIN's or S3's."""
        return domain_url(self, self.custom_domain) or files_url(self)

    def url(
        self,
        name: Any,
        parameters: dict[str, Any] | None = None,
        expire: int | None = None,
        http_method: str | None = None,
    ) -> str:
        """Return the object's URL, without a signature; ``expire`` has no effect."""
        return S3BotoStorage.url(self, name, parameters, expire, http_method)
