"""Shows that the delay proxy is no bottleneck: ``python3 benchmarks/proxy_load.py``.

Sends small PUTs over many connections through the proxy to a server that only says "200 OK", and
prints requests a second, the round trip added and the proxy's processor time a request. Server and
client share the machine's cores with the proxy, so what they reach together is a lower bound.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import statistics
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.distance import distance_to

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def serve(listener: socket.socket, request: int) -> None:
    """Answer each request, of so many bytes, on every connection; ends with the process."""
    epoll = select.epoll()
    epoll.register(listener, select.EPOLLIN)
    clients: dict[int, socket.socket] = {}
    missing: dict[int, int] = {}
    while True:
        for fd, _ in epoll.poll():
            if fd == listener.fileno():
                client, _ = listener.accept()
                clients[client.fileno()] = client
                missing[client.fileno()] = request
                epoll.register(client, select.EPOLLIN)
                continue
            data = clients[fd].recv(1 << 18)
            if not data:
                epoll.unregister(fd)
                clients.pop(fd).close()
                continue
            missing[fd] -= len(data)
            if not missing[fd]:
                missing[fd] = request
                clients[fd].send(_ANSWER)


def load(port: int, message: bytes, connections: int, total: int) -> tuple[float, list[float]]:
    """Return the seconds that so many requests took, and each one's own seconds."""
    epoll = select.epoll()
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
    by_fd = {sock.fileno(): sock for sock in sockets}
    sent_at: dict[int, float] = {}
    begin = time.monotonic()
    for fd, sock in by_fd.items():
        epoll.register(fd, select.EPOLLIN)
        sock.sendall(message)
        sent_at[fd] = time.monotonic()
    sent = connections
    taken: list[float] = []
    while len(taken) < total:
        for fd, _ in epoll.poll():
            by_fd[fd].recv(1 << 16)
            taken.append(time.monotonic() - sent_at[fd])
            if sent < total:
                by_fd[fd].sendall(message)
                sent_at[fd] = time.monotonic()
                sent += 1
    return time.monotonic() - begin, taken


def main() -> None:
    """Measure and print one line of JSON for each number of connections."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rtt", type=float, default=20.0, help="milliseconds (default: 20)")
    parser.add_argument("--body", type=int, default=8192, help="bytes a PUT (default: 8192)")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 32, 64, 256])
    arguments = parser.parse_args()
    head = f"PUT /bucket/key HTTP/1.1\r\nHost: s3\r\nContent-Length: {arguments.body}\r\n\r\n"
    message = head.encode() + b"x" * arguments.body
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    server = os.fork()
    if not server:
        serve(listener, len(message))
    try:
        with distance_to(f"127.0.0.1:{listener.getsockname()[1]}", arguments.rtt) as distance:
            for connections in arguments.connections:
                total = max(connections * 2, arguments.requests if connections > 1 else 100)
                distance.take()
                seconds, taken = load(distance.port, message, connections, total)
                traffic = distance.take()
                taken.sort()
                print(
                    json.dumps(
                        {
                            "connections": connections,
                            "requests_per_second": round(total / seconds),
                            "median_ms": round(statistics.median(taken) * 1000, 2),
                            "p99_ms": round(taken[int(len(taken) * 0.99)] * 1000, 2),
                            "proxy_cpu_us_per_request": round(
                                traffic["proxy_cpu_seconds"] / total * 1e6
                            ),
                            "counted": traffic["requests"],
                        }
                    )
                )
    finally:
        os.kill(server, 15)
        os.waitpid(server, 0)


if __name__ == "__main__":
    main()
