"""A TCP proxy that cuts connections in the middle of a request or a response."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

#: How many bytes pass from the client and to it before the connection is cut; None: no limit.
Limits = tuple[int | None, int | None]
#: Takes the number of the connection, counted from 0.
Rule = Callable[[int], Limits]


@dataclass
class Cutter:
    """The proxy's address, its rule for new connections, and how many it has cut."""

    url: str
    rule: Rule = lambda number: (None, None)
    connections: int = 0
    cuts: int = 0


def _end(*pair: socket.socket) -> None:
    for one in pair:
        with contextlib.suppress(OSError):
            # With a reset instead of an orderly end, as after a network failure.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


@contextmanager
def cutting(host: str, port: int) -> Iterator[Cutter]:
    """Run the proxy in front of a server, in threads of this process."""
    listener = socket.create_server(("127.0.0.1", 0))
    cutter = Cutter(f"http://127.0.0.1:{listener.getsockname()[1]}")
    open_sockets: set[socket.socket] = set()

    def pass_on(source: socket.socket, target: socket.socket, limit: int | None) -> None:
        left = limit
        with contextlib.suppress(OSError):
            while data := source.recv(65_536 if left is None else min(65_536, left)):
                target.sendall(data)
                if left is not None:
                    left -= len(data)
                    if left == 0:
                        cutter.cuts += 1
                        break
        _end(source, target)

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection((host, port))
            except OSError:
                return
            open_sockets.update({client, server})
            up, down = cutter.rule(cutter.connections)
            cutter.connections += 1
            for source, target, limit in ((client, server, up), (server, client, down)):
                threading.Thread(target=pass_on, args=(source, target, limit), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield cutter
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        _end(*open_sockets)
