"""Change the headers of an existing object, by copying it onto itself within S3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from herokuify.s3.destination import MOST_PARTS
from herokuify.s3.errors import is_denied, is_unsupported
from herokuify.s3.multipart import PartUpload

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

#: Bytes: "up to 5 GB in a single atomic action" (Amazon S3 API Reference, "CopyObject").
LARGEST_COPY = 5 * 1024**3
PART_SIZE = 512 * 1024**2  # bytes
#: Parameters that a copy with new headers would lose; a HEAD returns them.
KEPT = (
    *("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType"),
    *("Expires", "Metadata", "WebsiteRedirectLocation", "StorageClass"),
    *("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled"),
    *("ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus"),
)
_GRANTS = {
    "FULL_CONTROL": "GrantFullControl",
    "READ": "GrantRead",
    "READ_ACP": "GrantReadACP",
    "WRITE_ACP": "GrantWriteACP",
}


def rewrite(
    client: S3Client, bucket: str, key: str, head: Mapping[str, Any], changes: Mapping[str, Any]
) -> None:
    """Change some headers of an object; keep its metadata, encryption, class, ACL and tags.

    ``head`` is the response to a HEAD. On Amazon S3, an object that has changed since is not
    touched; moto and Ceph 16 ignore this condition. Raises botocore's errors.
    """
    address: Any = {"Bucket": bucket, "Key": key}
    source: Any = {"CopySource": {**address}, "CopySourceIfMatch": head["ETag"]}
    parameters: Any = {
        **{name: head[name] for name in KEPT if head.get(name) is not None},
        **_grants(client, address),
        **changes,
    }
    is_small = head["ContentLength"] <= LARGEST_COPY
    tags = _tags(client, address, is_copied=is_small)
    if is_small:
        client.copy_object(**address, **source, MetadataDirective="REPLACE", **parameters)
    else:
        if tags:
            parameters["Tagging"] = urlencode({tag["Key"]: tag["Value"] for tag in tags})
        _copy_in_parts(client, address, source, parameters, head["ContentLength"])
    # Amazon S3 copies the tags, Ceph doesn't.
    if tags and _tags(client, address, is_copied=True) != tags:
        client.put_object_tagging(**address, Tagging={"TagSet": tags})


def _tags(client: S3Client, address: Any, *, is_copied: bool) -> Any:
    """Return an object's tags; an empty list if they can't be read and S3 copies them itself."""
    from botocore.exceptions import ClientError

    try:
        return client.get_object_tagging(**address).get("TagSet", [])
    except ClientError as error:
        if is_unsupported(error) or (is_copied and is_denied(error)):
            return []
        raise


def _copy_in_parts(client: S3Client, address: Any, source: Any, parameters: Any, size: int) -> None:
    started = client.create_multipart_upload(**address, **parameters)
    address = {**address, "UploadId": started["UploadId"]}
    upload = PartUpload(client, address, concurrency=1, tick=lambda: None)
    part_size = max(PART_SIZE, -(-size // MOST_PARTS))
    try:
        for start in range(0, size, part_size):
            stop = min(start + part_size, size)
            upload.copy({**source, "CopySourceRange": f"bytes={start}-{stop - 1}"})
        upload.complete(upload.finish())
    except BaseException:
        upload.abort()
        raise


def _grants(client: S3Client, address: Any) -> dict[str, str]:
    """Return the grants in an object's ACL, which a copy would lose, unless only the owner's."""
    from botocore.exceptions import ClientError

    try:
        acl: Any = client.get_object_acl(**address)
    except ClientError as error:
        if is_unsupported(error) or (is_denied(error) and _is_without_acls(client, address)):
            return {}
        raise
    owner = acl.get("Owner", {}).get("ID")
    grants: dict[str, list[str]] = {}
    for grant in acl.get("Grants", ()):
        who = grant["Grantee"]
        grantee = f'uri="{who["URI"]}"' if "URI" in who else f'id="{who.get("ID")}"'
        grants.setdefault(_GRANTS[grant["Permission"]], []).append(grantee)
    if set(grants) <= {"GrantFullControl"} and grants.get("GrantFullControl") == [f'id="{owner}"']:
        return {}
    return {name: ", ".join(grantees) for name, grantees in grants.items()}


def _is_without_acls(client: S3Client, address: Any) -> bool:
    from botocore.exceptions import ClientError

    try:
        controls = client.get_bucket_ownership_controls(Bucket=address["Bucket"])
    except ClientError:
        return False
    rules = controls["OwnershipControls"]["Rules"]
    return bool(rules) and rules[0]["ObjectOwnership"] == "BucketOwnerEnforced"
