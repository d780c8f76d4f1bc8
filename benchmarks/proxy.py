"""A TCP proxy that simulates distance: it delays each direction by half a round trip.

``python3 benchmarks/proxy.py HOST:PORT [--rtt MILLISECONDS]`` listens on a free port of the
loopback interface and prints it as a line of JSON. Each line on standard input is a command:
``take`` is answered by a line of JSON with the traffic since the last ``take``. Between ``mute``
and ``unmute``, connections are accepted, but no data is passed on. The proxy exits at the end of
standard input.

Bytes are passed on unchanged, so signatures stay valid. The throughput is not limited; a new
connection costs a round trip, like TCP's handshake. One thread and one heap of due times serve all
connections, because the proxy shares the processor with the contestants.
"""

from __future__ import annotations

import argparse
import contextlib
import heapq
import json
import os
import re
import resource
import select
import socket
import sys
import time
from collections import Counter, deque
from typing import Any

RECEIVE = 256 * 1024  # bytes asked for at once
HIGH_WATER = 32 * 1024 * 1024  # bytes on their way in one direction before reading pauses
EARLY = 0.0005  # seconds: epoll waits in whole milliseconds, so half of one comes out even

_REQUEST = re.compile(rb"(GET|HEAD|PUT|POST|DELETE) /([^ ?]*)\??([^ ]*) HTTP/1\.1\r\n")
_ANSWER = re.compile(rb"HTTP/1\.[01] ([2-5]\d\d)")  # after "100 Continue", or without it
#: Parts of a query string that make a GET of a bucket a listing.
_LISTING = re.compile(rb"list-type=|prefix=|delimiter=|marker=|max-keys=|encoding-type=|^$")


def kind_of(method: bytes, path: bytes, query: bytes) -> str:
    """Classify a path-style request: PUT, GET and so on of an object, or LIST.

    Other requests about a bucket get " bucket" appended to their method.
    """
    name = method.decode()
    if b"/" in path.strip(b"/"):
        return name
    return "LIST" if name == "GET" and _LISTING.search(query) else f"{name} bucket"


class Traffic:
    """The traffic since the last reset: requests by kind, responses by status, bytes."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Reset the counters."""
        self.requests: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.sent = self.received = self.connections = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the counters; bytes as the client sees them, headers included."""
        return {
            "requests": dict(sorted(self.requests.items())),
            "statuses": dict(sorted(self.statuses.items())),
            "bytes_sent": self.sent,
            "bytes_received": self.received,
            "connections": self.connections,
        }


class End:
    """One socket of a pair: data that arrives is sent to the other one, later."""

    def __init__(self, sock: socket.socket, not_before: float, *, is_client: bool) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.peer: End = self
        self.is_client = is_client
        self.asked = False  # by a client, without a response yet
        self.not_before = not_before
        self.in_transit = 0  # bytes read here, not yet written to the peer
        self.waiting: deque[bytes | None] = deque()  # due, but the kernel's buffer is full
        self.mask = select.EPOLLIN
        self.ended = False  # nothing more will be read here
        self.shut = False  # nothing more will be written here
        self.closed = False

    def count(self, data: bytes, traffic: Traffic) -> None:
        """Count data; a request begins with the client's first data after a response."""
        if self.is_client:
            traffic.sent += len(data)
            if not self.asked and (match := _REQUEST.match(data)):
                traffic.requests[kind_of(*match.groups())] += 1
                self.asked = True
            return
        traffic.received += len(data)
        if self.peer.asked and (match := _ANSWER.search(data[:256])):
            traffic.statuses[match[1].decode()] += 1
            self.peer.asked = False


