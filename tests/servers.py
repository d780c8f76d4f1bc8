"""S3 servers for the tests: real ones, in their own processes, on this machine."""

import functools
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import boto3
from botocore.config import Config

from tests import processes

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

CEPH_URL = "HEROKUIFY_TEST_CEPH_URL"
# Not boto3's default session, which remembers credentials. One for all, because each session loads
# S3's model: 0.1 s of CPU and 12 MB.
SESSION = boto3.session.Session()


@dataclass(frozen=True)
class S3Server:
    """A server's address, and the account that the tests use on it."""

    name: str
    endpoint_url: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"

    def client(self, **options: Any) -> "S3Client":
        """Return a client; ``options`` override the account's own, as in boto3."""
        defaults: dict[str, Any] = {
            "endpoint_url": self.endpoint_url,
            "region_name": self.region,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "config": Config(
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        }
        return SESSION.client("s3", **(defaults | options))

    @property
    def variables(self) -> dict[str, str]:
        """Return the config vars that point herokuify to this server, without the bucket's name."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_S3_ENDPOINT_URL": self.endpoint_url,
            "AWS_S3_REGION_NAME": self.region,
            "AWS_S3_ADDRESSING_STYLE": "path",
        }


@functools.cache
def client_of(server: S3Server) -> "S3Client":
    """Return the server's client; making one takes longer than most tests."""
    return server.client()


@contextmanager
def moto(log: Path, environment: dict[str, str]) -> Iterator[S3Server]:
    """Run moto's server mode on a port that the system chooses; its output goes to ``log``."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    # It runs none of herokuify's code, so measuring its coverage would only slow it down.
    own = {name: value for name, value in environment.items() if "COVERAGE" not in name}
    with processes.running(command, log, env=own) as process:
        address = re.compile(r"Running on (http://[\d.]+:\d+)")
        found = processes.wait_until(
            lambda: address.search(log.read_text(errors="replace")), process=process, log=log
        )
        assert found
        with urlopen(found[1], timeout=processes.SECONDS) as answer:  # it answers requests
            answer.read()
        yield S3Server("moto", found[1], "test-key", "test-secret")


def ceph() -> S3Server | None:
    """Return the Ceph gateway that the environment names, or None."""
    url = os.environ.get(CEPH_URL)
    return S3Server("ceph", url, "key", "secretsecret") if url else None


def remove_bucket(client: "S3Client", name: str) -> None:
    """Delete a bucket with its contents: versions, delete markers and unfinished uploads."""
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=name):
        for upload in page.get("Uploads", []):
            client.abort_multipart_upload(
                Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"]
            )
    for listing in client.get_paginator("list_object_versions").paginate(Bucket=name):
        for entry in [*listing.get("Versions", []), *listing.get("DeleteMarkers", [])]:
            client.delete_object(Bucket=name, Key=entry["Key"], VersionId=entry["VersionId"])
    client.delete_bucket(Bucket=name)
