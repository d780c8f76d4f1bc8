"""Content types: by file name, the same on every machine; as clients send them; inert ones."""

from __future__ import annotations

import mimetypes
import re
from functools import cache
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

#: What a browser may show of a stranger's file in the site's name. None of these runs a script
#: there: a browser decodes it, or shows it as it is, and never takes it for a page, whatever the
#: bytes are (WHATWG, "MIME Sniffing", section 7). Only what browsers show is of use here; other
#: types are saved in any case.
INERT = frozenset(
    {
        # Raster images. SVG is a document with scripts.
        *("image/apng", "image/avif", "image/bmp", "image/gif", "image/heic", "image/heif"),
        *("image/jpeg", "image/jxl", "image/png", "image/tiff", "image/vnd.microsoft.icon"),
        *("image/webp", "image/x-icon", "image/x-ms-bmp"),
        # Audio and video.
        *("audio/aac", "audio/flac", "audio/midi", "audio/mp4", "audio/mpeg", "audio/ogg"),
        *("audio/wav", "audio/webm", "audio/x-aiff", "audio/x-m4a", "audio/x-wav"),
        *("video/3gpp", "video/3gpp2", "video/mp2t", "video/mp4", "video/mpeg", "video/ogg"),
        *("video/quicktime", "video/webm", "video/x-m4v", "video/x-matroska", "video/x-msvideo"),
        # Fonts.
        *("application/vnd.ms-fontobject", "font/collection", "font/otf", "font/ttf"),
        *("font/woff", "font/woff2"),
        # Browsers' viewers run a PDF's scripts in a sandbox, without a way to the site.
        "application/pdf",
        # Shown as it is, in any charset.
        "text/plain",
    }
)

_TOKEN = r"[\w!#$%&'*+.^`|~-]+"  # noqa: S105 (RFC 9110's word)
_QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
#: RFC 9110, "Media Type", in ASCII: one type, and parameters that have names and values. White
#: space has one place before each sign, or a long value would be tried in endless ways. It is
#: compiled by the first upload.
_MEDIA_TYPE = (
    rf"(?a)(?P<essence>{_TOKEN}/{_TOKEN})"
    rf"(?:[ \t]*;(?:[ \t]*{_TOKEN}=(?:{_TOKEN}|{_QUOTED}))?)*"
)
LONGEST = 255  # characters, which RFC 6838's longest names make; headers have a limit on S3


@cache
def _table() -> mimetypes.MimeTypes:
    # An instance of its own starts from Python's table; the module's functions add the
    # machine's mime.types, which differ between local machines and Heroku stacks.
    table = mimetypes.MimeTypes()
    for suffix, content_type in TYPES.items():
        table.add_type(content_type, suffix)
    return table


class Media(NamedTuple):
    """A file's Content-Type, and its Content-Encoding or None."""

    type: str
    encoding: str | None = None


def guess(name: str) -> Media:
    """Guess the content type of a file by its name.

    An archive (``data.tar.gz``, ``site.css.gz``) is a file of its own type without
    an encoding: with one, browsers would unpack what the visitor wants to keep.
    The exception is ``.svgz``, which browsers show only with its encoding.
    """
    if name.lower().endswith(".svgz"):
        return Media("image/svg+xml", "gzip")
    content_type, encoding = _table().guess_type(name.rpartition("/")[2])
    if encoding is not None:
        return Media(COMPRESSED.get(encoding, DEFAULT))
    return Media(content_type or DEFAULT)


def parse(value: object) -> str | None:
    """Return a content type that a client has sent, ready for a header; None if invalid.

    Browsers take the last type of a list, and guess at what is none: only one type with
    well-formed parameters may be stored.
    """
    if not isinstance(value, str):
        return None
    text = value.strip(" \t")
    if len(text) > LONGEST or not re.fullmatch(_MEDIA_TYPE, text):
        return None
    # Signatures hold for spaces alone; a quoted value has no tab.
    return text.replace("\t", " ")


def essence(content_type: object) -> str:
    """Return type and subtype, in lower case, without parameters; "" of what is no type."""
    found = re.fullmatch(_MEDIA_TYPE, parse(content_type) or "")
    return found["essence"].lower() if found else ""
