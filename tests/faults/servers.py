"""States of the S3 server for faults; each yields the config vars to reach it."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fault_proxy import Verdict, always, anything
from tests.projects.heroku import SECRETS
from tests.replay import replay
from tests.servers import S3Server, remove_bucket
from tests.services.daemons import Redis
from tests.smtp_server import USER, MailServer

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
NAME = "AWS_STORAGE_BUCKET_NAME"
BUCKET = "my-bucket"  # in messages


@dataclass(frozen=True)
class Slug:
    """A correctly built and published shop, and its bucket."""

    folder: Path
    server: S3Server
    bucket: str

    @property
    def client(self) -> S3Client:
        return self.server.client()

    def list_keys(self) -> list[str]:
        """The keys of all static files."""
        listing = self.client.list_objects_v2(Bucket=self.bucket, Prefix="static/")
        return [item["Key"] for item in listing["Contents"]]

    def let_read(self, *locations: str) -> None:
        """Make these locations public, and no others."""
        self.client.delete_bucket_policy(Bucket=self.bucket)
        if locations:
            statement = {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": [f"arn:aws:s3:::{self.bucket}/{name}/*" for name in locations],
            }
            policy = {"Version": "2012-10-17", "Statement": [statement]}
            self.client.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(policy))

    def let_load_fonts(self, *origins: str) -> None:
        """Let pages of these origins, and no others, load fonts."""
        self.client.delete_bucket_cors(Bucket=self.bucket)
        if origins:
            rule: Any = {"AllowedMethods": ["GET", "HEAD"], "AllowedOrigins": list(origins)}
            self.client.put_bucket_cors(Bucket=self.bucket, CORSConfiguration={"CORSRules": [rule]})


@dataclass(frozen=True)
class Servers:
    """The servers for the tests, which are started on first use."""

    request: pytest.FixtureRequest

    @property
    def moto(self) -> S3Server:
        """Accepts any key, and ignores policies."""
        server: S3Server = self.request.getfixturevalue("moto")
        return server

    @property
    def ceph(self) -> S3Server:
        """Checks keys and policies."""
        server: S3Server = self.request.getfixturevalue("ceph")
        return server

    @property
    def slug(self) -> Slug:
        """A shop on Ceph, built and published."""
        slug: Slug = self.request.getfixturevalue("slug")
        return slug

    @property
    def redis(self) -> Redis:
        """With TLS and a self-signed certificate."""
        server: Redis = self.request.getfixturevalue("redis")
        return server

    @property
    def mail(self) -> MailServer:
        """With STARTTLS and one user."""
        server: MailServer = self.request.getfixturevalue("mail_server")
        return server

    @property
    def certificate(self) -> tuple[Path, Path]:
        """An untrusted certificate, and its key."""
        pair: tuple[Path, Path] = self.request.getfixturevalue("certificate")
        return pair


State = Callable[[Servers, str], AbstractContextManager[Mapping[str, str]]]
"""Takes a bucket's name; returns a context with the config vars for it."""


def variables(server: S3Server, bucket: str, **others: str) -> dict[str, str]:
    """Return the config vars for a project on a server; with moto, the keys are distinctive."""
    marked = {name: SECRETS[name] for name in KEYS}
    keys = marked if server.name == "moto" else {}
    return server.variables | keys | {NAME: bucket} | others


