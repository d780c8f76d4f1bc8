"""A project with files in a bucket, and the doctor's findings on it."""

import io
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from tests import certificates
from tests.doctor.diagnosis import Diagnosis
from tests.servers import S3Server, client_of

MEDIA = "herokuify.storage.S3MediaStorage"
STATIC = "herokuify.storage.S3StaticStorage"
MANIFEST = "herokuify.storage.CachedS3ManifestStaticStorage"
HOST = "www.example.com"
#: Parts of the secrets of servers and tests, which no output may contain.
SECRETS = ("secretsecret", "test-secret", "marked-")

Diagnose = Callable[[], Diagnosis]


@pytest.fixture
def diagnose(settings: Settings) -> Diagnose:
    """Run the command in this process and return its findings."""
    settings.ALLOWED_HOSTS = [HOST]

    def diagnose() -> Diagnosis:
        output = io.StringIO()
        try:
            call_command("herokuify", "doctor", "--json", stdout=output)
        except CommandError as error:
            complaint = str(error)
        else:
            complaint = ""
        text = output.getvalue()
        for secret in SECRETS:
            assert secret not in text + complaint
        diagnosis = Diagnosis.parse(text)
        assert bool(complaint) == diagnosis.is_broken, complaint
        return diagnosis

    return diagnose


@pytest.fixture
def s3_storages(name_storages: Callable[..., None]) -> None:
    """Media files and static files on S3."""
    name_storages(default=MEDIA, staticfiles=STATIC)


def policy(server: S3Server, bucket: str, *statements: dict[str, Any]) -> None:
    """Set the bucket's policy; resources are paths in the bucket."""
    root = f"arn:aws:s3:::{bucket}"
    written = [
        {
            "Principal": "*",
            **statement,
            "Resource": [f"{root}/{path}" if path else root for path in statement["Resource"]],
        }
        for statement in statements
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": written})
    client_of(server).put_bucket_policy(Bucket=bucket, Policy=document)


PUBLIC: dict[str, Any] = {
    "Effect": "Allow",
    "Action": "s3:GetObject",
    "Resource": ["static/*"],
}


def allow_fonts(server: S3Server, bucket: str, *origins: str) -> None:
    """Set a CORS rule that lets pages of these origins use fonts."""
    rule: Any = {"AllowedMethods": ["GET", "HEAD"], "AllowedOrigins": list(origins)}
    client_of(server).put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})


def deny(action: str, *paths: str) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": list(paths)}


@pytest.fixture
def ready(aws: S3Server, bucket: str, s3_storages: None) -> S3Server:
    """Each server in turn; its bucket is as after `herokuify bucket --apply`."""
    policy(aws, bucket, PUBLIC)
    allow_fonts(aws, bucket, f"https://{HOST}")
    return aws


def contents(server: S3Server, bucket: str) -> list[tuple[str, ...]]:
    """Return everything in a bucket: versions, delete markers, unfinished uploads."""
    client = client_of(server)
    found: Any = client.list_object_versions(Bucket=bucket)
    uploads: Any = client.list_multipart_uploads(Bucket=bucket)
    return sorted(
        (kind, entry["Key"], entry.get("VersionId", ""), entry.get("ETag", ""))
        for kind, entries in (
            ("version", found.get("Versions", ())),
            ("marker", found.get("DeleteMarkers", ())),
            ("upload", uploads.get("Uploads", ())),
        )
        for entry in entries
    )


@pytest.fixture
def tls_url(tmp_path: Path) -> Iterator[str]:
    """The URL of a server whose certificate isn't trusted."""
    certificate, key = certificates.make("openssl", tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                super().handle()

        def setup(self) -> None:
            self.request.settimeout(5)
            with suppress(OSError):
                self.request = context.wrap_socket(self.request, server_side=True)
            super().setup()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
