"""The example behind a router that speaks TLS, its files on an S3 server that does so as well."""

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
class Site:
    """A deployed example: where it is on this machine, and what it lies on."""

    app: deployment.App
    s3: servers.S3Server
    https_port: int
    http_port: int
    database: Path
    key: str

    url = f"https://{deployment.DOMAIN}/"

    @property
    def arguments(self) -> list[str]:
        """Chromium's, that bring the site's domain here, and no other name anywhere."""
        rules = [
            f"MAP {deployment.DOMAIN}:443 {HOST}:{self.https_port}",
            f"MAP {deployment.DOMAIN}:80 {HOST}:{self.http_port}",
            f"MAP * ~NOTFOUND, EXCLUDE {HOST}",
        ]
        return [
            f"--host-resolver-rules={','.join(rules)}",
            # As valid as any, where --ignore-certificate-errors leaves it a bad one, without HSTS.
            f"--ignore-certificate-errors-spki-list={self.key}",
        ]

    def sql(self, statement: str, *values: str) -> None:
        with closing(sqlite3.connect(self.database, timeout=60)) as connection, connection:
            connection.execute(statement, values)

    def clear(self) -> None:
        """Empty the book."""
        self.sql("DELETE FROM guestbook_entry")


@contextmanager
def site(server: servers.S3Server, folder: Path) -> Iterator[Site]:
    """Deploy the example with a new bucket on the server, and serve it."""
    openssl = shutil.which("openssl")
    assert openssl, "openssl is not installed"
    certificate, key = certificates.make(openssl, folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with ExitStack() as stack:
        s3_port = urlsplit(server.endpoint_url).port
        assert s3_port
        secure = stack.enter_context(routing(s3_port, context))
        s3 = replace(server, endpoint_url=f"https://{HOST}:{secure}")
        bucket = f"guestbook-{uuid.uuid4().hex}"
        database = folder / "db.sqlite3"
        config = {
            **s3.variables,
            "AWS_AUTO_CREATE_BUCKET": "true",
            "AWS_CA_BUNDLE": str(certificate),
            "AWS_STORAGE_BUCKET_NAME": bucket,
            "DATABASE_URL": f"sqlite:///{database}",
            "FORWARDED_ALLOW_IPS": "*",
        }
        stack.callback(servers.remove_bucket, server.client(), bucket)
        app = deployment.deploy(folder / "app", config)
        app.run("python", "manage.py", "createsuperuser", "--noinput", DYNO="run.2", **ADMIN)
        dyno = stack.enter_context(deployment.serving(app))
        https_port = stack.enter_context(routing(dyno.port, context))
        http_port = stack.enter_context(routing(dyno.port, None))
        trusted = certificates.fingerprint(openssl, certificate)
        yield Site(app, server, https_port, http_port, database, trusted)
