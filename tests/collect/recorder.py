"""A server that takes any PUT at any path and remembers it as it came."""

import datetime as dt
import hashlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def md5(body: bytes) -> str:
    """The ETag of an object that was sent in one piece."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Put:
    """A request as it came; the names of the headers in lower case."""

    target: str
    headers: dict[str, str]
    body: bytes = field(repr=False)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    recorder: "Recorder"

    def do_PUT(self) -> None:
        """Read the request, and say yes."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.recorder.puts.append(Put(self.path, headers, body))
        self.recorder.before_answer()
        self.send_response_only(200)
        self.send_header("ETag", f'"{md5(body)}"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Say nothing: the tests look at Recorder.puts."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that does not trust the certificate."""


class Recorder:
    """What has come; ``before_answer`` runs in the thread of each request."""

    def __init__(self, host: str, context: ssl.SSLContext | None) -> None:
        self.puts: list[Put] = []
        self.before_answer: Callable[[], object] = lambda: None
        is_v6 = ":" in host
        family = socket.AF_INET6 if is_v6 else socket.AF_INET
        server = type("Server", (_Server,), {"address_family": family})
        self.server = server((host, 0), type("Handler", (_Handler,), {"recorder": self}))
        if context is not None:
            self.server.socket = context.wrap_socket(
                self.server.socket,
                server_side=True,
                do_handshake_on_connect=False,  # but in the connection's own thread
            )
        self.netloc = f"{f'[{host}]' if is_v6 else host}:{self.server.server_port}"
        self.url = f"{'https' if context else 'http'}://{self.netloc}"


@contextmanager
def recording(host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> Iterator[Recorder]:
    """Run a recorder on a free port, with TLS where there is a context."""
    recorder = Recorder(host, context)
    thread = threading.Thread(target=recorder.server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield recorder
    finally:
        recorder.server.shutdown()
        thread.join()
        recorder.server.server_close()


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A new certificate for 127.0.0.1 that signs itself, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.timezone.utc)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path, both = folder / "ca.pem", folder / "server.pem"
    path.write_bytes(signed.public_bytes(Encoding.PEM))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    both.write_bytes(secret + path.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return path, context
