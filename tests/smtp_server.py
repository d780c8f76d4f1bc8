"""A mail server for the tests, which requires STARTTLS and a login.

``python -m tests.smtp_server CERTIFICATE KEY FOLDER USER PASSWORD`` prints its port, and writes
each message to a file in the folder.
"""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.processes import SECONDS

USER, PASSWORD = "postmaster@example.com", "pass/word#1 %40"


@dataclass(frozen=True)
class MailServer:
    """The server's port, its certificate, and the folder of its messages."""

    port: int
    certificate: Path
    mail: Path

    def messages(self) -> list[str]:
        """Return the messages that were delivered, in order."""
        paths = sorted(self.mail.iterdir(), key=lambda path: int(path.name))
        return [path.read_text(encoding="utf-8") for path in paths]

    def clear(self) -> None:
        """Delete all messages."""
        for path in self.mail.iterdir():
            path.unlink()


@contextmanager
def running(folder: Path, environment: dict[str, str]) -> Iterator[MailServer]:
    """Run the server in its own process, with its data in the folder."""
    certificate, key, mail = folder / "certificate.pem", folder / "key.pem", folder / "mail"
    mail.mkdir()
    _make_certificate(certificate, key)
    command = [sys.executable, "-m", "tests.smtp_server"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, str(certificate), str(key), str(mail), USER, PASSWORD],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            encoding="utf-8",
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError((folder / "log").read_text(encoding="utf-8"))
            yield MailServer(int(line), certificate, mail)
        finally:
            process.terminate()
            process.communicate(timeout=SECONDS)


def _make_certificate(certificate: Path, key: Path) -> None:
    """Make a self-signed certificate for localhost."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    extensions = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    usage = ["-addext", "keyUsage=critical,digitalSignature,keyCertSign"]
    files = ["-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *extensions, *usage, *files], check=True, capture_output=True)


class _Mailbox:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.count += 1
        assert isinstance(envelope.content, bytes)
        secured = "TLS" if session.ssl else "plain"
        head = f"{secured} {envelope.mail_from} {','.join(envelope.rcpt_tos)}\n"
        text = head + envelope.content.decode("utf-8").replace("\r\n", "\n")
        (self.folder / str(self.count)).write_text(text, encoding="utf-8")
        return "250 OK"


def _serve(certificate: str, key: str, folder: str, user: str, password: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    mailbox = _Mailbox(Path(folder))

    def authenticate(
        server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        known = LoginPassword(user.encode(), password.encode())
        return AuthResult(success=data == known, handled=False)

    def protocol() -> SMTP:
        return SMTP(
            mailbox,
            hostname="localhost",
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=authenticate,
        )

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(protocol, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201
        await server.serve_forever()

    asyncio.run(main())


if __name__ == "__main__":
    _serve(*sys.argv[1:])
