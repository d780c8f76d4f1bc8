"""Counting S3 requests in the bytes that pass the delay proxy, as cheaply as possible."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

#: Parts of a query string that make a GET of a bucket a listing.
_LISTING = (b"list-type=", b"prefix=", b"delimiter=", b"marker=", b"max-keys=", b"encoding-type=")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)
_COPY = re.compile(rb"\r\nx-amz-copy-source:", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.[01] ([2-5]\d\d)")
_END = b"\r\n\r\n"


class Traffic:
    """What passed since the last look: requests by kind, answers by status, bytes."""

    def __init__(self) -> None:
        self.clear(0)

    def clear(self, connections: int) -> None:
        """Begin anew, with so many connections open."""
        self.requests: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.sent = 0
        self.received = 0
        self.connections = 0
        self.most_connections = connections

    def opened(self, connections: int) -> None:
        """Count a new connection; so many are open now."""
        self.connections += 1
        self.most_connections = max(self.most_connections, connections)

    def as_dict(self, cpu_seconds: float) -> dict[str, Any]:
        """The counters; bytes as the client sees them, headers and all; the proxy's own CPU."""
        return {
            "requests": dict(sorted(self.requests.items())),
            "statuses": dict(sorted(self.statuses.items())),
            "bytes_sent": self.sent,
            "bytes_received": self.received,
            "connections": self.connections,
            "most_connections": self.most_connections,
            "proxy_cpu_seconds": round(cpu_seconds, 3),
        }


class RequestCounter:
    """Reads one connection's requests: their heads, and how much to skip to the next one."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self.answered = True
        self._buffer = b""
        self._skip = 0
        self._chunks: _Chunks | None = None

    def feed(self, data: bytes) -> None:
        """Count what the client sent."""
        self.traffic.sent += len(data)
        if self._skip >= len(data):
            self._skip -= len(data)
            return
        data = self._buffer + data[self._skip :]
        self._skip = 0
        while data:
            if self._chunks is not None:
                data = self._chunks.feed(data)
                if not self._chunks.finished:
                    break
                self._chunks = None
                continue
            end = data.find(_END)
            if end < 0:
                break
            self._head(data[:end])
            data = data[end + len(_END) :]
            if self._skip:
                data, self._skip = data[self._skip :], max(0, self._skip - len(data))
        self._buffer = data

    def _head(self, head: bytes) -> None:
        self.traffic.requests[kind_of(head)] += 1
        self.answered = False
        if _CHUNKED.search(head):
            self._chunks = _Chunks()
        elif match := _LENGTH.search(head):
            self._skip = int(match[1])


class ResponseCounter:
    """Counts the statuses of one connection's answers; an answer starts a segment."""

    def __init__(self, traffic: Traffic, requests: RequestCounter) -> None:
        self.traffic = traffic
        self.requests = requests

    def feed(self, data: bytes) -> None:
        """Count what the server sent."""
        self.traffic.received += len(data)
        # "100 Continue" may stand before the answer proper, in one segment or apart.
        if not self.requests.answered and (match := _STATUS.search(data[:256])):
            self.traffic.statuses[match[1].decode()] += 1
            self.requests.answered = True


class _Chunks:
    """Skips a body in chunks ("Transfer-Encoding: chunked") and its trailer."""

    def __init__(self) -> None:
        self.finished = False
        self._skip = 0
        self._trailer = False

    def feed(self, data: bytes) -> bytes:
        """Return what is not consumed: the next request, or a line that is not complete."""
        while data and not self.finished:
            if self._skip:
                data, self._skip = data[self._skip :], max(0, self._skip - len(data))
                continue
            line, newline, rest = data.partition(b"\r\n")
            if not newline:
                return data
            data = rest
            if self._trailer:
                self.finished = not line
            elif size := int(line.split(b";")[0], 16):
                self._skip = size + len(b"\r\n")
            else:
                self._trailer = True
        return data


def kind_of(head: bytes) -> str:
    """The kind of a path-style request: PUT, COPY, GET, HEAD, DELETE, POST of an object; LIST.

    Other requests about a bucket get " bucket" appended to their method.
    """
    method, _, rest = head.partition(b" ")
    path, _, query = rest.partition(b" ")[0].partition(b"?")
    name = method.decode("latin-1")
    if b"/" in path.strip(b"/"):
        return "COPY" if name == "PUT" and _COPY.search(head) else name
    if name == "GET" and (not query or any(part in query for part in _LISTING)):
        return "LIST"
    return f"{name} bucket"
