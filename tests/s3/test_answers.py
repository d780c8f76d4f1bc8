"""Responses that are not S3's, such as a login page, never count as success."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, assume, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from herokuify.s3 import upload as uploads
from herokuify.s3.client import RetryProfile, connect
from herokuify.s3.destination import Destination, Transfer
from herokuify.s3.errors import NotS3Error
from herokuify.s3.objects import Objects
from herokuify.s3.reader import StoredObject
from herokuify.s3.upload import Upload
from tests.replay import ERRORS, Document, Proxy
from tests.s3.test_sender import make_destination
from tests.servers import S3Server, client_of

pytestmark = pytest.mark.no_django

QUICK = RetryProfile(attempts=3, connect_timeout=5, read_timeout=10, longest_pause=0)
DIGEST = "0123456789abcdef0123456789abcdef"
PAGE = b"<html><body>Log in</body></html>"
BODIES = {
    "CompleteMultipartUpload": b"<CompleteMultipartUploadResult>%s</CompleteMultipartUploadResult>",
    "CopyObject": b"<CopyObjectResult>%s</CopyObjectResult>",
    "UploadPartCopy": b"<CopyPartResult>%s</CopyPartResult>",
}
#: Ceph's own response to a completion, which counts only if the object exists.
CEPHS = BODIES["CompleteMultipartUpload"] % b"<Key>a</Key><ETag/>"
#: Values that are not ETags of S3.
ETAGS = [
    *(None, "", '""', f'W/"{DIGEST}"', DIGEST, f'"{DIGEST[1:]}"', f'"{DIGEST}-"', '"5f3c5d2a-264"'),
    f'"{DIGEST}", "{DIGEST}"',
]
PAGES = [PAGE, b"<!doctype html><p>Log in", b"Welcome!", b"<ok/>", b"<html", b"{}"]
LOCATIONS = [None, "/login", "https://login.example.com/?next=/"]


@pytest.fixture
def multipart_destination(moto: S3Server, moto_bucket: str, proxy: Proxy) -> Destination:
    """A bucket behind the proxy, with a low threshold for multipart uploads."""
    return make_destination(
        moto, moto_bucket, proxy.url, transfer=Transfer(threshold=2**20, concurrency=2)
    )


def write(destination: Destination, operation: str, key: str, *, may_replace: bool) -> str:
    """Write an object with requests that include the operation."""
    is_large = operation in {"UploadPart", "CompleteMultipartUpload"}
    if is_large:
        destination = replace(destination, transfer=Transfer(threshold=1))
    upload = Upload(destination, QUICK, key, {}, may_replace=may_replace)
    if "Copy" not in operation:
        return upload.send(io.BytesIO(b"content"))
    address = {"Bucket": destination.bucket, "Key": "source"}
    head = connect(destination, QUICK).head_object(**address)  # type: ignore[arg-type]
    source = StoredObject(destination, QUICK, address, head["ETag"], head["ContentLength"])
    return upload.copy(source)


@st.composite
def answers(draw: st.DrawFn, operation: str) -> Document:
    """Success and redirect responses that S3 would not send."""
    status = draw(st.sampled_from([200, 200, 200, 201, 202, 204, 206, 301, 302, 307, 308]))
    etag = draw(st.sampled_from([*ETAGS, f'"{DIGEST}"', f'"{DIGEST}-2"']))
    headers = {} if etag is None else {"ETag": etag}
    if location := draw(st.sampled_from(LOCATIONS)):
        headers["Location"] = location
    right = b""
    if operation in BODIES:
        # There, ETags without quotes are valid: Ceph's copies have none.
        inner = draw(st.sampled_from(["", "<ETag/>", f'<ETag>W/"{DIGEST}"</ETag>']))
        right = BODIES[operation] % inner.encode()
    body = draw(st.sampled_from([*PAGES, right, right, b""]))
    if operation not in BODIES:
        assume(status != 200 or etag in ETAGS or body != right)
    if status in {204, 304}:
        body = b""
    return Document(ERRORS, body, status, headers)


@pytest.mark.parametrize(
    "operation",
    ["PutObject", "UploadPart", "CompleteMultipartUpload", "CopyObject", "UploadPartCopy"],
)
def test_upload_fails(
    multipart_destination: Destination,
    proxy: Proxy,
    moto: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
) -> None:
    if operation == "UploadPartCopy":
        monkeypatch.setattr(uploads, "LARGEST_COPY", 1)
    client = client_of(moto)
    client.put_object(Bucket=multipart_destination.bucket, Key="source", Body=b"source")
    # The proxy names copies after the requests that carry them.
    operation_of_request = {"CopyObject": "PutObject", "UploadPartCopy": "UploadPart"}.get(
        operation, operation
    )

    @hypothesis_settings(
        max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(answers(operation), st.booleans())
    @example(Document(ERRORS, b"", 200, {}), True)
    @example(Document(ERRORS, PAGE, 200, {"ETag": f'"{DIGEST}"'}), False)
    @example(Document(ERRORS, PAGE, 302, {"Location": "/login"}), False)
    @example(Document(ERRORS, CEPHS, 200, {}), False)
    def check(answer: Document, may_replace: bool) -> None:
        proxy.on(operation_of_request, answer)
        with pytest.raises(NotS3Error, match="AWS_S3_ENDPOINT_URL"):
            write(multipart_destination, operation, "a", may_replace=may_replace)
        with pytest.raises(ClientError, match="404"):
            client.head_object(Bucket=multipart_destination.bucket, Key="a")

    check()
    proxy.on(operation_of_request, None)
    assert write(multipart_destination, operation, "a", may_replace=False)


REQUESTS: dict[str, Callable[[Destination], Any]] = {
    "HeadObject": lambda destination: Objects(destination, QUICK).head("a", {}),
    "GetObject": lambda destination: connect(destination, QUICK).get_object(
        Bucket=destination.bucket, Key="a"
    ),
    "ListObjects": lambda destination: Objects(destination, QUICK).folder(""),
    "DeleteObject": lambda destination: Objects(destination, QUICK).delete("a"),
    "CreateMultipartUpload": lambda destination: write(
        destination, "UploadPart", "b", may_replace=True
    ),
}


@pytest.mark.parametrize("operation", REQUESTS)
@pytest.mark.parametrize(
    "answer",
    [
        *(Document(ERRORS, page, 200, {"Content-Type": "text/html"}) for page in PAGES),
        Document(ERRORS, PAGE, 200, {"ETag": '"5f3c5d2a-264"'}),
        Document(ERRORS, PAGE, 307),
        Document(ERRORS, PAGE, 302, {"Location": "https://user:hunter2@example.com/"}),
    ],
)
def test_other_requests_fail(
    multipart_destination: Destination,
    proxy: Proxy,
    moto: S3Server,
    operation: str,
    answer: Document,
) -> None:
    client_of(moto).put_object(Bucket=multipart_destination.bucket, Key="a", Body=b"a")
    proxy.on(operation, answer)
    with pytest.raises(NotS3Error, match="AWS_S3_ENDPOINT_URL") as caught:
        REQUESTS[operation](multipart_destination)
    assert "hunter2" not in str(caught.value)


def test_head_without_a_length_is_an_error(
    multipart_destination: Destination, proxy: Proxy
) -> None:
    proxy.on("HeadObject", Document(ERRORS, b"", 200, {"ETag": f'"{DIGEST}"'}))
    with pytest.raises(NotS3Error, match="without Content-Length"):
        Objects(multipart_destination, QUICK).head("a", {})
