"""Whether a response comes from S3: a proxy or another server may return 200 and store nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from herokuify.conf.addresses import is_aws, without_logins
from herokuify.s3.errors import NotS3Error

if TYPE_CHECKING:
    from herokuify.s3.destination import Destination

#: 32 hexadecimal digits, with the number of parts where there were some: all services that speak
#: S3 do so. In directory buckets Amazon has "random alphanumeric strings" (Amazon S3 API
#: Reference, "ObjectIdentifier").
_ETAG = re.compile(r'"[0-9A-Fa-f]{32}(-[0-9]+)?"')
_AMAZONS_ETAG = re.compile(r'"[0-9A-Za-z]+(-[0-9]+)?"')
#: Of objects that somebody else has written, Google Cloud Storage has other forms as well.
_READ_ETAG = re.compile(r'"(?:[0-9A-Fa-f]{32}(?:-[0-9]+)?|-?[0-9A-Za-z+/_]{12,}=*)"')
#: Answers without a body, and headers that they must have.
_HEADERS = {
    "PutObject": ("ETag",),
    "UploadPart": ("ETag",),
    "HeadObject": ("ETag", "Content-Length"),
    "GetObject": ("ETag",),
}
#: The root of an answer's XML, and an element that it must have.
_DOCUMENTS = {
    "CompleteMultipartUpload": ("CompleteMultipartUploadResult", "ETag"),
    "CopyObject": ("CopyObjectResult", "ETag"),
    "UploadPartCopy": ("CopyPartResult", "ETag"),
    "CreateMultipartUpload": ("InitiateMultipartUploadResult", "UploadId"),
    "DeleteObjects": ("DeleteResult", ""),
    "ListObjectsV2": ("ListBucketResult", ""),
    "ListParts": ("ListPartsResult", ""),
}
#: Of these the answer's status is the whole answer.
_STATUSES = {"PutObject": {200}, "UploadPart": {200}, "DeleteObject": {200, 204}}
#: The body is what was stored.
_PAYLOADS = {"GetObject", "GetBucketPolicy"}
_PAGE = re.compile(rb"\s*<(!doctype )?html\b", re.IGNORECASE)
_ROOT = re.compile(rb"\s*(?:<\?[^>]*>\s*)*<(?:\w+:)?(\w+)")


def refuse_others(events: Any, destination: Destination) -> None:
    """Make a botocore client raise NotS3Error for responses that don't come from S3."""

    def check(event_name: str, response_dict: Any, **_: Any) -> None:
        if response_dict is None:
            return
        name, body = event_name.rpartition(".")[2], response_dict["body"]
        status, headers = response_dict["status_code"], response_dict["headers"]
        try:
            confirm(destination, name, status, headers, b"" if name in _PAYLOADS else body)
        except NotS3Error:
            if hasattr(body, "close"):  # a stream that nobody will read
                body.close()
            raise

    # Before botocore reads it, and again before a retry: in between, botocore takes a success with
    # a page for a 500.
    events.register("before-parse.s3", check, unique_id="herokuify-before")
    events.register("response-received.s3", check, unique_id="herokuify-after")


def confirm(
    destination: Destination, operation: str, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    """Raise NotS3Error for a success or a redirect that doesn't come from S3; ignore errors."""
    fault = _fault(destination, operation, status, headers, body)
    if fault:
        raise NotS3Error(
            f"{destination.endpoint} answered {status} to {operation} {fault}, which is not a "
            "response from S3: a proxy or another service is at that address.",
            "Check AWS_S3_ENDPOINT_URL and AWS_S3_REGION_NAME.",
        )


def _fault(
    destination: Destination, operation: str, status: int, headers: Mapping[str, str], body: bytes
) -> str:
    if status == 304 or status >= 400 or _root(body) == "Error":
        return ""
    if status >= 300:
        is_s3s = any(name.lower().startswith("x-amz-") for name in headers)
        target = without_logins(headers.get("Location") or "") or "nowhere"
        return "" if is_s3s else f"with a redirect to {target}"
    etag = _AMAZONS_ETAG if is_aws(destination.endpoint_url) else _ETAG
    for name in _HEADERS.get(operation, ()):
        value = headers.get(name) or ""
        form = _READ_ETAG if operation in {"HeadObject", "GetObject"} else etag
        if not (value.isdecimal() if name == "Content-Length" else form.fullmatch(value)):
            return "without a valid ETag" if name == "ETag" else f"without {name}"
    if operation in _STATUSES and body.strip():
        return "with a page"
    if status not in _STATUSES.get(operation, {200} if operation in _DOCUMENTS else {status}):
        return "with another status than S3"
    return _document_fault(operation, etag, body)


def _document_fault(operation: str, etag: re.Pattern[str], body: bytes) -> str:
    expected, element = _DOCUMENTS.get(operation, ("", ""))
    if not expected:  # services say various things
        return "with a page" if _PAGE.match(body) else ""
    # moto calls one of them ListPartsResponse.
    if _root(body) not in {expected, expected.replace("Result", "Response")}:
        return f"without <{expected}>"
    if operation == "ListObjectsV2":  # it is large, and its reader parses it
        return ""
    return _element_fault(operation, etag, element, body)


def _element_fault(operation: str, etag: re.Pattern[str], element: str, body: bytes) -> str:
    try:
        document = ET.fromstring(body.strip())  # noqa: S314  (S3's own answer)
    except ET.ParseError:
        return ""  # cut on its way: botocore tries again
    found = {child.tag.rpartition("}")[2]: child.text or "" for child in document}
    value = found.get(element, "")
    if element == "ETag":
        # Ceph 16 leaves it empty when it completes an upload; its copies have it without quotes.
        is_completed = operation == "CompleteMultipartUpload" and {"ETag", "Key"} <= found.keys()
        if is_completed and not value:
            return ""
        return "" if etag.fullmatch(f'"{value.strip(chr(34))}"') else "without a valid ETag"
    return "" if value or not element else f"without {element}"


def _root(body: bytes) -> str:
    found = _ROOT.match(body)
    return found[1].decode() if found else ""
