"""The states in which a fault finds S3: each yields the config vars that lead there."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fault_proxy import Verdict, always, anything
from tests.projects.heroku import SECRETS
from tests.replay import replay
from tests.servers import S3Server, remove_bucket

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
NAME = "AWS_STORAGE_BUCKET_NAME"


@dataclass(frozen=True)
class Servers:
    """The servers of the tests, each started when a fault first wants it."""

    request: pytest.FixtureRequest

    @property
    def moto(self) -> S3Server:
        """Takes any key, and any policy for granted."""
        server: S3Server = self.request.getfixturevalue("moto")
        return server

    @property
    def ceph(self) -> S3Server:
        """Checks keys and policies."""
        server: S3Server = self.request.getfixturevalue("ceph")
        return server

    @property
    def certificate(self) -> tuple[Path, Path]:
        """A certificate that nobody trusts, and its key."""
        pair: tuple[Path, Path] = self.request.getfixturevalue("certificate")
        return pair


State = Callable[[Servers, str], AbstractContextManager[Mapping[str, str]]]
"""From a bucket's name to the config vars that lead to it; what it does is undone at the end."""


def variables(server: S3Server, bucket: str, **others: str) -> dict[str, str]:
    """Return the config vars of a project on a server; moto's have keys that are marked."""
    marked = {name: SECRETS[name] for name in KEYS}
    keys = marked if server.name == "moto" else {}
    return server.variables | keys | {NAME: bucket} | others


@contextmanager
def amazon(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
    """Amazon S3, which nobody reaches from here: for what is found without a request."""
    yield {NAME: bucket} | {name: SECRETS[name] for name in KEYS}


@contextmanager
def moto(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
    """A bucket that is there, and takes everything."""
    servers.moto.client().create_bucket(Bucket=bucket)
    yield variables(servers.moto, bucket)


@contextmanager
def no_bucket(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
    """A bucket that nobody has made."""
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
    """A bucket whose policy denies these actions, as a permission that is missing does.

    It holds an upload, ``a.txt``.
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
    """S3 that answers so to these operations, or to all, and does the others."""

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


@contextmanager
def nobody(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
    """An address where nothing listens."""
    with closing(socket.socket()) as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        yield variables(servers.moto, bucket, AWS_S3_ENDPOINT_URL=url)


@contextmanager
def untrusted(servers: Servers, bucket: str) -> Iterator[Mapping[str, str]]:
    """An https address with a certificate that nobody has signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*servers.certificate)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:  # closed: the test is over
                    return
                with connection, suppress(OSError):  # the client hangs up
                    context.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        try:
            yield variables(servers.moto, bucket, AWS_S3_ENDPOINT_URL=url)
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
