"""The plan's decisions, on plain data."""

import hashlib
import random
from collections.abc import Mapping
from typing import Any

import pytest

from herokuify.collect.index import Entry
from herokuify.collect.listing import Listed
from herokuify.collect.local import LocalFile, Stage
from herokuify.collect.plan import (
    Action,
    clearable,
    decide,
    is_as_asked,
    next_index,
    prunable,
)
from herokuify.collect.remote import Remote
from herokuify.storage.content import LARGE, Content

pytestmark = pytest.mark.no_django

DAY = 24 * 60 * 60
NOW = 1_800_000_000
DATE = "2026-11-21T13:36:57.123Z"
KEY = "static/a.css"
BODY = b"a { color: red }"
MD5 = hashlib.md5(BODY).hexdigest()
CSS = {"ContentType": "text/css", "CacheControl": "max-age=300"}


def local_file(
    content: Content | None = None,
    parameters: Mapping[str, Any] = CSS,
    *,
    is_gzipped: bool = False,
) -> LocalFile:
    return LocalFile(
        name="a.css",
        key=KEY,
        stage=Stage.PLAIN,
        content=content or Content.of_bytes(BODY),
        parameters=parameters,
        is_gzipped=is_gzipped,
    )


def listed(etag: str = MD5, size: int = len(BODY)) -> Listed:
    return Listed(etag, size, DATE)


def entry(file: LocalFile, etag: str = MD5, superseded: int | None = None) -> Entry:
    return Entry(etag, file.content.digest, file.fingerprint, superseded)


