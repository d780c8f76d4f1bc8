"""The current state of a bucket, read with one request for each aspect."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from herokuify.conf.addresses import is_aws
from herokuify.exceptions import S3ConfigurationError
from herokuify.s3.bucket import DEFAULT_REGIONS
from herokuify.s3.client import method_of
from herokuify.s3.destination import Destination
from herokuify.s3.errors import (
    code_of,
    explain,
    failures,
    is_denied,
    is_unsupported,
    moved,
    permission_of,
    status_of,
    translate,
    translated,
)

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

#: S3's error codes for something that was never set (Amazon S3 API Reference).
_UNSET = {
    "NoSuchBucketPolicy",
    "NoSuchCORSConfiguration",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "OwnershipControlsNotFoundError",
}
#: The ownership of a bucket without ownership controls ("GetBucketOwnershipControls").
WITH_ACLS = "ObjectWriter"
WITHOUT_ACLS = "BucketOwnerEnforced"


@dataclass(frozen=True)
class Current:
    """The current state of a bucket; None for what the service doesn't support."""

    exists: bool = False
    block: Mapping[str, bool] | None = None  # on public access: flag → on
    ownership: str | None = None
    grants: Sequence[str] = ()  # what the bucket's ACL grants to others; only with ACLs
    policy: Mapping[str, Any] | None = None
    cors: Sequence[Mapping[str, Any]] | None = None
    lifecycle: Sequence[Mapping[str, Any]] | None = None
    lifecycle_options: Mapping[str, Any] | None = None  # which a new lifecycle must repeat
    versioning: str | None = None  # "Enabled", "Suspended", or "" if it was never enabled


#: A bucket that doesn't exist, on a service that is assumed to support everything.
NOTHING = Current(block={}, ownership=WITH_ACLS, policy={}, cors=(), lifecycle=(), versioning="")


def read(client: S3Client, destination: Destination, *, versioning: bool) -> Current:
    """Return a bucket's state, or ``NOTHING`` if it doesn't exist; versioning only if requested.

    Raises S3ConfigurationError, which names all missing permissions, or the bucket's region.
    """
    if not _exists(client, destination):
        return NOTHING
    reader = _Reader(client, destination)
    no_block = {"BlockPublicAcls": False}
    block = reader.ask("GetPublicAccessBlock", "PublicAccessBlockConfiguration", no_block)
    controls = reader.ask("GetBucketOwnershipControls", "OwnershipControls", {"Rules": ()})
    ownership = _ownership(controls)
    has_acls = ownership not in {None, WITHOUT_ACLS}
    lifecycle = reader.answer("GetBucketLifecycleConfiguration", {"Rules": []})
    current = Current(
        exists=True,
        block=block or None,
        ownership=ownership,
        grants=_grants(reader.answer("GetBucketAcl", {})) if has_acls else (),
        policy=_policy(reader.ask("GetBucketPolicy", "Policy", "{}")),
        cors=reader.ask("GetBucketCors", "CORSRules", []),
        lifecycle=None if lifecycle is None else lifecycle.get("Rules"),
        lifecycle_options={
            name: value for name, value in (lifecycle or {}).items() if name != "Rules"
        },
        versioning=_versioning(reader.answer("GetBucketVersioning", {})) if versioning else "",
    )
    reader.check()
    return current


def _exists(client: S3Client, destination: Destination) -> bool:
    with translated(destination):
        try:
            head: Any = client.head_bucket(Bucket=destination.bucket)
        except failures() as error:
            if status_of(error) == 404:
                return False
            if status_of(error):
                # The response to a HEAD has no body, and so no error code.
                client.list_objects_v2(Bucket=destination.bucket, MaxKeys=1)
            raise
    check_region(destination, client.meta.region_name, head["ResponseMetadata"]["HTTPHeaders"])
    return True


def check_region(destination: Destination, region: str | None, headers: Mapping[str, str]) -> None:
    """Raise S3ConfigurationError if a response of AWS names another region.

    boto3 follows the redirect silently, but signed URLs would fail. Other services accept any
    region.
    """
    asked = "us-east-1" if region in DEFAULT_REGIONS else region
    actual = headers.get("x-amz-bucket-region")
    endpoint = None if "://" not in destination.endpoint else destination.endpoint
    if actual and actual != asked and is_aws(endpoint):
        raise moved(destination, actual)


class _Reader:
    """Sends requests, and collects those that were denied."""

    def __init__(self, client: S3Client, destination: Destination) -> None:
        self._client = client
        self._destination = destination
        self._denied: list[Any] = []

    def answer(self, operation: str, unset: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return S3's response, ``unset`` if nothing is set, or None if it is not supported."""
        try:
            answer: Any = method_of(self._client, operation)(Bucket=self._destination.bucket)
        except failures() as error:
            if code_of(error) in _UNSET:
                return unset
            if is_denied(error):
                self._denied.append(error)
                return None
            meaning = explain(error, self._destination)
            # Services that don't support the request refuse it in many ways.
            is_explained = isinstance(meaning, S3ConfigurationError)
            if is_unsupported(error) or (not is_explained and status_of(error) in {400, 404}):
                return None
            raise meaning from error
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    def ask(self, operation: str, member: str, unset: Any) -> Any:
        """Return a member of S3's response.

        It is None if a service confuses the request with another: Ceph 16 lists the bucket when it
        is asked for the ownership.
        """
        answer = self.answer(operation, {member: unset})
        return None if answer is None else answer.get(member)

    def check(self) -> None:
        """Raise S3ConfigurationError for everything that was denied."""
        if self._denied:
            first, *others = [permission_of(error.operation_name) for error in self._denied]
            missing = f"{first} (and {', '.join(others)})" if others else first
            raise translate(self._denied[0], self._destination, missing, "") from self._denied[0]


def _ownership(controls: Any) -> str | None:
    rules = None if controls is None else controls.get("Rules")
    if rules is None:
        return None
    return str(rules[0]["ObjectOwnership"]) if rules else WITH_ACLS


def _grants(acl: Mapping[str, Any] | None) -> list[str]:
    owner = (acl or {}).get("Owner", {}).get("ID")
    grants = []
    for grant in (acl or {}).get("Grants", ()):
        grantee = grant.get("Grantee", {})
        if owner is None or grantee.get("ID") != owner:
            who = grantee.get("URI", "").rpartition("/")[2] or grantee.get("DisplayName")
            grants.append(f"{grant.get('Permission')} to {who or 'another account'}")
    return grants


def _policy(text: str | None) -> Mapping[str, Any] | None:
    try:
        policy = None if text is None else json.loads(text)
    except ValueError:  # the service has confused the request with another
        return None
    return policy if isinstance(policy, dict) else None


def _versioning(answer: Mapping[str, Any] | None) -> str | None:
    return None if answer is None else str(answer.get("Status", ""))
