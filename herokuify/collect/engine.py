"""The pipeline: local → remote → plan → upload → publish."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
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
from herokuify.collect.options import Options, Outcome, PublishError, RemoveError, Target
from herokuify.collect.plan import Action
from herokuify.collect.remote import BucketMissingError, Remote
from herokuify.collect.report import Progress
from herokuify.collect.upload import Uploader
from herokuify.s3.client import connect
from herokuify.s3.threads import Threads

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import DeleteTypeDef

ResultT = TypeVar("ResultT")

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

        Raises PublishError after the first stage in which a file could not be sent.
        """
        self._decide_undecided()
        for stage in Stage:
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
        self.outcome.requests = self._uploader.requests + self._remote.requests

    def prune_and_save_index(self) -> None:
        """Remove what the options name, then remember the release in the index."""
        found = self._remote
        now = int(time.time())
        removable = self._removable(found, now)
        self.outcome.removed = [key[len(self._target.prefix) :] for key in removable]
        if self._options.is_dry_run:
            return
        self._remove(removable)
        release = {key: self._entry(key, known) for key, known in self._files.items()}
        entries = plan.next_index(found, release, set(removable), now, self._target.in_scope)
        if entries != found.entries:
            self.outcome.requests += 1
            key = self._target.index_key
            try:
                self._ask(lambda: remote.save_index(self._client, self._bucket, key, entries))
            except InactivityError as error:  # raised here: the thread is still waiting
                remote.warn(self._bucket, key, str(error))

    def _ask(self, request: Callable[[], ResultT]) -> ResultT:
        self._timeout.reset()
        return self._timeout.wait(self._reader.submit(request))

    def _entry(self, key: str, known: Entry) -> Entry:
        sent = self._uploader.sent.get(key)
        if sent:
            return replace(known, etag=sent.etag)
        # It may belong to a release again after it was superseded.
        return known if known.superseded is None else replace(known, superseded=None)

    def _removable(self, found: Remote, now: int) -> list[str]:
        keys: set[str] = set()
        if self._options.clear:
            keys.update(plan.clearable(found, self._files))
        if self._options.prune_days is not None:
            keys.update(plan.prunable(found, self._files, now, self._options.prune_days))
        return sorted(keys)

    def _remove(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), DELETE_AT_ONCE):
            some = keys[start : start + DELETE_AT_ONCE]
            removal: DeleteTypeDef = {"Objects": [{"Key": key} for key in some], "Quiet": True}
            answer = self._ask(
                partial(self._client.delete_objects, Bucket=self._bucket, Delete=removal)
            )
            self.outcome.requests += 1
            if answer.get("Errors"):
                raise RemoveError(
                    {error["Key"]: error.get("Code", "?") for error in answer["Errors"]}
                )
