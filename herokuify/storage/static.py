"""Static files on S3: public, overwritten, with URLs below STATIC_URL."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode, urljoin

from django.conf import settings
from django.utils.deconstruct import deconstructible
from django.utils.encoding import filepath_to_uri
from storages.utils import setting

from herokuify.exceptions import ConfigurationError
from herokuify.s3.headers import pattern
from herokuify.storage.content import Content, carries_hash
from herokuify.storage.locations import check_base_url, domain_url, located
from herokuify.storage.staging import Stageable

#: For a year, the customary maximum; with "immutable" (RFC 8246), reloads don't revalidate.
FOR_EVER = "public, max-age=31536000, immutable"
BRIEFLY = "public, max-age=300"

_COMPRESSED_NAME = re.compile(r"(.+/)?[^/]+/[^/]+\.[0-9a-f]{12}\.[^./]+")


def compressed_prefix() -> str:
    """Return the prefix of django-compressor's output names; empty without a folder."""
    folder = str(getattr(settings, "COMPRESS_OUTPUT_DIR", "CACHE")).strip("/")
    return "" if (path := posixpath.normpath(folder)) == "." else f"{path}/"


def is_bundle(name: str) -> bool:
    """Return whether a file is django-compressor's: ``CACHE/css/output.0123456789ab.css``."""
    prefix = compressed_prefix()
    if prefix:
        return posixpath.normpath(name).startswith(prefix)
    # Without a folder of their own: recognized by the folder for the type, and the hash.
    return bool(_COMPRESSED_NAME.fullmatch(posixpath.normpath(name)))


def joined(base_url: str, name: Any) -> str:
    """Return a file's URL, like Django's FileSystemStorage."""
    path = (filepath_to_uri(name) or "").lstrip("/")
    # urljoin() takes ten times as long, and only makes a difference for these names.
    if path.startswith(".") or "/." in path or "//" in path:
        return str(urljoin(base_url, path.replace("//", "/")))
    return base_url + path


class NamePatterns:
    """A setting's regular expressions, one or several, which match names from their start."""

    def __init__(self, value: object, setting: str) -> None:
        several = [value] if isinstance(value, (str, re.Pattern)) else value or ()
        if not isinstance(several, Iterable):
            raise ConfigurationError(
                f"{setting} is {value!r}; it must be a regular expression, or a list of them."
            )
        # An empty pattern, such as an empty variable's, would match every name.
        self.patterns = [pattern(regex, setting) for regex in several if regex != ""]

    def __contains__(self, name: str) -> bool:
        return any(pattern.match(name) for pattern in self.patterns)

    def unused(self, names: Iterable[str]) -> list[str]:
        """Return the patterns that match none of the names."""
        names = list(names)
        return [one.pattern for one in self.patterns if not any(map(one.match, names))]


@deconstructible(path="herokuify.storage.S3StaticStorage")
class S3StaticStorage(Stageable):
    """Static files below ``static/``. A URL is STATIC_URL followed by the quoted name.

    Overwrites and never signs, regardless of AWS_S3_FILE_OVERWRITE and AWS_QUERYSTRING_AUTH. URLs
    need no client and no network. The options ``base_url`` and ``custom_domain`` replace STATIC_URL
    for a second static location. Raises ConfigurationError if the base URL is relative, has no
    bucket, or has a different bucket or location from the storage.
    """

    public = True
    file_overwrite = True
    querystring_auth = False

    def __init__(self, **options: Any) -> None:
        self._given_base_url: str | None = options.pop("base_url", None)
        self._checked_base_url: str | None = None
        super().__init__(**options)
        #: Names that contain a bundler's hash of the content.
        self.immutable = NamePatterns(self.immutable_files, "HEROKUIFY_IMMUTABLE_FILES")

    def configuration(self) -> dict[str, Any]:
        """Return every option and its value."""
        return {**super().configuration(), "base_url": self._given_base_url}

    def get_default_settings(self) -> dict[str, Any]:
        """Return the backend's defaults with the location of public files."""
        prefix = setting("AWS_PUBLIC_LOCATION", setting("AWS_LOCATION", ""))
        return {
            **super().get_default_settings(),
            "location": located(prefix, "static"),
            "immutable_files": setting("HEROKUIFY_IMMUTABLE_FILES", ()),
        }

    @property
    def base_url(self) -> str:
        """The option ``base_url``, the URL of the option ``custom_domain``, or STATIC_URL.

        Raises ConfigurationError if browsers can't find this storage's files there.
        """
        url = str(
            self._given_base_url or domain_url(self, self.own_domain) or settings.STATIC_URL or ""
        )
        if url != self._checked_base_url:
            check_base_url(url, self, setting="STATIC_URL", helper="get_static_url")
            self._checked_base_url = url
        return url

    def url(
        self,
        name: Any,
        parameters: dict[str, Any] | None = None,
        expire: int | None = None,
        http_method: str | None = None,
    ) -> str:
        """Return STATIC_URL and the quoted name; ``expire`` and ``http_method`` are ignored."""
        url = joined(self.base_url, name)
        return f"{url}?{urlencode(parameters)}" if parameters else url

    def is_content_named(self, name: str, opener: Callable[[], Any]) -> bool:
        """Return whether the name changes with the content, so that caches may keep it forever.

        This applies to names with the content's hash, to compressor's output
        (``CACHE/css/output.0123456789ab.css``), and to HEROKUIFY_IMMUTABLE_FILES.
        """
        is_compressed = is_bundle(name) and _COMPRESSED_NAME.fullmatch(name)
        return name in self.immutable or bool(is_compressed) or carries_hash(name, opener)

    def class_parameters(self, name: str, *, is_hashed: bool) -> dict[str, Any]:
        """Return headers to cache for a year if ``is_hashed``, else for five minutes."""
        return {"CacheControl": FOR_EVER if is_hashed else BRIEFLY}

    def write_local_copy(self, name: str, content: Content) -> None:
        """Do nothing: this class has no local copies."""

    def check_configuration(self) -> None:
        """Raise ConfigurationError also for a wrong base URL."""
        # First, because its errors name the helper that builds the right URL.
        self.base_url  # noqa: B018
        super().check_configuration()
