"""Submit the example's form with a large photo, as a browser does.

``python visitor.py OPTIONS`` (JSON, the fields of ``Options``) prints its figures as a line of
JSON. It is a separate process, so that it doesn't slow down the measurement. Standard library only.
"""

from __future__ import annotations

import http.client
import json
import re
import struct
import sys
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

BLOCK = 64 * 1024
AT_A_TIME = 3  # parts, as the script in the page
FIELDS = {"name": "Ada", "message": "Up by the north ridge."}
NAME, TYPE = "photo.png", "image/png"


class Options(NamedTuple):
    """The site, the photo, and the speed of the line."""

    site: str  # host:port
    domain: str
    size: int
    route: str  # "direct" or "form"
    rate: float  # bytes a second of the visitor's line; 0: no limit


def photo_start() -> bytes:
    """Return a PNG of one pixel, to which a large photo adds noise."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixel = zlib.compress(b"\0\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


class Line:
    """The visitor's line, which limits the speed of all connections together."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._free = time.monotonic()

    def paced(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the blocks at the speed of the line."""
        for block in blocks:
            if self._rate:
                with self._lock:
                    self._free = max(self._free, time.monotonic() - 0.1) + len(block) / self._rate
                    due = self._free
                time.sleep(max(0.0, due - time.monotonic()))
            yield block


class Visitor:
    """A visitor with a browser: cookies, the form's token, and a line."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.line = Line(options.rate)
        self.cookies: dict[str, str] = {}
        page = self.ask("GET", "/", {})
        found = re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', page)
        if not found:
            raise SystemExit("error: the page has no form")
        self.token = found[1].decode()

    def ask(self, method: str, path: str, headers: dict[str, str], body: Any = None) -> bytes:
        """Send a request to the site, as the router passes it on."""
        connection = http.client.HTTPConnection(self.options.site, timeout=300)
        own = {
            "Host": self.options.domain,
            "Origin": f"https://{self.options.domain}",
            "X-Forwarded-Proto": "https",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }
        connection.request(method, path, body, {**own, **headers})
        answer = connection.getresponse()
        text = answer.read()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        connection.close()
        if answer.status not in {200, 302}:
            raise SystemExit(f"error: {path} answered {answer.status}: {text[:500]!r}")
        return text

    def post(self, path: str, fields: dict[str, Any]) -> bytes:
        """Send a form without a file."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-CSRFToken": self.token}
        return self.ask("POST", path, headers, urlencode(fields))

    def tell(self, action: str, **fields: Any) -> Any:
        """Send a request to the views of direct uploads."""
        return json.loads(self.post(f"/uploads/{action}", fields))

    def blocks(self, start: int, stop: int) -> Iterator[bytes]:
        """Return the photo's bytes."""
        noise = _NOISE[start % 251 :]
        first = photo_start()[start:stop]
        if first:
            yield first
        at = start + len(first)
        while at < stop:
            block = noise[: min(BLOCK, stop - at)]
            yield block
            at += len(block)

    def directly(self) -> dict[str, float]:
        """Upload the photo to S3, and submit the form with its token."""
        size = self.options.size
        begin = time.monotonic()
        upload = self.tell("begin", field="guestbook.Entry.photo", name=NAME, size=size, type=TYPE)
        part = upload["partSize"]
        ready = {int(number): one for number, one in upload["requests"].items()}

        def put(number: int) -> None:
            if number not in ready:
                answer = self.tell("parts", token=upload["token"], numbers=number)
                ready[number] = answer["requests"][str(number)]
            request = ready[number]
            url = urlsplit(request["url"])
            start, stop = (number - 1) * part, min(number * part, size)
            connection = http.client.HTTPConnection(url.netloc, timeout=300)
            headers = {**request["headers"], "Content-Length": str(stop - start)}
            body = self.line.paced(self.blocks(start, stop))
            connection.request("PUT", f"{url.path}?{url.query}", body, headers)
            answer = connection.getresponse()
            text = answer.read()
            connection.close()
            if answer.status != 200:
                raise SystemExit(f"error: S3 answered {answer.status}: {text[:500]!r}")

        with ThreadPoolExecutor(AT_A_TIME) as threads:
            list(threads.map(put, range(1, upload["parts"] + 1)))
        self.tell("finish", token=upload["token"])
        sent = time.monotonic()
        fields = {**FIELDS, "csrfmiddlewaretoken": self.token, "photo-direct": upload["token"]}
        self.post("/", fields)
        return {"upload_s": sent - begin, "claim_s": time.monotonic() - sent}

    def with_the_form(self) -> dict[str, float]:
        """Submit the photo with the form, as without JavaScript."""
        fields = {**FIELDS, "csrfmiddlewaretoken": self.token}
        head = "".join(
            f'--form\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        )
        head += f'--form\r\nContent-Disposition: form-data; name="photo"; filename="{NAME}"\r\n'
        start, end = f"{head}Content-Type: {TYPE}\r\n\r\n".encode(), b"\r\n--form--\r\n"
        length = len(start) + self.options.size + len(end)
        sent = begin = time.monotonic()

        def body() -> Iterator[bytes]:
            nonlocal sent
            yield start
            yield from self.line.paced(self.blocks(0, self.options.size))
            yield end
            sent = time.monotonic()

        headers = {
            "Content-Type": "multipart/form-data; boundary=form",
            "Content-Length": str(length),
        }
        self.ask("POST", "/", headers, body())
        return {"upload_s": sent - begin, "claim_s": time.monotonic() - sent}


_NOISE = bytes(zlib.crc32(number.to_bytes(4, "big")) & 255 for number in range(BLOCK + 251))


def main() -> None:
    """Submit the form once."""
    visitor = Visitor(Options(**json.loads(sys.argv[1])))
    routes = {"direct": visitor.directly, "form": visitor.with_the_form}
    print(json.dumps(routes[visitor.options.route]()))


if __name__ == "__main__":
    main()
