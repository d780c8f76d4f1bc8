"""Refuse every connection and name look-up that would leave this machine."""

import ipaddress
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Set for a subprocess (through tests.project), it forbids loopback as well.
FORBID_ALL = "HEROKUIFY_TEST_FORBID_SOCKETS"


class SocketForbiddenError(RuntimeError):
    """The code under test reached for the network, not for a server on this machine."""


class Guard:
    """What an audit hook lets through; Python calls the hook before it acts."""

    def __init__(self) -> None:
        self.forbids_all = FORBID_ALL in os.environ

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
            address = arguments[1]
            if not isinstance(address, tuple):  # a Unix socket, or one that is connected already
                return
            host = address[0]
        elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
            host = arguments[0]
        else:
            return
        if self.forbids_all or not _is_here(host):
            raise SocketForbiddenError(f"{event} {host!r}: tests talk to loopback only")


_guard = Guard()


def install() -> None:
    """Guard this process for good; an audit hook can't be taken out again."""
    sys.addaudithook(_guard)


@contextmanager
def no_sockets() -> Iterator[None]:
    """Forbid connections to this machine, too."""
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
