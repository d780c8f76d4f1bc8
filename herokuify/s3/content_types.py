"""Content types: guessed from file names, parsed from clients' headers, and safe to show."""

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

#: Types of untrusted files that browsers may show in the site's origin, because they never run
#: scripts there: whatever the bytes are, browsers decode them or show them as text, and never as a
#: page (WHATWG, "MIME Sniffing", section 7). Only types that browsers can show are listed.
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
        # Browsers' viewers run a PDF's scripts in a sandbox without access to the site.
        "application/pdf",
        # Shown as text, in any charset.
        "text/plain",
    }
)

_TOKEN = r"[\w!#$%&'*+.^`|~-]+"  # noqa: S105 (RFC 9110's word)
_QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
#: RFC 9110, "Media Type", in ASCII: one type, and parameters with names and values. White space
#: is only matched before separators and names, to prevent catastrophic backtracking. Compiled
#: by the first upload.
_MEDIA_TYPE = (
    rf"(?a)(?P<essence>{_TOKEN}/{_TOKEN})"
    rf"(?:[ \t]*;(?:[ \t]*{_TOKEN}=(?:{_TOKEN}|{_QUOTED}))?)*"
)
LONGEST = 255  # characters: RFC 6838's limits for type and subtype, 127 each, and the slash


@cache
def _table() -> mimetypes.MimeTypes:
    # A new instance has only Python's own table; the module's functions also read the machine's
    # mime.types, which differ between local machines and Heroku stacks.
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

    A compressed file (``data.tar.gz``, ``site.css.gz``) has the type of its compression
    format and no encoding: with an encoding, browsers would decompress downloads.
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

    Only a single type with well-formed parameters is valid: of a list, browsers use the last
    type, and for a malformed one, they guess.
    """
    if not isinstance(value, str):
        return None
    text = value.strip(" \t")
    if len(text) > LONGEST or not re.fullmatch(_MEDIA_TYPE, text):
        return None
    # A signature would not match with tabs; quoted values contain none.
    return text.replace("\t", " ")


def essence(content_type: object) -> str:
    """Return type and subtype in lower case, without parameters; "" if invalid."""
    found = re.fullmatch(_MEDIA_TYPE, parse(content_type) or "")
    return found["essence"].lower() if found else ""
