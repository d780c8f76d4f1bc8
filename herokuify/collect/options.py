"""What a run of the engine is asked for, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass, field

from herokuify.s3.client import RetryProfile
from herokuify.s3.destination import Destination


@dataclass(frozen=True)
class Target:
    """Where a release goes: below ``prefix`` (ends in a slash) of a bucket."""

    destination: Destination
    profile: RetryProfile
    prefix: str
    index_key: str
    has_manifest: bool
    #: Which keys this run's release decides about; the others belong to another command.
    in_scope: Callable[[str], bool]
    create_bucket: Callable[[], None] | None = None
    #: Asks for an object as a visitor does, by its name; raises when nobody could read it.
    confirm_public: Callable[[str], None] | None = None
    #: Whose release it is, of several apps that share the location.
    owner: str = ""
    #: Keys, in order, many of which may be in the bucket.
    expected: Sequence[str] = ()


@dataclass(frozen=True)
class Options:
    """What the caller asks for beyond publishing."""

    is_dry_run: bool = False
    clear: bool = False
    prune_days: float | None = None


@dataclass
class Outcome:
    """What happened, or with a dry run what would have."""

    sent: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    #: Of the collected files, those that were hashed.
    post_processed: list[str] = field(default_factory=list)
    sent_bytes: int = 0
    requests: int = 0
    #: Why nothing was removed, though the options ask for it; "" when all was that may be.
    kept_because: str = ""

    def after(self, earlier: Outcome | None) -> Outcome:
        """Return this summary with what the run before the restart has sent."""
        if earlier is None:
            return self
        sent = list(dict.fromkeys([*earlier.sent, *self.sent]))
        return Outcome(
            sent=sent,
            unchanged=[name for name in self.unchanged if name not in set(sent)],
            removed=[*earlier.removed, *self.removed],
            post_processed=self.post_processed,
            sent_bytes=earlier.sent_bytes + self.sent_bytes,
            requests=earlier.requests + self.requests,
            kept_because=self.kept_because,
        )


class PublishError(Exception):
    """Some files could not be sent; nothing that refers to them was published."""

    def __init__(self, failures: dict[str, BaseException]) -> None:
        super().__init__(f"{_count(failures, 'file')} could not be sent")
        self.failures = failures


class VanishedError(Exception):
    """Another run has removed objects that this release needs: it must start again."""


class RemoveError(Exception):
    """Some objects could not be removed; the release itself is published."""

    def __init__(self, codes: dict[str, str]) -> None:
        super().__init__(f"{_count(codes, 'object')} could not be removed")
        self.codes = codes


def _count(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"
