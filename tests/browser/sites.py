"""The deployed example, with TLS for itself and for its S3 server."""

import shutil
import sqlite3
import ssl
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from tests import certificates, deployment, servers
from tests.browser.router import HOST, routing

ADMIN = {
    "DJANGO_SUPERUSER_EMAIL": "warden@example.com",
    "DJANGO_SUPERUSER_PASSWORD": "soup until eight",
    "DJANGO_SUPERUSER_USERNAME": "warden",
}


@dataclass(frozen=True)
class Routed:
    """A site's domain, its ports on this machine, and its certificate's key."""

    domain: str
    https_port: int
    http_port: int
    key: str

    @property
    def url(self) -> str:
        return f"https://{self.domain}/"

    @property
    def arguments(self) -> list[str]:
        """Chromium's arguments, which resolve only the site's domain, to this machine."""
        rules = [
            f"MAP {self.domain}:443 {HOST}:{self.https_port}",
            f"MAP {self.domain}:80 {HOST}:{self.http_port}",
            f"MAP * ~NOTFOUND, EXCLUDE {HOST}",
        ]
        return [
            f"--host-resolver-rules={','.join(rules)}",
            # Makes the certificate valid; with --ignore-certificate-errors there would be no HSTS.
            f"--ignore-certificate-errors-spki-list={self.key}",
        ]


@dataclass(frozen=True)
class Site(Routed):
    """A deployed example, with its S3 server and its database."""

    app: deployment.App
    s3: servers.S3Server
    database: Path

    def sql(self, statement: str, *values: str) -> None:
        with closing(sqlite3.connect(self.database, timeout=60)) as connection, connection:
            connection.execute(statement, values)

    def clear(self) -> None:
        """Empty the guest book."""
        self.sql("DELETE FROM guestbook_entry")


@dataclass(frozen=True)
class Tls:
    """A certificate for servers on this machine, and its key's fingerprint."""

    certificate: Path
    context: ssl.SSLContext
    fingerprint: str

    @classmethod
    def make(cls, folder: Path) -> "Tls":
        openssl = shutil.which("openssl")
        assert openssl, "openssl is not installed"
        certificate, key = certificates.make(openssl, folder)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        return cls(certificate, context, certificates.fingerprint(openssl, certificate))


@contextmanager
def over_tls(server: servers.S3Server, tls: Tls) -> Iterator[servers.S3Server]:
    """Put TLS in front of an S3 server, as Amazon's has it."""
    port = urlsplit(server.endpoint_url).port
    assert port
    with routing(port, tls.context) as secure:
        yield replace(server, endpoint_url=f"https://{HOST}:{secure}")


@contextmanager
def routed(domain: str, port: int, tls: Tls) -> Iterator[Routed]:
    """Put Heroku's router in front of a web dyno."""
    with routing(port, tls.context) as https_port, routing(port, None) as http_port:
        yield Routed(domain, https_port, http_port, tls.fingerprint)


@contextmanager
def site(server: servers.S3Server, folder: Path) -> Iterator[Site]:
    """Deploy the example with a new bucket on the server, and serve it."""
    tls = Tls.make(folder)
    with ExitStack() as stack:
        s3 = stack.enter_context(over_tls(server, tls))
        bucket = f"guestbook-{uuid.uuid4().hex}"
        database = folder / "db.sqlite3"
        config = {
            **s3.variables,
            "AWS_AUTO_CREATE_BUCKET": "true",
            "AWS_CA_BUNDLE": str(tls.certificate),
            "AWS_STORAGE_BUCKET_NAME": bucket,
            "DATABASE_URL": f"sqlite:///{database}",
            "FORWARDED_ALLOW_IPS": "*",
        }
        stack.callback(servers.remove_bucket, server.client(), bucket)
        app = deployment.deploy(folder / "app", config)
        app.run("python", "manage.py", "herokuify", "bucket", "--apply", DYNO="run.2")
        app.run("python", "manage.py", "createsuperuser", "--noinput", DYNO="run.2", **ADMIN)
        dyno = stack.enter_context(deployment.serving(app))
        front = stack.enter_context(routed(deployment.DOMAIN, dyno.port, tls))
        yield Site(**vars(front), app=app, s3=server, database=database)
