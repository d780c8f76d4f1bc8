"""Refuse connections and name look-ups beyond this machine."""

import ipaddress
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# A subprocess that tests.project starts with this variable may not use loopback either.
FORBID_ALL = "HEROKUIFY_TEST_FORBID_SOCKETS"


class SocketForbiddenError(RuntimeError):
    """The code under test tried to use the network."""


class Guard:
    """An audit hook, which Python calls before it connects or looks up a name."""

    def __init__(self) -> None:
        self.forbids_all = FORBID_ALL in os.environ

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
            address = arguments[1]
            if not isinstance(address, tuple):  # a Unix socket, or a connected one
                return
            host = address[0]
        elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
            host = arguments[0]
        else:
            return
        if self.forbids_all or not _is_here(host):
            raise SocketForbiddenError(f"{event} {host!r}: tests may only use loopback")


_guard = Guard()


def install() -> None:
    """Guard this process permanently: an audit hook can't be removed."""
    sys.addaudithook(_guard)


@contextmanager
def no_sockets() -> Iterator[None]:
    """Also forbid connections to this machine."""
    before, _guard.forbids_all = _guard.forbids_all, True
    try:
        yield
    finally:
        _guard.forbids_all = before


def _is_here(host: object) -> bool:
    if host is None:
        return True
    name = host.decode() if isinstance(host, bytes) else str(host)
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
