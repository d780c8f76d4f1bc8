"""Run the pipeline: local → remote → plan → upload → publish."""

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
from herokuify.collect.index import Entries, Entry
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
from herokuify.collect.upload import Sent, Uploader
from herokuify.s3.client import connect
from herokuify.s3.objects import MOST_DELETIONS
from herokuify.s3.threads import Threads

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import DeleteTypeDef

ResultT = TypeVar("ResultT")

ANNOUNCEMENTS = 5  # attempts, each after another run has written the index
#: Files that may wait for the listing, and bytes of content that only exists in memory.
UNDECIDED = 1000
UNDECIDED_BYTES = 8 * 1024 * 1024


class Collection:
    """One run: ``add`` files as they are found and hashed, then ``publish``.

    Hashing continues while the listing is being read, and uploads start while later files are still
    being hashed. Files that visitors would see wait in ``publish`` for their stage, which starts
    when the previous stage has succeeded.
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
        self._uploader = Uploader(
            target.destination, target.profile, on_sent=self._note, tick=self._show
        )
        # Without the content, which may not fit in memory. The ETags of files that are sent are
        # added later.
        self._files = Entries()
        self._asked: dict[str, str] = {}  # names by key of files that need a HEAD
        self._kept: set[str] = set()  # those of them that were not sent
        self._sent: str | None = None  # the key of a file that was sent
        self._sent_count = 0
        self._undecided: list[LocalFile] = []
        self._undecided_bytes = 0
        self._stage = Stage.HASHED  # files of later stages wait
        self._waiting: dict[Stage, list[LocalFile]] = defaultdict(list)
        self._expected = 0
        self._has_announced = False
        self.outcome = Outcome()

    def close(self) -> None:
        """Release threads and connections."""
        self._reader.close()
        self._uploader.close()
        self._progress.end()

    def __contains__(self, key: str) -> bool:
        return key in self._files

    def add(self, file: LocalFile) -> None:
        """Add a file of the release, unless one with this key was added before."""
        if file.key in self._files:
            return
        entry = Entry("", file.content.digest, file.fingerprint, owner=self._target.owner)
        self._files[intern(file.key)] = entry
        self._progress.collected += 1
        if self._can_wait():
            # Without the bytes, if they can be read again.
            waiting = file.without_data()
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
            self._files.take(file.key, self._remote.entries)
            self.outcome.unchanged.append(file.name)
            self._progress.unchanged += 1
        elif self._options.is_dry_run:
            self.outcome.sent.append(file.name)
        else:
            if action is Action.ASK:
                self._asked[file.key] = file.name
            if self._stage_of(file) <= self._stage:
                self._send(file)
            else:
                self._waiting[file.stage].append(file.without_data())

    @cached_property
    def _remote(self) -> Remote:
        try:
            return self._timeout.wait(self._reading)
        except BucketMissingError as error:
            if self._target.create_bucket is None:
                raise error.__cause__ from None  # type: ignore[misc]
            # In the main thread, because the interpreter's exit would interrupt other threads.
            self._target.create_bucket()
            return Remote(requests=2)

    def _stage_of(self, file: LocalFile) -> Stage:
        # Without a manifest, names don't change. New files must exist before changed files refer
        # to them.
        is_new = file.key not in self._remote.objects
        if is_new and file.stage is Stage.PLAIN and not self._target.has_manifest:
            return Stage.HASHED
        return file.stage

    def _send(self, file: LocalFile) -> None:
        self._expected += 1
        is_asked = file.key in self._asked
        if not is_asked:
            self.outcome.sent.append(file.name)
        self._uploader.submit(file, ask=is_asked)
        self._show()

    def _note(self, key: str, sent: Sent) -> None:
        """Record a sent file; called by one of the uploader's threads at a time."""
        self._files[key] = self._files[key]._replace(etag=sent.etag)
        if sent.is_kept:
            self._kept.add(key)
        self._sent = self._sent or key
        self._sent_count += 1
        self.outcome.sent_bytes += sent.size
        self.outcome.requests += sent.requests

    def _show(self) -> None:
        self._progress.show(self._sent_count, self._expected)

    def publish(self, add_plain: Callable[[], None] = lambda: None) -> None:
        """Send the waiting files, each stage after the previous one has succeeded.

        ``add_plain`` is called to add the files of the stage ``PLAIN``, so that they don't have to
        be kept until then. Raises PublishError after the first stage in which a file could not be
        sent, and VanishedError if another run has removed objects that this one needs.
        """
        self._decide_undecided()
        for stage in Stage:
            if stage is Stage.MANIFEST_COPY and not self._options.is_dry_run:
                self._confirm()
            if stage is Stage.MANIFEST and self._has_announced:
                # A service that ignores conditions may have let another run overwrite the
                # announcement.
                self._look_again()
                self._announce()
            self._stage = stage
            if stage is Stage.PLAIN:
                add_plain()
                self._decide_undecided()
            for file in self._waiting.pop(stage, ()):
                self._send(file)
            self._uploader.drain()
            if self._uploader.failures:
                raise PublishError(self._uploader.failures)
        for key, name in self._asked.items():
            kept_or_sent = self.outcome.unchanged if key in self._kept else self.outcome.sent
            kept_or_sent.append(name)
        self.outcome.requests += self._remote.requests

    def _confirm(self) -> None:
        """Ensure that everything in the manifest exists, and that visitors can read it."""
        # If nothing was sent, an earlier run has checked it.
        if self._target.confirm_public is not None and self._sent is not None:
            self.outcome.requests += 1
            self._target.confirm_public(self._sent)
        self._look_again()
        self._announce()

    def _announce(self) -> None:
        """Tell other runs which superseded objects this one needs: they check before removing."""
        for _ in range(ANNOUNCEMENTS):
            revived = (self._remote.entries.get(key) for key in self._files)
            if not any(entry and entry.superseded is not None for entry in revived):
                return
            etag = self._save(plan.revived(self._remote, self._files), replaces=self._remote.etag)
            self._has_announced = True
            if etag is None:
                self._look_again()
                continue
            self._list_again()
            if not etag:
                return

    def _look_again(self) -> None:
        """Detect other runs; raise VanishedError if they removed objects that this one needs."""
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
        if any(key not in again.objects and self._files[key].etag for key in self._files):
            raise VanishedError
        self._remote = replace(again, requests=self._remote.requests)

    def prune_and_save_index(self) -> None:
        """Remove the objects that the options select, then record the release in the index.

        Objects that another run has published meanwhile are not removed. Raises VanishedError if
        another run has removed objects that this one needs, and RemoveError if S3 refused to.
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
        except InactivityError as error:  # the release is published
            remote.warn(self._bucket, self._target.index_key, str(error))
            return
        removable = self._removable(now)
        refused: dict[str, str] = {}
        if removable and self._may_remove(now):
            refused = self._remove(removable)
            removed = [key for key in removable if key not in refused]
            self.outcome.removed = self._names(removed)
            # A service that ignores conditions may have let another run make an announcement.
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
        """Announce the removal to other runs; return False if another run is active."""
        etag = self._save(
            self._next_index(now), replaces=self._remote.etag, removing=secrets.token_hex(8)
        )
        key = self._target.index_key
        if etag == "":
            self.outcome.kept_because = f"the index s3://{self._bucket}/{key} can't be written"
            return False
        if etag is not None:
            self.outcome.requests += 1
            # Announce first, then look: of two runs, at least one detects the other.
            if not self._ask(lambda: self._look(etag)):
                self._remote = replace(self._remote, etag=etag)
                return True
        self.outcome.kept_because = "another collectstatic is running"
        return False

    def _names(self, keys: Iterable[str]) -> list[str]:
        return [key[len(self._target.prefix) :] for key in keys]

    def _next_index(self, now: int, removed: Sequence[str] = ()) -> Entries:
        target = self._target
        return plan.next_index(
            self._remote, self._files, set(removed), now, target.in_scope, target.owner
        )

    def _save(
        self, entries: Mapping[str, Entry], *, replaces: str | None = None, removing: str = ""
    ) -> str | None:
        """Store the index; return its ETag, or "" after a failure.

        Return None if the stored index is not the one with the ETag ``replaces``.
        """
        self.outcome.requests += 1
        key = self._target.index_key
        save = partial(remote.save_index, self._client, self._bucket, key, entries)
        try:
            return self._ask(lambda: save(replaces=replaces, removing=removing))
        except InactivityError as error:
            remote.warn(self._bucket, key, str(error))
            return ""

    def _ask(self, request: Callable[[], ResultT]) -> ResultT:
        self._timeout.reset()
        return self._timeout.wait(self._reader.submit(request))

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
                f"the index s3://{self._bucket}/{self._target.index_key} is missing or empty, so "
                "it's unknown what collectstatic has sent; existing files stay until you "
                "remove them manually"
            )
        return sorted(keys)

    def _remove(self, keys: Sequence[str]) -> dict[str, str]:
        """Remove objects; return the error codes of those that S3 refused to remove, by key."""
        refused: dict[str, str] = {}
        for start in range(0, len(keys), MOST_DELETIONS):
            some = keys[start : start + MOST_DELETIONS]
            removal: DeleteTypeDef = {"Objects": [{"Key": key} for key in some], "Quiet": True}
            answer = self._ask(
                partial(self._client.delete_objects, Bucket=self._bucket, Delete=removal)
            )
            self.outcome.requests += 1
            refused |= {error["Key"]: error.get("Code", "?") for error in answer.get("Errors", ())}
        return refused
