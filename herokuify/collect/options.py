"""The input and the result of the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass, field

from herokuify.s3.client import RetryProfile
from herokuify.s3.destination import Destination


@dataclass(frozen=True)
class Target:
    """Where a release goes: below ``prefix``, which ends in a slash, in a bucket."""

    destination: Destination
    profile: RetryProfile
    prefix: str
    index_key: str
    has_manifest: bool
    #: Whether this run may supersede a key; the others belong to another command.
    in_scope: Callable[[str], bool]
    create_bucket: Callable[[], None] | None = None
    #: Called with the key of an object; raises if visitors can't read it.
    confirm_public: Callable[[str], None] | None = None
    #: Identifies the app, among apps that share the location.
    owner: str = ""
    #: Sorted keys that probably exist; see ``Listing``.
    expected: Sequence[str] = ()


@dataclass(frozen=True)
class Options:
    """The command's options."""

    is_dry_run: bool = False
    clear: bool = False
    prune_days: float | None = None


@dataclass
class Outcome:
    """What happened, or in a dry run, what would have happened. Lists contain names."""

    sent: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    #: Collected files that were hashed.
    post_processed: list[str] = field(default_factory=list)
    sent_bytes: int = 0
    requests: int = 0
    #: Why nothing was removed although the options select it; "" if nothing prevented it.
    kept_because: str = ""

    def after(self, earlier: Outcome | None) -> Outcome:
        """Return the sum of this outcome and that of the run before a restart."""
        if earlier is None:
            return self
        sent = dict.fromkeys([*earlier.sent, *self.sent])
        return Outcome(
            sent=[*sent],
            unchanged=[name for name in self.unchanged if name not in sent],
            removed=[*earlier.removed, *self.removed],
            post_processed=self.post_processed,
            sent_bytes=earlier.sent_bytes + self.sent_bytes,
            requests=earlier.requests + self.requests,
            kept_because=self.kept_because,
        )


class PublishError(Exception):
    """Some files could not be sent; later stages were not published."""

    def __init__(self, failures: dict[str, BaseException]) -> None:
        super().__init__(f"{_count(failures, 'file')} could not be sent")
        self.failures = failures


class VanishedError(Exception):
    """Another run has removed objects that this release needs, so it must start again."""


class RemoveError(Exception):
    """Some objects could not be removed; the release itself is published."""

    def __init__(self, codes: dict[str, str]) -> None:
        super().__init__(f"{_count(codes, 'object')} could not be removed")
        self.codes = codes


def _count(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"