@contextmanager
def amazon(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
    """Amazon S3, for faults that are found without a request."""
    yield {NAME: BUCKET} | {name: SECRETS[name] for name in KEYS}


@contextmanager
def moto(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
    """A working bucket."""
    servers.moto.client().create_bucket(Bucket=bucket)
    yield variables(servers.moto, bucket)


@contextmanager
def no_bucket(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
    """A missing bucket."""
    yield variables(servers.moto, bucket)


@contextmanager
def ceph(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
    """A bucket on a server that checks keys and policies."""
    client = servers.ceph.client()
    client.create_bucket(Bucket=bucket)
    try:
        yield variables(servers.ceph, bucket)
    finally:
        remove_bucket(client, bucket)


def forbidding(*actions: str) -> State:
    """A bucket whose policy denies these actions, like missing permissions.

    It contains an upload, ``a.txt``.
    """

    @contextmanager
    def state(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
        with ceph(servers, bucket) as found:
            client = servers.ceph.client()
            client.put_object(Bucket=bucket, Key="media/a.txt", Body=b"an upload")
            arn = f"arn:aws:s3:::{bucket}"
            statement = {
                "Effect": "Deny",
                "Principal": "*",
                "Action": list(actions),
                "Resource": [arn, f"{arn}/*"],
            }
            policy = {"Version": "2012-10-17", "Statement": [statement]}
            client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
            try:
                yield found
            finally:
                client.delete_bucket_policy(Bucket=bucket)

    return state


def answering(*operations: str, answer: Verdict, exists: bool = True) -> State:
    """A server with this response to these operations, or to all if none is given."""

    @contextmanager
    def state(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
        if exists:
            servers.moto.client().create_bucket(Bucket=bucket)
        with replay(servers.moto.endpoint_url) as proxy:
            if not operations:
                proxy.rule = always(answer, anything)
            for operation in operations:
                proxy.on(operation, answer)
            yield variables(servers.moto, bucket, AWS_S3_ENDPOINT_URL=proxy.url)

    return state


def readable(*locations: str) -> State:
    """A published shop with these locations public."""

    @contextmanager
    def state(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
        servers.slug.let_read(*locations)
        try:
            yield variables(servers.ceph, servers.slug.bucket)
        finally:
            servers.slug.let_read("static")

    return state


def fonts_for(*origins: str) -> State:
    """A published shop with fonts for pages of these origins."""

    @contextmanager
    def state(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
        servers.slug.let_load_fonts(*origins)
        try:
            yield variables(servers.ceph, servers.slug.bucket)
        finally:
            servers.slug.let_load_fonts("*")

    return state


def lost(pattern: str) -> State:
    """A published shop without the files whose keys match a pattern."""

    @contextmanager
    def state(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
        slug = servers.slug
        keys = [key for key in slug.list_keys() if re.search(pattern, key)]
        assert keys
        for key in keys:
            _move(slug, key, f"lost/{key}")
        try:
            yield variables(servers.ceph, slug.bucket)
        finally:
            for key in keys:
                _move(slug, f"lost/{key}", key)

    return state


def with_language(language: str) -> State:
    """A published shop whose files have a Content-Language."""

    @contextmanager
    def state(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
        _set_headers(servers.slug, ContentLanguage=language)
        try:
            yield variables(servers.ceph, servers.slug.bucket)
        finally:
            _set_headers(servers.slug)

    return state


def _set_headers(slug: Slug, **headers: str) -> None:
    """Set headers of all static files, and keep Content-Type and Cache-Control."""
    client = slug.client
    for key in slug.list_keys():
        head = client.head_object(Bucket=slug.bucket, Key=key)
        kept = {name: head[name] for name in ("CacheControl", "ContentType") if name in head}
        source: Any = {"Bucket": slug.bucket, "Key": key}
        options: Any = kept | headers
        client.copy_object(
            Bucket=slug.bucket, Key=key, CopySource=source, MetadataDirective="REPLACE", **options
        )


def _move(slug: Slug, key: str, other: str) -> None:
    source: Any = {"Bucket": slug.bucket, "Key": key}
    slug.client.copy_object(Bucket=slug.bucket, Key=other, CopySource=source)
    slug.client.delete_object(Bucket=slug.bucket, Key=key)


@contextmanager
def blocked(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
    """A bucket that blocks public policies, as new ones on Amazon S3 do."""
    with moto(servers, bucket) as found:
        servers.moto.client().put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )
        yield found


@contextmanager
def no_database(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
    """A DATABASE_URL with a closed port."""
    with _reserved() as port:
        yield {"DATABASE_URL": f"postgres://someone:marked-password@127.0.0.1:{port}/app"}


@contextmanager
def untrusted_redis(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
    """A Redis server whose certificate is not that of the CA."""
    yield {
        "REDIS_URL": servers.redis.tls_url,
        "REDIS_CA": str(servers.redis.other_certificate),
    }


@contextmanager
def mail(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
    """A mail server, and a wrong password."""
    yield {
        "EMAIL_HOST": "localhost",
        "EMAIL_PORT": str(servers.mail.port),
        "EMAIL_HOST_USER": USER,
        "EMAIL_HOST_PASSWORD": "marked-password",
        "EMAIL_USE_TLS": "true",
        "SSL_CERT_FILE": str(servers.mail.certificate),
    }


@contextmanager
def _reserved() -> Iterator[int]:
    """A closed port."""
    with closing(socket.socket()) as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@contextmanager
def nobody(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
    """An endpoint with a closed port."""
    with _reserved() as port:
        url = f"http://127.0.0.1:{port}"
        yield variables(servers.moto, bucket, AWS_S3_ENDPOINT_URL=url)


@contextmanager
def untrusted(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
    """An https endpoint with an untrusted certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*servers.certificate)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:  # the test has closed the socket
                    return
                with connection, suppress(OSError):  # the client disconnects
                    context.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        try:
            yield variables(servers.moto, bucket, AWS_S3_ENDPOINT_URL=url)
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
