"""Findings about databases, caches and mail servers: kinds of errors, and missing TLS."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping

from herokuify.conf.addresses import is_local
from herokuify.doctor.findings import Finding, Subject

SECONDS = 15.0  # for all probes of one service
CONNECT_TIMEOUT = 5  # seconds
_LONGEST = 300  # characters of a driver's message


class Trouble(enum.Enum):
    """The kind of a driver's error."""

    LOGIN = "login"
    TLS = "tls"
    HOST = "host"
    REFUSED = "refused"
    LIMIT = "limit"
    OTHER = "other"


#: The order matters: OpenSSL's messages contain hosts, and libpq's contain several of these words.
_SIGNS = (
    (Trouble.LIMIT, r"too many (clients|connections)|connection slots|max number of clients"),
    (
        Trouble.TLS,
        (
            r"certificate|\bssl\b|\btls\b|no encryption|wrong.version.number|starttls|handshake"
            r"|connection closed by server|auth extension not supported"
        ),
    ),
    (
        Trouble.LOGIN,
        r"\bauth|password|login|credentials|username|WRONGPASS|NOAUTH|role .* does not exist",
    ),
    (Trouble.HOST, r"translate host|name or service|getaddrinfo|name resolution|nodename"),
    (Trouble.REFUSED, r"refused|timed? ?out|timeout|unreachable|reset by peer|no route"),
)


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes."""
    known: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in known:
        known.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def trouble_of(error: BaseException) -> Trouble:
    """Classify an error by its message, because drivers have no classes for this."""
    text = " ".join(f"{type(one).__name__} {one}" for one in causes(error))
    for trouble, pattern in _SIGNS:
        if re.search(pattern, text, re.IGNORECASE):
            return trouble
    return Trouble.OTHER


def failure(
    subject: Subject, probe: str, error: BaseException, hints: Mapping[Trouble, str]
) -> Finding:
    """Return the finding for a driver's error."""
    words = " ".join(_text(error).split())
    text = words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"
    kind = type(error).__name__
    return subject.failed(
        probe, f"{kind}: {text}", hints.get(trouble_of(error), hints[Trouble.OTHER])
    )


def _text(error: BaseException) -> str:
    """Return the message of an error or of its cause; an SMTP server's is bytes."""
    for one in causes(error):
        answer = getattr(one, "smtp_error", None)
        text = answer.decode(errors="replace") if isinstance(answer, bytes) else str(one)
        if text:
            return text
    return "no message"


def reachable(
    subject: Subject, probe: str, what: str, host: str, tls: str | None, hint: str
) -> Finding:
    """Return the finding for a server that responds.

    ``tls`` describes the encryption: "" for none, None if it can't be determined. Without TLS,
    ``hint`` says how to enable it.
    """
    if tls:
        return subject.ok(probe, f"{what} responds over {tls}.")
    if tls is None or is_local(host):
        return subject.ok(probe, f"{what} responds.")
    return subject.warning(
        probe,
        f"{what} responds, but without TLS: anyone on the network path can read the traffic.",
        hint,
    )
