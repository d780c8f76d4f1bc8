"""The tests' own servers and sandbox do what other tests rely on."""

import socket
from collections.abc import Callable
from urllib.request import urlopen

import pytest

from tests.project import Project
from tests.sandbox.loopback_only import SocketForbiddenError
from tests.servers import S3Server, remove_bucket

SETTINGS = """
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = ["herokuify"]
"""


class TestServers:
    def test_stored_object_can_be_read(self, s3: S3Server, bucket: str) -> None:
        client = s3.client()
        client.put_object(Bucket=bucket, Key="a/b c.txt", Body=b"text")
        assert client.get_object(Bucket=bucket, Key="a/b c.txt")["Body"].read() == b"text"

    def test_remove_bucket_deletes_all_contents(self, s3: S3Server, bucket_name: str) -> None:
        client = s3.client()
        client.create_bucket(Bucket=bucket_name)
        client.put_bucket_versioning(
            Bucket=bucket_name, VersioningConfiguration={"Status": "Enabled"}
        )
        for body in (b"one", b"two"):
            client.put_object(Bucket=bucket_name, Key="twice", Body=body)
        client.delete_object(Bucket=bucket_name, Key="twice")
        client.create_multipart_upload(Bucket=bucket_name, Key="unfinished")
        remove_bucket(client, bucket_name)
        assert bucket_name not in {item["Name"] for item in client.list_buckets()["Buckets"]}


class TestSandbox:
    def test_connections_to_other_machines_are_forbidden(self) -> None:
        with socket.socket() as tcp, pytest.raises(SocketForbiddenError, match=r"192\.0\.2\.1"):
            tcp.connect(("192.0.2.1", 80))
        with pytest.raises(SocketForbiddenError, match=r"bucket\.s3\.amazonaws\.com"):
            urlopen("https://bucket.s3.amazonaws.com/")

    @pytest.mark.usefixtures("no_sockets")
    def test_no_sockets_forbids_connections_to_this_machine(self, moto: S3Server) -> None:
        with pytest.raises(SocketForbiddenError):
            urlopen(moto.endpoint_url)

    @pytest.mark.parametrize(("sockets", "allowed"), [(True, "0"), (False, "1")])
    def test_subprocesses_are_restricted_too(
        self,
        make_project: Callable[..., Project],
        moto: S3Server,
        sockets: bool,
        allowed: str,
    ) -> None:
        project = make_project(SETTINGS)
        source = "from urllib.request import urlopen; urlopen({!r})"
        assert project.snippet(source.format("http://192.0.2.1/")).returncode == 1
        result = project.snippet(source.format(moto.endpoint_url), sockets=sockets)
        assert str(result.returncode) == allowed, result.stderr

    def test_subprocesses_see_only_given_variables(
        self, make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-machine")
        result = make_project(SETTINGS).snippet(
            "print(os.environ.get('AWS_ACCESS_KEY_ID'), os.environ['X'])", env={"X": "y"}
        )
        assert result.stdout == "None y\n"