class Proxy:
    """The event loop: sockets, due times and counters."""

    def __init__(self, upstream: tuple[str, int], rtt: float) -> None:
        self.upstream = upstream
        self.rtt = rtt
        self.traffic = Traffic()
        self.muted = False
        self.epoll = select.epoll()
        self.ends: dict[int, End] = {}
        self.due: list[tuple[float, int, End, bytes | None]] = []
        self.sequence = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.listener.setblocking(False)
        self.epoll.register(self.listener, select.EPOLLIN)

    @property
    def port(self) -> int:
        """The port that clients connect to."""
        return int(self.listener.getsockname()[1])

    def run(self, commands: int) -> None:
        """Serve until the end of the commands' file descriptor."""
        self.epoll.register(commands, select.EPOLLIN)
        listener = self.listener.fileno()
        while True:
            for fd, events in self.epoll.poll(self._timeout()):
                if fd == listener:
                    self._accept()
                elif fd == commands:
                    if not self._answer(commands):
                        return
                elif fd in self.ends:
                    self._handle(self.ends[fd], events)
            if not self.muted:
                self._deliver()

    def _timeout(self) -> float:
        if self.muted or not self.due:
            return -1
        return max(0.0, self.due[0][0] - time.monotonic() - EARLY)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except BlockingIOError:
                return
            server = socket.socket()
            server.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                server.connect(self.upstream)
            now = time.monotonic()
            near = End(client, now + self.rtt, is_client=True)
            far = End(server, now, is_client=False)
            near.peer, far.peer = far, near
            for end in (near, far):
                end.sock.setblocking(False)
                end.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.ends[end.fd] = end
                self.epoll.register(end.fd, end.mask)
            self.traffic.connections += 1

    def _answer(self, commands: int) -> bool:
        lines = os.read(commands, 4096)
        for line in lines.splitlines():
            if line in {b"mute", b"unmute"}:
                self.muted = line == b"mute"
            elif line == b"take":
                usage = resource.getrusage(resource.RUSAGE_SELF)
                cpu = {"proxy_cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3)}
                print(json.dumps({**self.traffic.as_dict(), **cpu}), flush=True)
                self.traffic.clear()
        return bool(lines)

    def _handle(self, end: End, events: int) -> None:
        if events & select.EPOLLOUT:
            self._write(end)
        if events & ~select.EPOLLOUT and not end.closed:
            self._read(end)

    def _read(self, end: End) -> None:
        if end.ended:  # a hang-up after the end was read, or while reading pauses
            self._close(end)
            return
        try:
            data = end.sock.recv(RECEIVE)
        except BlockingIOError:
            return
        except OSError:
            self._close(end)
            return
        due = max(time.monotonic(), end.not_before) + self.rtt / 2
        self.sequence += 1
        heapq.heappush(self.due, (due, self.sequence, end, data or None))
        if data:
            end.count(data, self.traffic)
            end.in_transit += len(data)
        else:
            end.ended = True
        self._listen(end)

    def _deliver(self) -> None:
        limit = time.monotonic() + EARLY
        while self.due and self.due[0][0] <= limit:
            _, _, source, data = heapq.heappop(self.due)
            target = source.peer
            if target.closed:
                continue
            target.waiting.append(data)
            if not target.mask & select.EPOLLOUT:
                self._write(target)

    def _write(self, end: End) -> None:
        waiting = end.waiting
        try:
            while waiting:
                data = waiting[0]
                if data is None:
                    waiting.popleft()
                    end.sock.shutdown(socket.SHUT_WR)
                    end.shut = True
                    if end.peer.shut:
                        self._close(end)
                    return
                sent = end.sock.send(data)
                end.peer.in_transit -= sent
                if sent < len(data):
                    waiting[0] = data[sent:]
                    break
                waiting.popleft()
        except BlockingIOError:
            pass
        except OSError:
            self._close(end)
            return
        self._listen(end)
        self._listen(end.peer)

    def _listen(self, end: End) -> None:
        """Register the events that this end can handle now."""
        if end.closed:
            return
        reading = not end.ended and end.in_transit < HIGH_WATER
        mask = (select.EPOLLIN if reading else 0) | (select.EPOLLOUT if end.waiting else 0)
        if mask != end.mask:
            end.mask = mask
            self.epoll.modify(end.fd, mask)

    def _close(self, end: End) -> None:
        for one in (end, end.peer):
            if not one.closed:
                one.closed = True
                self.epoll.unregister(one.fd)
                del self.ends[one.fd]
                one.sock.close()


def main() -> None:
    """Run the proxy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("upstream", metavar="HOST:PORT")
    parser.add_argument("--rtt", type=float, default=20.0, help="milliseconds (default: 20)")
    arguments = parser.parse_args()
    host, _, port = arguments.upstream.rpartition(":")
    proxy = Proxy((host, int(port)), arguments.rtt / 1000)
    print(json.dumps({"port": proxy.port}), flush=True)
    proxy.run(sys.stdin.fileno())


if __name__ == "__main__":
    main()
