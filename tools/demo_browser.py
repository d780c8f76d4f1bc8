"""A simple browser: requests, cookies, pages and forms."""

import secrets
import struct
import zlib
from dataclasses import dataclass
from html.parser import HTMLParser
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.error import HTTPError
from urllib.parse import urljoin
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

TIMEOUT = 30  # seconds; Heroku's router waits no longer


class VisitError(Exception):
    """The site's response is wrong; the message says how."""


@dataclass(frozen=True)
class Answer:
    """A response: its URL after redirects, status, headers in lower case, and body."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def content_type(self) -> str:
        """The media type without its parameters."""
        return self.headers.get("content-type", "").split(";")[0]

    def __str__(self) -> str:
        return f"{self.status} {self.content_type}, {len(self.body):,} bytes"


class Page(HTMLParser):
    """The elements of an HTML page and their attributes."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.url = answer.url
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element; HTMLParser calls this method."""
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def find(self, tag: str, attribute: str, **wanted: str) -> list[str]:
        """Return an attribute of each element that also has the other attributes."""
        return [
            values[attribute]
            for name, values in self.elements
            if name == tag and attribute in values and wanted.items() <= values.items()
        ]

    def links(self, tag: str, attribute: str, **wanted: str) -> list[str]:
        """Return the URLs in an attribute, made absolute."""
        return [urljoin(self.url, link) for link in self.find(tag, attribute, **wanted)]


class Browser:
    """Sends requests; with ``cookies``, it keeps cookies."""

    def __init__(self, *, cookies: bool) -> None:
        # Like browsers, which send secure cookies to loopback even without https.
        policy = DefaultCookiePolicy(secure_protocols=("https", "http"))
        handlers = [HTTPCookieProcessor(CookieJar(policy))] if cookies else []
        self._opener = build_opener(ProxyHandler({}), *handlers)

    def get(self, url: str, **headers: str) -> Answer:
        """Fetch a URL; raise VisitError for any status but 200."""
        answer = self.open(Request(url, headers=headers))
        if answer.status != 200:
            raise VisitError(f"{url} answered {answer.status}: {answer.body[:500]!r}")
        return answer

    def post(self, url: str, body: bytes, content_type: str) -> Answer:
        """Submit a form, and follow redirects; return error pages, too."""
        origin = urljoin(url, "/").rstrip("/")
        return self.open(Request(url, body, {"Content-Type": content_type, "Origin": origin}))

    def open(self, request: Request) -> Answer:
        """Return the response, whatever its status."""
        try:
            response = self._opener.open(request, timeout=TIMEOUT)
        except HTTPError as error:
            response = error
        with response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.url, response.status, headers, response.read())


def only(found: list[str]) -> str:
    """Return the only element of a list; raise VisitError if there are more or none."""
    if len(found) != 1:
        raise VisitError(f"expected one, found {found}")
    return found[0]


def multipart(fields: dict[str, str], name: str, filename: str, body: bytes) -> tuple[bytes, str]:
    """Return the body and the content type of a form with one file (RFC 7578)."""
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"'
        "\r\nContent-Type: image/png\r\n\r\n"
    )
    parts += [head.encode(), body, f"\r\n--{boundary}--\r\n".encode()]
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


def random_png(width: int = 64, height: int = 48) -> bytes:
    """Return a picture of random dots, so that each visit sends different bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    rows = b"".join(b"\0" + secrets.token_bytes(width * 3) for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
