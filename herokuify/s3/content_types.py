"""Content types by file name, the same on every machine."""

from __future__ import annotations

import mimetypes
from typing import NamedTuple

#: Types that Python's table lacks or that changed between Python 3.10 and 3.14
#: (IANA "Media Types"; RFC 9239 for JavaScript; ECMA-426 for source maps).
TYPES = {
    ".avif": "image/avif",
    ".cjs": "text/javascript",
    ".eot": "application/vnd.ms-fontobject",
    ".flac": "audio/flac",
    ".geojson": "application/geo+json",
    ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json",
    ".heic": "image/heic",
    ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".jsonld": "application/ld+json",
    ".jxl": "image/jxl",
    ".m4a": "audio/mp4",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".mp4": "video/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".opus": "audio/ogg",
    ".otf": "font/otf",
    ".rtf": "application/rtf",
    ".svg": "image/svg+xml",
    ".ttc": "font/collection",
    ".ttf": "font/ttf",
    ".vtt": "text/vtt",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xhtml": "application/xhtml+xml",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
COMPRESSED = {
    "gzip": "application/gzip",
    "bzip2": "application/x-bzip2",
    "xz": "application/x-xz",
    "compress": "application/x-compress",
    "br": "application/x-brotli",
}
DEFAULT = "application/octet-stream"

# An instance of its own starts from Python's table; the module's functions add the
# machine's mime.types, which differ between local machines and Heroku stacks.
_table = mimetypes.MimeTypes()
for _suffix, _type in TYPES.items():
    _table.add_type(_type, _suffix)


class Media(NamedTuple):
    """A file's Content-Type, and its Content-Encoding or None."""

    type: str
    encoding: str | None = None


def guess(name: str) -> Media:
    """What a file of this name is.

    An archive (``data.tar.gz``, ``site.css.gz``) is a file of its own type without
    an encoding: with one, browsers would unpack what the visitor wants to keep.
    The exception is ``.svgz``, which browsers show only with its encoding.
    """
    if name.lower().endswith(".svgz"):
        return Media("image/svg+xml", "gzip")
    content_type, encoding = _table.guess_type(name.rpartition("/")[2])
    if encoding is not None:
        return Media(COMPRESSED.get(encoding, DEFAULT))
    return Media(content_type or DEFAULT)
