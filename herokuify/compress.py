"""Settings fragment for django-compressor: ``from herokuify.compress import *``.

Makes builds reproducible: the same sources give the same bundles and the same offline
manifest, on every host and under every STATIC_URL. COMPRESS_STORAGE and COMPRESS_OFFLINE
stay with the project.
"""

from herokuify import legacy

__all__ = [
    "COMPRESSORS",
    "COMPRESS_CSS_HASHING_METHOD",
    "COMPRESS_FILTERS",
    "COMPRESS_OFFLINE_MANIFEST_STORAGE",
]

# compressor's default is the files' mtimes, which every deploy resets.
COMPRESS_CSS_HASHING_METHOD = "content"

# What is inlined in a page has absolute URLs, in place of those relative to a bundle.
COMPRESSORS = {
    "css": "herokuify.collect.css.CssCompressor",
    "js": "compressor.js.JsCompressor",
}

# compressor's default writes STATIC_URL, with its host, into the bundles.
COMPRESS_FILTERS = {
    "css": [
        "herokuify.collect.css.CssRelativeFilter",
        "compressor.filters.cssmin.rCSSMinFilter",
    ],
    "js": ["compressor.filters.jsmin.rJSMinFilter"],
}

COMPRESS_OFFLINE_MANIFEST_STORAGE = legacy.OFFLINE_MANIFEST_STORAGE
