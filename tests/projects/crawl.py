"""Load the static files of rendered pages as a browser does, without credentials."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

# Content types that browsers expect.
TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_CSS_URL = re.compile(r"""url\(\s*(["']?)(?!data:|#)(.*?)\1\s*\)""")
_SOURCE_MAP = re.compile(r"^//# sourceMappingURL=(\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Answer:
    """The response to an anonymous GET."""

    status: int
    content_type: str
    body: bytes


Fetch = Callable[[str], Answer]


def links(html: str) -> set[str]:
    """Return the URLs of the scripts, styles, images and icons that a page loads."""
    parser = _Links()
    parser.feed(html)
    return parser.found


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        loads = {"img": "src", "link": "href", "script": "src", "source": "src", "use": "href"}
        self.found |= {value for name, value in attrs if value and name == loads.get(tag)}


def crawl(start: Iterable[str], static_url: str, fetch: Fetch) -> dict[str, Answer]:
    """Fetch these URLs and what their styles and scripts load; return the responses by URL.

    Raises AssertionError for URLs that are not below ``static_url`` or not quoted, missing
    files and wrong content types.
    """
    answers: dict[str, Answer] = {}
    # Pairs of a URL and the page or file that contains it.
    waiting = [(url, "a page") for url in start]
    while waiting:
        url, source = waiting.pop()
        url = urldefrag(url).url
        if url in answers:
            continue
        assert url.startswith(static_url), f"{source} loads {url!r}, which is not static"
        assert re.fullmatch(r"[!-~]+", url), f"{source} loads {url!r}, which is not quoted"
        answer = answers[url] = fetch(url)
        assert answer.status == 200, f"{source} loads {url!r}: {answer.status}"
        suffix = re.sub(r".*(\.\w+)$", r"\1", urlsplit(url).path)
        assert answer.content_type == TYPES[suffix], f"{url!r} is {answer.content_type}"
        waiting += [(urljoin(url, path), url) for path in _loads(suffix, answer.body)]
    return answers


def _loads(suffix: str, body: bytes) -> Iterator[str]:
    if suffix == ".css":
        text = re.sub(r"/\*.*?\*/", "", body.decode(), flags=re.DOTALL)
        yield from (match[2] for match in _CSS_URL.finditer(text))
    elif suffix == ".js":
        yield from _SOURCE_MAP.findall(body.decode())


def names(answers: Mapping[str, Answer], static_url: str) -> dict[str, bytes]:
    """Return the bodies by the files' names in the storage."""
    return {
        unquote(urlsplit(url).path.removeprefix(urlsplit(static_url).path)): answer.body
        for url, answer in answers.items()
    }
