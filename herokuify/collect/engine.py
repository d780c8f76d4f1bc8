"""The pipeline: local → remote → plan → upload → publish."""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import cached_property, partial
from sys import intern
from typing import TYPE_CHECKING, TypeVar

from herokuify.collect import plan, remote
from herokuify.collect.inactivity import InactivityError, InactivityTimeout
from herokuify.collect.index import Entry
from herokuify.collect.listing import Listing
from herokuify.collect.local import LocalFile, Stage
from herokuify.collect.options import (
    Options,
    Outcome,
    PublishError,
    RemoveError,
    Target,
    VanishedError,
)
from herokuify.collect.plan import Action
from herokuify.collect.remote import BucketMissingError, Remote
from herokuify.collect.report import Progress
from herokuify.collect.upload import Uploader
from herokuify.s3.client import connect
from herokuify.s3.threads import Threads

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import DeleteTypeDef

ResultT = TypeVar("ResultT")

ANNOUNCEMENTS = 5  # attempts, each after another run has written the index
DELETE_AT_ONCE = 1000  # keys that one DeleteObjects request takes
#: What may wait for the listing: files, and bytes of contents that exist in memory alone.
UNDECIDED = 1000
UNDECIDED_BYTES = 8 * 1024 * 1024


class Collection:
    """One run: ``add`` files as they are found and hashed, then ``publish``.

    Hashing goes on while S3 is still listing what it has, and uploads start while later
    files are still being hashed. Files that change what visitors see wait in ``publish``
    for their stage, and each stage for the success of the one before.
    """

    def __init__(self, target: Target, options: Options, progress: Progress) -> None:
        self._target = target
        self._options = options
        self._progress = progress
        self._client = connect(target.destination, target.profile)
        self._bucket = target.destination.bucket
        self._reader = Threads(1)
        self._timeout = InactivityTimeout()
        listing = Listing(self._client, self._bucket, target.prefix, self._timeout, target.expected)
        self._reading: Future[Remote] = self._reader.submit(
            lambda: remote.read(listing, target.index_key)
        )
        self._uploader = Uploader(target.destination, target.profile, tick=self._show)
        # Without the contents, which would add up to the whole release; the ETags of those
        # that are sent are known later.
        self._files: dict[str, Entry] = {}
        self._asked: dict[str, str] = {}  # names
        self._undecided: list[LocalFile] = []
        self._undecided_bytes = 0
        self._waiting: dict[Stage, list[tuple[LocalFile, Action]]] = defaultdict(list)
        self._expected = 0
        self._has_announced = False
        self.outcome = Outcome()

    def close(self) -> None:
        """Release threads and connections."""
        self._reader.close()
        self._uploader.close()
        self._progress.end()

    def add(self, file: LocalFile) -> None:
        """Take a file of the release; the first one of a key counts."""
        if file.key in self._files:
            return
        self._files[intern(file.key)] = Entry("", file.content.digest, file.fingerprint)
        self._progress.collected += 1
        if self._can_wait():
            # What waits must not hold the bytes of all files.
            waiting = replace(file, content=file.content.without_data())
            self._undecided.append(waiting)
            self._undecided_bytes += len(waiting.content.data or b"")
        else:
            self._decide_undecided()
            self._decide(file)

    def _can_wait(self) -> bool:
        return not self._reading.done() and (
            len(self._undecided) < UNDECIDED and self._undecided_bytes < UNDECIDED_BYTES
        )

    def _decide_undecided(self) -> None:
        undecided, self._undecided = self._undecided, []
        for file in undecided:
            self._decide(file)

    def _decide(self, file: LocalFile) -> None:
        action = plan.decide(file, self._remote)
        if action is Action.KEEP:
            self._files[file.key] = self._remote.entries[file.key]
            self.outcome.unchanged.append(file.name)
            self._progress.unchanged += 1
        elif self._options.is_dry_run:
            self.outcome.sent.append(file.name)
        elif self._stage(file) is Stage.HASHED:
            self._send(file, action)
        else:
            waiting = replace(file, content=file.content.without_data())
            self._waiting[file.stage].append((waiting, action))

    @cached_property
    def _remote(self) -> Remote:
        try:
            return self._timeout.wait(self._reading)
        except BucketMissingError as error:
            if self._target.create_bucket is None:
                raise error.__cause__ from None  # type: ignore[misc]
            # Here, and not in a thread, which the interpreter's end would cut in the middle.
            self._target.create_bucket()
            return Remote(requests=2)

    def _stage(self, file: LocalFile) -> Stage:
        # Without a manifest every name is a lasting one. New files disturb nobody, and must
        # be there before a changed file refers to them.
        is_new = file.key not in self._remote.objects
        if is_new and file.stage is Stage.PLAIN and not self._target.has_manifest:
            return Stage.HASHED
        return file.stage

    def _send(self, file: LocalFile, action: Action) -> None:
        self._expected += 1
        if action is Action.ASK:
            self._asked[file.key] = file.name
        else:
            self.outcome.sent.append(file.name)
        self._uploader.submit(file, ask=action is Action.ASK)
        self._show()

    def _show(self) -> None:
        self._progress.show(len(self._uploader.sent), self._expected)

    def publish(self) -> None:
        """Send what waits, each stage after the success of the one before.

        Raises PublishError after the first stage in which a file could not be sent, and
        VanishedError when another run has removed what this one needs.
        """
        self._decide_undecided()
        for stage in Stage:
            if stage is Stage.MANIFEST_COPY and not self._options.is_dry_run:
                self._confirm()
            if stage is Stage.MANIFEST and self._has_announced:
                # Where conditions are ignored, another run may not have seen the announcement.
                self._look_again()
                self._announce()
            for file, action in self._waiting.pop(stage, ()):
                self._send(file, action)
            self._uploader.drain()
            if self._uploader.failures:
                raise PublishError(self._uploader.failures)
        sent = self._uploader.sent
        for key, name in self._asked.items():
            kept_or_sent = self.outcome.unchanged if sent[key].is_kept else self.outcome.sent
            kept_or_sent.append(name)
        self.outcome.sent_bytes = sum(one.size for one in sent.values())
        self.outcome.requests += self._uploader.requests + self._remote.requests

    def _confirm(self) -> None:
        """See to it that all that a manifest names is there, and can be read by visitors."""
        # Where nothing was sent, an earlier run has asked: else the index would not know it.
        if self._target.confirm_public is not None and self._uploader.sent:
            self.outcome.requests += 1
            self._target.confirm_public(next(iter(self._uploader.sent)))
        self._look_again()
        self._announce()

    def _announce(self) -> None:
        """Tell other runs what this one needs of what is superseded; they ask before removing."""
        for _ in range(ANNOUNCEMENTS):
            revived = (self._remote.entries.get(key) for key in self._files)
            if not any(entry and entry.superseded is not None for entry in revived):
                return
            there = {key: entry for key, entry in self._release().items() if entry.etag}
            etag = self._save({**self._remote.entries, **there}, replaces=self._remote.etag)
            self._has_announced = True
            if etag is None:
                self._look_again()
                continue
            self._list_again()
            if not etag:
                return

    def _look_again(self) -> None:
        """Notice other runs; raises VanishedError when they have removed what this one needs."""
        self.outcome.requests += 1
        index = self._ask(lambda: self._look(self._remote.etag))
        if index is not None or self._remote.is_removing:
            self._list_again()

    def _look(self, etag: str) -> remote.Index | None:
        return remote.look(self._client, self._bucket, self._target.index_key, etag)

    def _list_again(self) -> None:
        key = self._target.index_key
        self._ask(lambda: remote.wait_for_removal(self._client, self._bucket, key, self._timeout))
        listing = Listing(
            self._client, self._bucket, self._target.prefix, self._timeout, self._target.expected
        )
        again = self._ask(lambda: remote.read(listing, key))
        self.outcome.requests += again.requests
        sent = self._uploader.sent
        needed = {key for key, entry in self._files.items() if entry.etag or key in sent}
        if needed - again.objects.keys():
            raise VanishedError
        self._remote = replace(again, requests=self._remote.requests)

    def prune_and_save_index(self) -> None:
        """Remove what the options name, then remember the release in the index.

        Nothing is removed that another run has put into force meanwhile. Raises VanishedError
        when another run has removed what this one needs.
        """
        now = int(time.time())
        removable = self._removable(now)
        if self._options.is_dry_run:
            self.outcome.removed = self._names(removable)
            return
        is_known = self._next_index(now) == self._remote.entries
        if not (removable or self._has_announced) and is_known:
            return
        try:
            self._look_again()
        except InactivityError as error:  # raised here: the thread is still waiting
            remote.warn(self._bucket, self._target.index_key, str(error))
            return
        removable = self._removable(now)
        refused: dict[str, str] = {}
        if removable and self._may_remove(now):
            refused = self._remove(removable)
            removed = [key for key in removable if key not in refused]
            self.outcome.removed = self._names(removed)
            # Where conditions are ignored, another run may have announced something meanwhile.
            self.outcome.requests += 1
            index = self._ask(lambda: self._look(self._remote.etag))
            if index is not None:
                self._remote = replace(self._remote, entries=index.entries)
            self._save(self._next_index(now, removed))
        elif removable or self._next_index(now) != self._remote.entries:
            self._save(self._next_index(now))
        if refused:
            raise RemoveError(refused)

    def _may_remove(self, now: int) -> bool:
        """Tell other runs that objects will go, and whether none has spoken since."""
        etag = self._save(
            self._next_index(now), replaces=self._remote.etag, removing=secrets.token_hex(8)
        )
        key = self._target.index_key
        if etag == "":
            self.outcome.kept_because = f"the index s3://{self._bucket}/{key} can't be written"
            return False
        if etag is not None:
            self.outcome.requests += 1
            # In this order: of two runs, at least one notices the other.
            if not self._ask(lambda: self._look(etag)):
                self._remote = replace(self._remote, etag=etag)
                return True
        self.outcome.kept_because = "another collectstatic is at work"
        return False

    def _names(self, keys: Iterable[str]) -> list[str]:
        return [key[len(self._target.prefix) :] for key in keys]

    def _release(self) -> dict[str, Entry]:
        return {key: self._entry(key, known) for key, known in self._files.items()}

    def _next_index(self, now: int, removed: Sequence[str] = ()) -> dict[str, Entry]:
        target = self._target
        return plan.next_index(
            self._remote, self._release(), set(removed), now, target.in_scope, target.owner
        )

    def _save(
        self, entries: Mapping[str, Entry], *, replaces: str | None = None, removing: str = ""
    ) -> str | None:
        """Store the index; returns its ETag, "" where that did not succeed.

        None when it is another one already than the one to be replaced.
        """
        self.outcome.requests += 1
        key = self._target.index_key
        save = partial(remote.save_index, self._client, self._bucket, key, entries)
        try:
            return self._ask(lambda: save(replaces=replaces, removing=removing))
        except InactivityError as error:  # raised here: the thread is still waiting
            remote.warn(self._bucket, key, str(error))
            return ""

    def _ask(self, request: Callable[[], ResultT]) -> ResultT:
        self._timeout.reset()
        return self._timeout.wait(self._reader.submit(request))

    def _entry(self, key: str, known: Entry) -> Entry:
        sent = self._uploader.sent.get(key)
        if sent:
            return replace(known, etag=sent.etag)
        # It may belong to a release again after it was superseded.
        return known if known.superseded is None else replace(known, superseded=None)

    def _removable(self, now: int) -> list[str]:
        found, files, owner = self._remote, self._files, self._target.owner
        keys: set[str] = set()
        if self._options.clear:
            keys.update(plan.clearable(found, files, owner))
        if self._options.prune_days is not None:
            keys.update(plan.prunable(found, files, now, self._options.prune_days, owner))
        is_asked = self._options.clear or self._options.prune_days is not None
        if is_asked and found.is_index_lost:
            self.outcome.kept_because = (
                f"the index s3://{self._bucket}/{self._target.index_key} is missing or empty, and "
                "without it nobody knows what collectstatic has sent; what is there now stays "
                "until somebody removes it by hand"
            )
        return sorted(keys)

    def _remove(self, keys: Sequence[str]) -> dict[str, str]:
        """Remove objects; returns S3's codes for those that it has refused to remove."""
        refused: dict[str, str] = {}
        for start in range(0, len(keys), DELETE_AT_ONCE):
            some = keys[start : start + DELETE_AT_ONCE]
            removal: DeleteTypeDef = {"Objects": [{"Key": key} for key in some], "Quiet": True}
            answer = self._ask(
                partial(self._client.delete_objects, Bucket=self._bucket, Delete=removal)
            )
            self.outcome.requests += 1
            refused |= {error["Key"]: error.get("Code", "?") for error in answer.get("Errors", ())}
        return refused
