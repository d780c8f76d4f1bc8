"""Classes that `herokuify.compress` sets for django-compressor: CSS with working URLs.

URLs in a bundle are relative, so that it contains no host names. In inlined CSS they are absolute,
and compressor inserts the host when it renders the page.
"""

from __future__ import annotations

from typing import Any

from compressor import css
from compressor.conf import settings
from compressor.filters import css_default

from herokuify.storage.static import compressed_prefix

ABSOLUTE = "compressor.filters.css_default.CssAbsoluteFilter"
RELATIVE = {
    "compressor.filters.css_default.CssRelativeFilter",
    "herokuify.collect.css.CssRelativeFilter",
}


class CssCompressor(css.CssCompressor):
    """Compressor's class, with absolute URLs in inline CSS."""

    def output(self, mode: str = "file", *args: Any, **kwargs: Any) -> str:
        """Return the HTML element for the bundle; with mode "inline", one with its content."""
        if mode == "inline":
            self.filters: list[str] = [
                ABSOLUTE if name in RELATIVE else name for name in self.filters
            ]
        return str(super().output(mode, *args, **kwargs))


class CssRelativeFilter(css_default.CssRelativeFilter):
    """Compressor's class, which also supports ``""`` and ``"."`` as COMPRESS_OUTPUT_DIR."""

    def post_process_url(self, url: str) -> str:
        """Make a URL below COMPRESS_URL relative to the bundle's folder."""
        base = str(settings.COMPRESS_URL)
        if not url.startswith(base):
            return url
        return "../" * (compressed_prefix().count("/") + 1) + url.removeprefix(base)
