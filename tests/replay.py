"""A proxy in front of an S3 server, for behavior that moto and Ceph don't have.

It gives answers that AWS documents, drops connections, or passes requests on; and it records the
requests. Each answer cites the title of the AWS document that it is taken from.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

ERRORS = "Amazon S3 API Reference, 'Error responses'"
DENIED = "Amazon S3 User Guide, 'Troubleshoot access denied (403 Forbidden) errors'"
OWNERSHIP = "Amazon S3 User Guide, 'Object Ownership: Troubleshooting'"
BLOCK = "Amazon S3 User Guide, 'Blocking public access to your Amazon S3 storage'"
ETAGS = "Amazon S3 API Reference, 'Object': the ETag under SSE-KMS is no MD5 of the object"

_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "date", "server", "expect"}


@dataclass(frozen=True)
class Request:
    """A client's request."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def operation(self) -> str:
        """The API's name of the operation, such as "PutObject"; addresses are path-style."""
        _, _, key = self.path.strip("/").partition("/")
        names = _OF_OBJECTS if key else _OF_BUCKETS
        for parameter in self.query:
            if (self.method, parameter) in names:
                return names[self.method, parameter]
        return names.get((self.method, ""), f"{self.method} {self.path}")


_OF_BUCKETS = {
    ("PUT", ""): "CreateBucket",
    ("HEAD", ""): "HeadBucket",
    ("GET", ""): "ListObjects",
    ("DELETE", ""): "DeleteBucket",
    ("GET", "policy"): "GetBucketPolicy",
    ("PUT", "policy"): "PutBucketPolicy",
    ("GET", "cors"): "GetBucketCors",
    ("PUT", "cors"): "PutBucketCors",
    ("GET", "acl"): "GetBucketAcl",
    ("GET", "lifecycle"): "GetBucketLifecycle",
    ("PUT", "lifecycle"): "PutBucketLifecycle",
    ("GET", "ownershipControls"): "GetBucketOwnershipControls",
    ("PUT", "ownershipControls"): "PutBucketOwnershipControls",
    ("GET", "versioning"): "GetBucketVersioning",
    ("PUT", "versioning"): "PutBucketVersioning",
    ("GET", "publicAccessBlock"): "GetPublicAccessBlock",
    ("PUT", "publicAccessBlock"): "PutPublicAccessBlock",
}
_OF_OBJECTS = {
    ("PUT", ""): "PutObject",
    ("HEAD", ""): "HeadObject",
    ("GET", ""): "GetObject",
    ("DELETE", ""): "DeleteObject",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("PUT", "partNumber"): "UploadPart",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
}


@dataclass(frozen=True)
class Answer:
    """An error as S3 sends it; ``source`` is the document that describes it."""

    source: str
    status: int
    code: str
    message: str
    elements: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """The XML that S3 sends, except in answer to a HEAD."""
        elements = {"Code": self.code, "Message": self.message, **self.elements}
        inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in elements.items())
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'.encode()


@dataclass(frozen=True)
class Document:
    """A success as S3 sends it, with an XML body."""

    source: str
    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Fault(Enum):
    """How a connection breaks."""

    DROPPED = "before the server receives the request"
    LOST = "after the server has processed the request, before it answers"
    CUT = "in the middle of the response's body"


Rule = Callable[[Request], "Answer | Document | Fault | None"]

