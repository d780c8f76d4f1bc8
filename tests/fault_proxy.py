"""Faults between a client and an S3 server, as rules for the proxy of `tests.replay`.

A rule decides what happens to each request; ``first_of`` combines rules.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.replay import SLOW_DOWN, Answer, Document, Fault, Proxy, Request, Rule

Verdict = Answer | Document | Fault | None
Matches = Callable[[Request], bool]

SINK = "Amazon S3 API Reference, 'PutObject'"


def is_put(request: Request) -> bool:
    """Whether the request writes an object, or a part of one."""
    return request.operation in {"PutObject", "UploadPart"}


def anything(request: Request) -> bool:
    """Match every request."""
    return True


def key_of(request: Request) -> str:
    """Return the object's key; the address is path-style."""
    return request.path.strip("/").partition("/")[2]


def first_of(*rules: Rule) -> Rule:
    """Apply the first rule that has an answer."""

    def rule(request: Request) -> Verdict:
        return next((fault for each in rules if (fault := each(request)) is not None), None)

    return rule


def always(answer: Verdict, matches: Matches = is_put) -> Rule:
    """Give this answer to every matching request."""
    return lambda request: answer if matches(request) else None


def for_keys(keys: Iterable[str], answer: Verdict) -> Rule:
    """Give this answer to every write of these keys."""
    wanted = set(keys)
    return lambda request: answer if is_put(request) and key_of(request) in wanted else None


def after(count: int, answer: Verdict, matches: Matches = is_put) -> Rule:
    """Let ``count`` matching requests pass, then give this answer to every request."""
    lock = threading.Lock()
    seen = 0

    def rule(request: Request) -> Verdict:
        nonlocal seen
        with lock:
            if seen >= count:
                return answer
            seen += matches(request)
            return None

    return rule


def shaky(seed: int, *, slow_down: float = 0.1, dropped: float = 0.05) -> Rule:
    """Refuse some requests at random and drop others: half of these after the server's work."""
    lock = threading.Lock()
    chance = random.Random(seed)

    def rule(request: Request) -> Verdict:
        with lock:
            draw = chance.random()
        if draw < slow_down:
            return SLOW_DOWN
        if draw < slow_down + dropped:
            return Fault.DROPPED if draw < slow_down + dropped / 2 else Fault.LOST
        return None

    return rule


def delayed(seconds: float, matches: Matches = anything) -> Rule:
    """Delay matching requests."""

    def rule(request: Request) -> None:
        if matches(request):
            time.sleep(seconds)

    return rule


@dataclass
class Silence:
    """Leaves requests unanswered after the first ``count`` writes; connections stay open."""

    count: int
    _end: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _seen: int = 0

    def __call__(self, request: Request) -> Verdict:
        with self._lock:
            if self._seen < self.count:
                self._seen += is_put(request)
                return None
        self._end.wait()
        return Fault.DROPPED

    def end(self) -> None:
        """Drop the unanswered requests, so that the proxy's threads end."""
        self._end.set()


def sink(request: Request) -> Verdict:
    """Answer as an empty bucket that accepts every write and stores nothing."""
    etag = {"ETag": '"0123456789abcdef0123456789abcdef"'}
    answers = {
        "CreateMultipartUpload": b"<InitiateMultipartUploadResult><UploadId>1</UploadId>"
        b"</InitiateMultipartUploadResult>",
        "CompleteMultipartUpload": b"<CompleteMultipartUploadResult>"
        b"<ETag>&quot;0123456789abcdef0123456789abcdef-2&quot;</ETag>"
        b"</CompleteMultipartUploadResult>",
        "ListObjects": b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
    }
    if request.operation == "GetObject":
        return Answer(SINK, 404, "NoSuchKey", "The specified key does not exist.")
    return Document(SINK, answers.get(request.operation, b""), headers=etag)


@dataclass(frozen=True)
class Traffic:
    """The requests that passed a proxy within a block, in order."""

    requests: list[Request]

    @property
    def operations(self) -> Counter[str]:
        """How often each operation was requested."""
        return Counter(request.operation for request in self.requests)

    @property
    def writes(self) -> list[str]:
        """The keys that were written, in order."""
        return [key_of(request) for request in self.requests if is_put(request)]


@contextmanager
def recorded(proxy: Proxy) -> Iterator[Traffic]:
    """Record the requests that pass the proxy within the block."""
    traffic = Traffic([])
    start = len(proxy.requests)
    try:
        yield traffic
    finally:
        traffic.requests.extend(proxy.requests[start:])
