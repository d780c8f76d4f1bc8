"""A project whose files lie in a bucket, and its diagnosis."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from tests.doctor.diagnosis import Diagnosis
from tests.replay import Proxy
from tests.servers import S3Server
from tests.storage.conftest import (
    Connect,
    aws,
    bucket,
    bucket_name,
    client_of,
    connect,
    local_root,
    moto_bucket,
    name_storages,
    proxied,
    proxy,
)

__all__ = [
    *("aws", "bucket", "bucket_name", "connect", "local_root", "moto_bucket", "name_storages"),
    *("proxied", "proxy"),
]
MEDIA = "herokuify.storage.S3MediaStorage"
STATIC = "herokuify.storage.S3StaticStorage"
MANIFEST = "herokuify.storage.CachedS3ManifestStaticStorage"
HOST = "www.example.com"
#: The secrets of the servers that the tests use, and those that they mark.
SECRETS = ("secretsecret", "test-secret", "marked-")

Diagnose = Callable[[], Diagnosis]


@pytest.fixture
def diagnose(settings: Settings) -> Diagnose:
    """Run the command in this process: ``diagnose()``."""
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
        assert bool(complaint) == bool(diagnosis.failed), complaint
        return diagnosis

    return diagnose


@pytest.fixture
def site(name_storages: Callable[..., None]) -> None:
    """Media and static files on S3."""
    name_storages(default=MEDIA, staticfiles=STATIC)


def policy(server: S3Server, bucket: str, *statements: dict[str, Any]) -> None:
    """Put a bucket policy; resources are paths in the bucket."""
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
    """Put a CORS rule."""
    rule: Any = {"AllowedMethods": ["GET", "HEAD"], "AllowedOrigins": list(origins)}
    client_of(server).put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})


def deny(action: str, *paths: str) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": list(paths)}


@pytest.fixture
def ready(aws: S3Server, bucket: str, site: None) -> S3Server:
    """Each server in turn, its bucket as `herokuify bucket` makes it."""
    policy(aws, bucket, PUBLIC)
    allow_fonts(aws, bucket, f"https://{HOST}")
    return aws


def contents(server: S3Server, bucket: str) -> list[tuple[str, ...]]:
    """All that a bucket holds: versions, delete markers, unfinished uploads."""
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


def pass_through(proxied: Proxy) -> None:
    """Forget what the proxy was told to answer."""
    proxied.rule = None