SLOW_DOWN = Answer(ERRORS, 503, "SlowDown", "Please reduce your request rate.")
INTERNAL_ERROR = Answer(ERRORS, 500, "InternalError", "An internal error occurred. Try again.")
ACCESS_DENIED = Answer(ERRORS, 403, "AccessDenied", "Access Denied")
EXPIRED_TOKEN = Answer(ERRORS, 400, "ExpiredToken", "The provided token has expired.")
INVALID_TOKEN = Answer(ERRORS, 400, "InvalidToken", "The provided token is malformed or invalid.")
UNKNOWN_KEY = Answer(
    ERRORS,
    403,
    "InvalidAccessKeyId",
    "The AWS access key ID that you provided does not exist in our records.",
)
WRONG_SECRET = Answer(
    ERRORS,
    403,
    "SignatureDoesNotMatch",
    "The request signature that the server calculated does not match the one you provided.",
)
CLOCK_SKEW = Answer(
    ERRORS,
    403,
    "RequestTimeTooSkewed",
    "The difference between the request time and the server's time is too large.",
    {"MaxAllowedSkewMilliseconds": "900000"},
)
NO_ACLS = Answer(OWNERSHIP, 400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
OTHERS_BUCKET = Answer(
    ERRORS, 409, "BucketAlreadyExists", "The requested bucket name is not available."
)
OWN_BUCKET = Answer(ERRORS, 409, "BucketAlreadyOwnedByYou", "The bucket is owned by you already.")
CONFLICT = Answer(
    ERRORS,
    409,
    "OperationAborted",
    "A conflicting conditional operation is in progress against this resource. Try again.",
)
CONDITIONS = "Amazon S3 User Guide, 'How to prevent object overwrites with conditional writes'"
TAKEN = Answer(
    CONDITIONS,
    412,
    "PreconditionFailed",
    "At least one of the pre-conditions you specified did not hold",
)
CONTESTED = Answer(
    CONDITIONS,
    409,
    "ConditionalRequestConflict",
    "The conditional request cannot succeed due to a conflicting operation against this resource.",
)
NOT_IMPLEMENTED = Answer(
    ERRORS,
    501,
    "NotImplemented",
    "A header you provided implies functionality that is not implemented.",
)
NO_UPLOAD = Answer(ERRORS, 404, "NoSuchUpload", "The specified upload does not exist.")
INVALID_NAME = Answer(ERRORS, 400, "InvalidBucketName", "The specified bucket is not valid.")
INVALID_LOCATION = Answer(
    ERRORS, 400, "InvalidLocationConstraint", "The location constraint is not valid."
)
POLICY_BLOCKED = Answer(
    DENIED,
    403,
    "AccessDenied",
    "User: arn:aws:iam::123456789012:user/deploy is not authorized to perform: "
    's3:PutBucketPolicy on resource: "arn:aws:s3:::example" because public policies are '
    "prevented by the BlockPublicPolicy setting in S3 Block Public Access.",
)


def moved(region: str) -> Answer:
    """The answer to a request for a bucket of another region, at the wrong host."""
    return Answer(
        ERRORS,
        301,
        "PermanentRedirect",
        "The bucket must be addressed using the specified endpoint.",
        {"Endpoint": f"example.s3.{region}.amazonaws.com", "Bucket": "example"},
        {"x-amz-bucket-region": region},
    )


def wrong_region(signed: str, region: str) -> Answer:
    """The answer to a signature for another region than the bucket's."""
    return Answer(
        ERRORS,
        400,
        "AuthorizationHeaderMalformed",
        f"The authorization header is malformed; the region '{signed}' is wrong; "
        f"expecting '{region}'",
        {"Region": region},
        {"x-amz-bucket-region": region},
    )


def new_bucket_block(*, on: bool = True) -> Document:
    """The bucket's own Block Public Access settings; a new bucket has all four on."""
    text = str(on).lower()
    names = "BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"
    inner = "".join(f"<{name}>{text}</{name}>" for name in names)
    tag = "PublicAccessBlockConfiguration"
    return Document(BLOCK, f"<{tag}>{inner}</{tag}>".encode())


class Proxy:
    """The proxy's rules and the requests that it received; :func:`replay` runs it."""

    def __init__(self, url: str, upstream: str) -> None:
        self.url = url
        self.upstream = urlsplit(upstream)
        self.rule: Rule | None = None
        #: Whether ETags are no MD5, as with SSE-KMS (see ETAGS): the server's, reversed.
        self.has_kms_etags = False
        #: Whether conditional writes are unconditional, as on a service that doesn't support them.
        self.ignores_conditions = False
        self.requests: list[Request] = []
        self._answers: dict[str, Iterator[Answer | Document | Fault | None]] = {}

    @property
    def operations(self) -> list[str]:
        """The operations that were requested so far, in order."""
        return [request.operation for request in self.requests]

    def on(self, operation: str, *answers: Answer | Document | Fault | None) -> None:
        """Answer an operation with each of these in turn, then always with the last.

        None passes the request on to the server.
        """

        def sequence() -> Iterator[Answer | Document | Fault | None]:
            yield from answers
            while True:
                yield answers[-1]

        self._answers[operation] = sequence()

    def reset(self) -> None:
        """Forget the rules and the requests, for the next test."""
        self.rule = None
        self.has_kms_etags = self.ignores_conditions = False
        self.requests.clear()
        self._answers.clear()

    def decide(self, request: Request) -> Answer | Document | Fault | None:
        self.requests.append(request)
        if self.rule is not None:
            return self.rule(request)
        answers = self._answers.get(request.operation)
        return next(answers) if answers else None

    def forward(self, request: Request, target: str) -> tuple[int, list[tuple[str, str]], bytes]:
        """Pass the request on to the server as it is; returns status, headers and body."""
        assert self.upstream.hostname is not None
        connection = HTTPConnection(self.upstream.hostname, self.upstream.port, timeout=60)
        headers = {k: v for k, v in request.headers.items() if k not in _HOP_BY_HOP}
        headers["content-length"] = str(len(request.body))
        if self.ignores_conditions and request.method == "PUT":
            headers = {k: v for k, v in headers.items() if k not in {"if-match", "if-none-match"}}
        if self.has_kms_etags:
            request = replace(request, body=_with_reversed_etags(request.body))
            headers = {k: _reversed_etag(v) if k == "if-match" else v for k, v in headers.items()}
            headers["content-length"] = str(len(request.body))
        try:
            connection.request(request.method, target, request.body, headers)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        kept = [(k, v) for k, v in response.getheaders() if k.lower() not in _HOP_BY_HOP]
        if request.method == "HEAD":
            kept.append(("Content-Length", response.getheader("Content-Length") or "0"))
        if self.has_kms_etags:
            kept = [(k, _reversed_etag(v) if k.lower() == "etag" else v) for k, v in kept]
            if request.operation in {"ListObjects", "CompleteMultipartUpload"}:
                body = _with_reversed_etags(body)
        return response.status, kept, body


def _reversed_etag(etag: str) -> str:
    digest, dash, count = etag.strip('"').partition("-")
    return f'"{digest[::-1]}{dash}{count}"'


def _with_reversed_etags(body: bytes) -> bytes:
    """Return the body with each of its ETags reversed."""
    before, tag, rest = body.partition(b"<ETag>")
    if not tag:
        return body
    etag, end, after = rest.partition(b"</ETag>")
    quotes = etag.replace(b"&quot;", b'"').decode()
    return before + tag + _reversed_etag(quotes).encode() + end + _with_reversed_etags(after)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy
    timeout = 60

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:  # the client closed the connection, as some tests make it
            self.close_connection = True

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=unquote(parts.path),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )
        answer = self.proxy.decide(request)
        if answer is Fault.DROPPED:
            self.close_connection = True
            return
        if isinstance(answer, (Answer, Document)):
            headers = [("Content-Type", "application/xml"), *answer.headers.items()]
            self._send(answer.status, headers, b"" if self.command == "HEAD" else answer.body)
            return
        status, headers, body = self.proxy.forward(request, self.path)
        if answer is Fault.LOST:
            self.close_connection = True
            return
        if answer is Fault.CUT:
            self.close_connection = True
            self._send(status, headers, body, stop=len(body) // 2)
            return
        self._send(status, headers, body)

    def _send(
        self,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes,
        stop: int | None = None,
    ) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:stop])

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815 (the base class's names)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Write no log; tests read Proxy.requests."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextmanager
def replay(upstream: str) -> Iterator[Proxy]:
    """Run a proxy in front of the server at ``upstream``, in threads of this process."""

    class Handler(_Handler):
        """The handler of this proxy."""

    server = _Server(("127.0.0.1", 0), Handler)
    proxy = Handler.proxy = Proxy(f"http://127.0.0.1:{server.server_port}", upstream)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
