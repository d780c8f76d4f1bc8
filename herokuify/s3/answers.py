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

#: 32 hexadecimal digits, followed by the number of parts of a multipart upload. In Amazon's
#: directory buckets, ETags are "random alphanumeric strings" (Amazon S3 API Reference,
#: "ObjectIdentifier").
_ETAG = re.compile(r'"[0-9A-Fa-f]{32}(-[0-9]+)?"')
_AMAZONS_ETAG = re.compile(r'"[0-9A-Za-z]+(-[0-9]+)?"')
#: Google Cloud Storage also uses other forms, for objects that other clients wrote.
_READ_ETAG = re.compile(r'"(?:[0-9A-Fa-f]{32}(?:-[0-9]+)?|-?[0-9A-Za-z+/_]{12,}=*)"')
#: Operation → headers that its response must have.
_HEADERS = {
    "PutObject": ("ETag",),
    "UploadPart": ("ETag",),
    "HeadObject": ("ETag", "Content-Length"),
    "GetObject": ("ETag",),
}
#: Operation → the root of its response's XML, and a child element that it must have.
_DOCUMENTS = {
    "CompleteMultipartUpload": ("CompleteMultipartUploadResult", "ETag"),
    "CopyObject": ("CopyObjectResult", "ETag"),
    "UploadPartCopy": ("CopyPartResult", "ETag"),
    "CreateMultipartUpload": ("InitiateMultipartUploadResult", "UploadId"),
    "DeleteObjects": ("DeleteResult", ""),
    "ListObjectsV2": ("ListBucketResult", ""),
    "ListParts": ("ListPartsResult", ""),
}
#: Operations whose responses have no body, and their possible statuses.
_STATUSES = {"PutObject": {200}, "UploadPart": {200}, "DeleteObject": {200, 204}}
#: Operations whose response body is stored data, which may have any content.
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
            if hasattr(body, "close"):  # a stream
                body.close()
            raise

    # Check before botocore parses the response, and again before it decides on a retry: in
    # between, botocore turns a successful response with an unexpected body into a 500.
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
        return "with a status that S3 doesn't use"
    return _document_fault(operation, etag, body)


def _document_fault(operation: str, etag: re.Pattern[str], body: bytes) -> str:
    expected, element = _DOCUMENTS.get(operation, ("", ""))
    if not expected:  # responses to other operations vary between services
        return "with a page" if _PAGE.match(body) else ""
    # moto's root element for ListParts is ListPartsResponse.
    if _root(body) not in {expected, expected.replace("Result", "Response")}:
        return f"without <{expected}>"
    if operation == "ListObjectsV2":  # large, and parsed by its reader anyway
        return ""
    return _element_fault(operation, etag, element, body)


def _element_fault(operation: str, etag: re.Pattern[str], element: str, body: bytes) -> str:
    try:
        document = ET.fromstring(body.strip())  # noqa: S314  (S3's own answer)
    except ET.ParseError:
        return ""  # truncated in transit: botocore retries
    found = {child.tag.rpartition("}")[2]: child.text or "" for child in document}
    value = found.get(element, "")
    if element == "ETag":
        # Ceph 16: empty for completed uploads, without quotes for copies.
        is_completed = operation == "CompleteMultipartUpload" and {"ETag", "Key"} <= found.keys()
        if is_completed and not value:
            return ""
        return "" if etag.fullmatch(f'"{value.strip(chr(34))}"') else "without a valid ETag"
    return "" if value or not element else f"without {element}"


def _root(body: bytes) -> str:
    found = _ROOT.match(body)
    return found[1].decode() if found else ""