FILE = local_file()
OTHER_BYTES = local_file(Content.of_bytes(b"b { color: red }"))
OTHER_HEADERS = local_file(parameters={**CSS, "CacheControl": "no-cache"})
GZIPPED = local_file(is_gzipped=True)
HUGE = local_file(Content(LARGE, "0" * 32, None))
ACL = local_file(parameters={**CSS, "ACL": "public-read"})
EXPIRES = local_file(parameters={**CSS, "Expires": "2037"})
KMS = local_file(parameters={**CSS, "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "x"})
METADATA = local_file(parameters={**CSS, "Metadata": {"a": "1"}})
MULTIPART = f"{MD5}-2"


@pytest.mark.parametrize(
    ("file", "there", "known", "action"),
    [
        # There is no object, whatever the index says.
        (FILE, None, None, Action.SEND),
        (FILE, None, entry(FILE), Action.SEND),
        # The index has the listed ETag.
        (FILE, listed(), entry(FILE), Action.KEEP),
        (FILE, listed(), entry(FILE, superseded=1), Action.KEEP),
        (FILE, listed(MULTIPART), entry(FILE, MULTIPART), Action.KEEP),
        (FILE, listed("f" * 32), entry(FILE, "f" * 32), Action.KEEP),  # as under SSE-KMS
        (FILE, listed(size=1), entry(FILE), Action.KEEP),  # as gzipped; the ETag says it all
        (HUGE, listed(MULTIPART), entry(HUGE, MULTIPART), Action.KEEP),
        (ACL, listed(), entry(ACL), Action.KEEP),
        (OTHER_BYTES, listed(), entry(FILE), Action.SEND),
        (OTHER_HEADERS, listed(), entry(FILE), Action.SEND),
        (GZIPPED, listed(), entry(FILE), Action.SEND),
        (FILE, listed(), entry(GZIPPED), Action.SEND),
        (FILE, listed(), Entry(MD5, "", ""), Action.SEND),
        # The index lacks the object, or the object has changed since.
        (FILE, listed(), None, Action.ASK),
        (FILE, listed(), entry(FILE, "f" * 32), Action.ASK),
        (FILE, listed("f" * 32), entry(FILE), Action.ASK),
        (FILE, listed(size=1), None, Action.SEND),
        (FILE, listed(size=1), entry(FILE, "f" * 32), Action.SEND),
        (GZIPPED, listed(size=1), None, Action.ASK),
        (KMS, listed(), None, Action.ASK),
        (METADATA, listed(), None, Action.ASK),
        # HEAD doesn't show enough to compare.
        (FILE, listed(MULTIPART), None, Action.SEND),
        (HUGE, listed(size=LARGE), None, Action.SEND),
        (ACL, listed(), None, Action.SEND),
        (EXPIRES, listed(), None, Action.SEND),
    ],
)
def test_action_for_a_file(
    file: LocalFile, there: Listed | None, known: Entry | None, action: Action
) -> None:
    objects = {KEY: there} if there else {}
    entries = {KEY: known} if known else {}
    assert decide(file, Remote(objects, entries)) is action


HEAD = {
    "ETag": f'"{MD5}"',
    "ContentType": "text/css",
    "CacheControl": "max-age=300",
    "ContentLength": len(BODY),
    "Metadata": {},
    "ServerSideEncryption": "AES256",  # the bucket's own
    "ResponseMetadata": {},
}


class TestIsAsAsked:
    def test_same_object(self) -> None:
        assert is_as_asked(HEAD, BODY, CSS)

    @pytest.mark.parametrize(
        "difference",
        [
            {"ETag": '"ffffffffffffffffffffffffffffffff"'},
            {"ETag": f'"{MD5}-1"'},
            {"ContentType": "text/html"},
            {"CacheControl": "max-age=301"},
            {"CacheControl": None},
            {"ContentEncoding": "gzip"},
            {"ContentDisposition": "attachment"},
            {"ContentLanguage": "en"},
            {"StorageClass": "STANDARD_IA"},
            {"WebsiteRedirectLocation": "/"},
            {"Metadata": {"a": "1"}},
            {"Expires": "Thu, 01 Jan 2037 00:00:00 GMT"},
        ],
    )
    def test_any_difference_counts(self, difference: dict[str, Any]) -> None:
        head = {k: v for k, v in {**HEAD, **difference}.items() if v is not None}
        assert not is_as_asked(head, BODY, CSS)

    @pytest.mark.parametrize(
        ("asked", "shown", "same"),
        [
            ({"ServerSideEncryption": "aws:kms"}, {"ServerSideEncryption": "aws:kms"}, True),
            ({"ServerSideEncryption": "aws:kms"}, {"ServerSideEncryption": "AES256"}, False),
            ({"SSEKMSKeyId": "a"}, {}, False),
            ({"StorageClass": "STANDARD"}, {}, True),
            ({"StorageClass": "STANDARD_IA"}, {"StorageClass": "STANDARD_IA"}, True),
            ({"Metadata": {"a": "1"}}, {"Metadata": {"a": "1"}}, True),
            ({"ContentEncoding": "gzip"}, {"ContentEncoding": "gzip"}, True),
        ],
    )
    def test_requested_parameters_count(
        self, asked: dict[str, Any], shown: dict[str, Any], same: bool
    ) -> None:
        assert is_as_asked({**HEAD, **shown}, BODY, {**CSS, **asked}) is same

    def test_default_type_is_the_same_as_none(self) -> None:
        head = {**HEAD, "ContentType": "binary/octet-stream"}
        asked = {"CacheControl": "max-age=300"}
        assert is_as_asked(head, BODY, asked)
        assert not is_as_asked(HEAD, BODY, asked)


def known(etag: str, superseded: int | None = None) -> Entry:
    return Entry(etag, "d", "f", superseded)


def everything(key: str) -> bool:
    return True


class TestNextIndex:
    def test_supersedes_what_the_release_lacks(self) -> None:
        remote = Remote(
            {key: listed(key) for key in ["both", "old", "older", "unknown", "foreign"]},
            {
                "both": known("both"),
                "old": known("old"),
                "older": known("older", NOW - DAY),
                "foreign": known("another", NOW - DAY),
                "gone": known("gone"),
            },
        )
        release = {"both": known("both"), "new": known("new")}
        assert next_index(remote, release, set(), NOW, everything) == {
            "both": known("both"),
            "new": known("new"),
            "old": known("old", NOW),
            "older": known("older", NOW - DAY),
        }

    def test_of_the_same_release_is_the_same(self) -> None:
        objects = {key: listed(key) for key in "abc"}
        first = next_index(Remote(objects), {"a": known("a")}, set(), NOW, everything)
        again = next_index(Remote(objects, first), {"a": known("a")}, set(), NOW + 9, everything)
        assert again == first

    def test_returning_files_are_not_superseded(self) -> None:
        remote = Remote({"a": listed("a")}, {"a": known("a", NOW - DAY)})
        assert next_index(remote, {"a": known("a")}, set(), NOW, everything) == {"a": known("a")}

    def test_removed_objects_are_forgotten(self) -> None:
        remote = Remote({"a": listed("a")}, {"a": known("a", NOW - DAY), "b": known("b")})
        assert next_index(remote, {}, {"a"}, NOW, everything) == {}
        assert next_index(remote, {}, {"a"}, NOW, lambda key: False) == {"b": known("b")}

    def test_entries_out_of_scope_do_not_change(self) -> None:
        remote = Remote(
            {"x/a": listed("a"), "x/b": listed("b"), "c": listed("c")},
            {"x/a": known("a"), "x/gone": known("gone"), "c": known("c")},
        )
        release = {"d": known("d")}
        entries = next_index(remote, release, set(), NOW, lambda key: not key.startswith("x/"))
        assert entries == {
            "x/a": known("a"),
            "x/gone": known("gone"),
            "c": known("c", NOW),
            "d": known("d"),
        }


class TestPrunable:
    @pytest.mark.parametrize(
        ("superseded", "days", "goes"),
        [
            (None, 0, False),
            (NOW - 31 * DAY, 30, True),
            (NOW - 30 * DAY, 30, False),
            (NOW - 30 * DAY - 1, 30, True),
            (NOW - 29 * DAY, 30, False),
            (NOW, 0, False),
            (NOW - 1, 0, True),
            (NOW - DAY, 0.5, True),
            (NOW + DAY, 0, False),
        ],
    )
    def test_days_count_from_the_time_superseded(
        self, superseded: int | None, days: float, goes: bool
    ) -> None:
        remote = Remote(
            {"a": Listed("a", 1, "2020-01-01T00:00:00Z")}, {"a": known("a", superseded)}
        )
        assert prunable(remote, [], NOW, days) == (["a"] if goes else [])

    def test_objects_of_the_release_are_kept(self) -> None:
        remote = Remote({"a": listed("a")}, {"a": known("a", 0)})
        assert prunable(remote, ["a"], NOW + 10**6, 0) == []

    @pytest.mark.parametrize("etag", [None, "another"])
    def test_objects_of_unknown_age_are_kept(self, etag: str | None) -> None:
        entries = {"a": known(etag, 0)} if etag else {}
        assert prunable(Remote({"a": listed("a")}, entries), [], NOW, 0) == []

    def test_age_counts_from_the_last_write(self) -> None:
        written = "2027-01-15T08:00:00.000Z"  # NOW
        remote = Remote({"a": Listed("a", 1, written)}, {"a": known("a", NOW - 100 * DAY)})
        assert prunable(remote, [], NOW + 29 * DAY, 30) == []
        assert prunable(remote, [], NOW + 31 * DAY, 30) == ["a"]

    def test_missing_objects_are_not_removed(self) -> None:
        assert prunable(Remote({}, {"a": known("a", 0)}), [], NOW, 0) == []


class TestClearable:
    def test_keeps_both_releases_and_the_unknown(self) -> None:
        remote = Remote(
            {key: listed(key) for key in ["now", "again", "previous", "old", "unknown", "foreign"]},
            {
                "now": known("now"),
                "again": known("again", 1),
                "previous": known("previous"),
                "old": known("old", NOW),
                "foreign": known("another", 1),
                "gone": known("gone", 1),
            },
        )
        assert clearable(remote, ["now", "again", "new"]) == ["old"]


@pytest.mark.parametrize("seed", range(20))
def test_no_history_removes_what_two_releases_need(seed: int) -> None:
    """With random deploys, losses of the index and changes by hand."""
    chance = random.Random(seed)
    objects: dict[str, Listed] = {}
    entries: Mapping[str, Entry] = {}
    releases: list[set[str]] = [set()]
    now = NOW
    last_seen: dict[str, int] = {}  # when a key was last in the newest release, at the most
    for _ in range(60):
        now += chance.randrange(1, 20 * DAY)
        if chance.random() < 0.1:
            entries = {}
        if objects and chance.random() < 0.2:  # by hand
            objects[chance.choice(list(objects))] = Listed(f"hand{now}", 1, "2020-01-01T00:00:00Z")
        release = {f"k{chance.randrange(30)}" for _ in range(chance.randrange(1, 12))}
        remote = Remote(dict(objects), dict(entries))
        known_release = {}
        for key in release:
            etag = objects[key].etag if key in objects and chance.random() < 0.5 else f"{key}-{now}"
            known_release[key] = Entry(etag, "d", "f")
            objects[key] = Listed(etag, 1, "2020-01-01T00:00:00Z")
        days = chance.choice([0, 10, 30])
        what = chance.choice(["nothing", "clear", "prune"])
        gone: list[str] = []
        if what == "clear":
            gone = clearable(remote, release)
        if what == "prune":
            gone = prunable(remote, release, now, days)
            assert all(now - last_seen[key] > days * DAY for key in gone)
        assert not set(gone) & (release | releases[-1])
        for key in gone:
            del objects[key]
        entries = next_index(remote, known_release, set(gone), now, everything)
        assert release <= objects.keys()
        for key in releases[-1] | release:
            last_seen[key] = now  # the previous release was in force until now
        for key in objects:
            last_seen.setdefault(key, now)
        releases.append(release)
