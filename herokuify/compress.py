"""Settings fragment for django-compressor: ``from herokuify.compress import *``.

Makes builds reproducible: the same sources give the same bundles and the same offline
manifest, on every host and under every STATIC_URL. COMPRESS_STORAGE and COMPRESS_OFFLINE
stay with the project.
"""

from herokuify import legacy

__all__ = [
    "COMPRESS_CSS_HASHING_METHOD",
    "COMPRESS_FILTERS",
    "COMPRESS_OFFLINE_MANIFEST_STORAGE",
]

# compressor's default is the files' mtimes, which every deploy resets.
COMPRESS_CSS_HASHING_METHOD = "content"

# compressor's default writes STATIC_URL, with its host, into the bundles.
COMPRESS_FILTERS = {
    "css": [
        "compressor.filters.css_default.CssRelativeFilter",
        "compressor.filters.cssmin.rCSSMinFilter",
    ],
    "js": ["compressor.filters.jsmin.rJSMinFilter"],
}

COMPRESS_OFFLINE_MANIFEST_STORAGE = legacy.OFFLINE_MANIFEST_STORAGE
