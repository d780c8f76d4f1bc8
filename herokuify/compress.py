"""Settings fragment for django-compressor: ``from herokuify.compress import *``.

Makes builds reproducible: the same sources give the same bundles and the same offline manifest,
whatever the host and STATIC_URL are. The project sets COMPRESS_STORAGE and COMPRESS_OFFLINE itself.
"""

from herokuify import legacy

__all__ = [
    "COMPRESSORS",
    "COMPRESS_CSS_HASHING_METHOD",
    "COMPRESS_FILTERS",
    "COMPRESS_OFFLINE_MANIFEST_STORAGE",
]

# By default, compressor uses the files' modification times, which every deploy resets.
COMPRESS_CSS_HASHING_METHOD = "content"

# URLs in CSS that is inlined in a page are absolute, instead of relative to a bundle.
COMPRESSORS = {
    "css": "herokuify.collect.css.CssCompressor",
    "js": "compressor.js.JsCompressor",
}

# By default, compressor writes STATIC_URL, with its host, into the bundles.
COMPRESS_FILTERS = {
    "css": [
        "herokuify.collect.css.CssRelativeFilter",
        "compressor.filters.cssmin.rCSSMinFilter",
    ],
    "js": ["compressor.filters.jsmin.rJSMinFilter"],
}

COMPRESS_OFFLINE_MANIFEST_STORAGE = legacy.OFFLINE_MANIFEST_STORAGE
