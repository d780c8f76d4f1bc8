"""``--clear`` and ``--prune`` over several releases, with a clock that the tests set."""

import json
import time
from dataclasses import dataclass, field

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError

from herokuify.collect.index import Entry, dump_index
from tests.collect.conftest import INDEX, PLAIN_CLASS, Site, tree
from tests.fault_proxy import for_keys, is_put, key_of, recorded
from tests.replay import ACCESS_DENIED, Document, Request

pytestmark = pytest.mark.no_django

DAY = 24 * 60 * 60
DELETED = "Amazon S3 API Reference, 'DeleteObjects'"


@dataclass
class Calendar:
    """The engine's clock, in days after the test's start."""

    day: float = 0
    start: float = field(default_factory=time.time)

    def time(self) -> float:
        return self.start + self.day * DAY


@pytest.fixture
def calendar(monkeypatch: pytest.MonkeyPatch) -> Calendar:
    calendar = Calendar()
    monkeypatch.setattr("herokuify.collect.engine.time", calendar)
    return calendar


@dataclass
class Releases:
    """Deploys of a site; each changes the stylesheet and the script and adds a file of its own."""

    site: Site
    calendar: Calendar
    manifests: dict[int, str] = field(default_factory=dict)  # JSON, as in the slugs

    def deploy(self, number: int, *arguments: str, day: float | None = None) -> str:
        """Publish release ``number``, on this day."""
        if day is not None:
            self.calendar.day = day
        self.site.write({"css/base.css": f"/* {number} */", "js/site.js": f"// {number}"})
        for other in self.site.source.glob("only-*.txt"):
            other.unlink()
        self.site.write({f"only-{number}.txt": f"{number}"})
        output = self.site.collect(*arguments)
        if (self.site.root / "staticfiles.json").exists():
            self.manifests[number] = (self.site.root / "staticfiles.json").read_text()
        return output

    def names(self, number: int) -> set[str]:
        """Return the hashed names of a release, and the name of its manifest."""
        manifest = json.loads(self.manifests[number])
        return {*manifest["paths"].values(), f"staticfiles.{manifest['hash']}.json"}

    def present(self, *numbers: int) -> set[int]:
        """Return those of the releases that are complete."""
        keys = self.site.names()
        return {number for number in numbers if self.names(number) <= keys}

    def own(self, number: int) -> set[str]:
        """Return the names that no other release so far has."""
        others = (self.names(other) for other in self.manifests if other != number)
        return self.names(number) - set().union(*others)


@pytest.fixture
def releases(site: Site, calendar: Calendar) -> Releases:
    return Releases(site, calendar)


class TestPrune:
    def test_removes_nothing_by_default(self, releases: Releases) -> None:
        for number in range(5):
            releases.deploy(number, day=number * 1000)
        assert releases.present(*range(5)) == set(range(5))

    def test_removes_what_was_superseded_before_the_days(self, releases: Releases) -> None:
        releases.deploy(1, day=0)
        releases.deploy(2, day=100)  # release 1 was in force for 100 days, and is fresh
        output = releases.deploy(3, "--prune", "30", day=101)
        assert releases.present(1, 2, 3) == {1, 2, 3}
        assert "removed" not in output
        output = releases.deploy(4, "--prune", "30", day=129)
        assert releases.present(1, 2, 3, 4) == {1, 2, 3, 4}
        output = releases.deploy(5, "--prune", "30", day=131)
        assert releases.present(1, 2, 3, 4, 5) == {2, 3, 4, 5}
        gone = releases.own(1)
        assert not gone & releases.site.names()
        assert f", {len(gone) + 1} removed, 0 failed" in output  # with only-1.txt
        # Release 2 was superseded on day 101, by release 3.
        releases.deploy(6, "--prune", "30", day=132)
        assert releases.present(1, 2, 3, 4, 5, 6) == {3, 4, 5, 6}
        releases.site.assert_whole()

    def test_zero_days_keep_the_previous_release(self, releases: Releases) -> None:
        releases.deploy(1, day=0)
        releases.deploy(2, "--prune", "0", day=1)
        assert releases.present(1, 2) == {1, 2}
        releases.deploy(3, "--prune", "0", day=2)
        assert releases.present(1, 2, 3) == {2, 3}

    def test_rollback_restarts_the_days(self, releases: Releases) -> None:
        releases.deploy(1, day=0)
        releases.deploy(2, day=10)
        releases.deploy(1, day=20)  # the release phase of a rolled-back slug
        releases.deploy(3, "--prune", "30", day=45)
        # Release 1 was superseded on day 45, the second time; release 2 on day 20.
        assert releases.present(1, 2, 3) == {1, 2, 3}
        releases.deploy(4, "--prune", "30", day=51)
        assert releases.present(1, 2, 3, 4) == {1, 3, 4}
        entries = releases.site.index()
        superseded = {entries[f"static/{name}"].superseded for name in releases.own(1)}
        assert superseded == {int(releases.calendar.start + 45 * DAY)}

    @pytest.mark.parametrize("stored", [b"lost", None])
    def test_removes_nothing_after_the_index_is_lost(
        self, releases: Releases, stored: bytes | None
    ) -> None:
        """The index no longer tells whether collectstatic uploaded an object."""
        releases.deploy(1, day=0)
        releases.deploy(2, day=1)
        if stored is None:
            releases.site.client.delete_object(Bucket=releases.site.bucket, Key=INDEX)
        else:
            releases.site.put_index(stored)
        there = releases.site.names()
        output = releases.deploy(3, "--prune", "30", day=500)
        assert output.count("Nothing was removed: the index s3://") == 1
        assert there <= releases.site.names()
        # Objects that release 3 has, too, are in the index again.
        output = releases.deploy(4, "--prune", "30", day=529)
        assert "Nothing was removed" not in output
        releases.deploy(5, "--prune", "0", day=600)
        releases.deploy(6, "--prune", "0", "--clear", day=700)
        assert releases.present(1, 2, 3, 4, 5, 6) == {1, 2, 5, 6}

    def test_keeps_what_was_written_again(self, releases: Releases) -> None:
        """A superseded object was written again, but not by collectstatic."""
        releases.calendar.start -= 100 * DAY  # so that the server's own clock is day 100
        releases.deploy(1, day=0)
        releases.deploy(2, day=1)
        name = next(iter(releases.own(1)))
        releases.site.put(name, releases.site.read(name))
        releases.deploy(3, "--prune", "90", day=100)
        # All objects are young by the server's clock; let only this one be.
        assert releases.own(1) <= releases.site.names()

    def test_dry_run_lists_and_removes_nothing(self, releases: Releases) -> None:
        releases.deploy(1, day=0)
        releases.deploy(2, day=1)
        before = releases.site.remote_tree()
        index = releases.site.index()
        with recorded(releases.site.proxy) as traffic:
            output = releases.deploy(2, "--prune", "30", "--dry-run", day=100)
        assert set(traffic.operations) == {"ListObjects", "GetObject"}
        listed = {line for line in output.splitlines() if line.startswith("Would remove")}
        expected = releases.own(1) | {"only-1.txt"}
        assert listed == {f"Would remove '{name}'" for name in expected}
        assert f", {len(expected)} to remove, 0 failed" in output
        assert releases.site.remote_tree() == before
        assert releases.site.index() == index

    def test_removes_after_publishing_and_updating_the_index(self, releases: Releases) -> None:
        releases.deploy(1, day=0)
        releases.deploy(2, day=1)
        with recorded(releases.site.proxy) as traffic:
            releases.deploy(3, "--prune", "30", day=100)
        steps = [
            "delete" if "delete" in request.query else key_of(request).removeprefix("static/")
            for request in traffic.requests
            if is_put(request) or "delete" in request.query
        ]
        # The index tells other runs beforehand.
        assert steps[-4:] == ["staticfiles.json", INDEX, "delete", INDEX]
        assert steps.count("delete") == 1

    def test_setting_prunes_every_run(self, releases: Releases) -> None:
        releases.site.configure(HEROKUIFY_PRUNE_DAYS=30)
        releases.deploy(1, day=0)
        releases.deploy(2, day=1)
        releases.deploy(3, "--prune", "200", day=100)  # the option wins
        assert releases.present(1, 2, 3) == {1, 2, 3}
        releases.deploy(4, day=101)
        assert releases.present(1, 2, 3, 4) == {2, 3, 4}

    @pytest.mark.parametrize("value", ["thirty", -1, "nan", True])
    def test_wrong_setting_is_an_error(self, releases: Releases, value: object) -> None:
        releases.site.configure(HEROKUIFY_PRUNE_DAYS=value)
        with pytest.raises(ImproperlyConfigured, match="HEROKUIFY_PRUNE_DAYS"):
            releases.deploy(1)
        assert releases.site.names() == set()

    @pytest.mark.parametrize("value", ["thirty", "-1", "nan"])
    def test_wrong_option_is_an_error(self, releases: Releases, value: str) -> None:
        with pytest.raises(CommandError, match="prune"):
            releases.deploy(1, f"--prune={value}")

    def test_works_with_a_plain_class(self, releases: Releases) -> None:
        releases.site.use(PLAIN_CLASS)
        releases.deploy(1, day=0)
        releases.deploy(2, day=1)
        assert "only-1.txt" in releases.site.names()
        releases.deploy(3, "--prune", "30", day=100)
        names = {name for name in releases.site.names() if name.startswith("only-")}
        assert names == {"only-2.txt", "only-3.txt"}


class TestClear:
    def test_keeps_this_and_the_previous_release(self, releases: Releases) -> None:
        for number in (1, 2, 3):
            releases.deploy(number)
        output = releases.deploy(4, "--clear")
        assert releases.present(1, 2, 3, 4) == {3, 4}
        assert not (releases.own(1) | releases.own(2)) & releases.site.names()
        assert "neither this nor the previous release" in output
        releases.site.assert_whole()

    def test_first_run_removes_nothing(self, releases: Releases) -> None:
        releases.site.put("by-hand.txt", b"?")
        releases.deploy(1, "--clear")
        assert "by-hand.txt" in releases.site.names()

    def test_keeps_what_the_index_lacks(self, releases: Releases) -> None:
        releases.deploy(1)
        releases.deploy(2)
        releases.site.put_index(b"lost")
        releases.deploy(3, "--clear")
        assert releases.present(1, 2, 3) == {1, 2, 3}
        releases.deploy(4, "--clear")
        releases.deploy(5, "--clear")
        assert releases.present(1, 2, 3, 4, 5) == {1, 2, 4, 5}

    @pytest.mark.parametrize("arguments", [["--clear"], ["--prune", "0"]])
    def test_keeps_files_of_others(self, releases: Releases, arguments: list[str]) -> None:
        site = releases.site
        foreign = {"uploads/brochure.pdf": b"PDF", "css/zoo.css": b"a{}", "only-2.txt": b"theirs"}
        site.put("uploads/brochure.pdf", b"PDF")
        for number in range(1, 5):
            releases.deploy(number, *arguments, day=number * 100)
            # And files that are uploaded later, under a new name or one of ours.
            for name, body in foreign.items():
                site.put(name, body)
        for name, body in foreign.items():
            assert site.read(name) == body
        # An earlier version put every listed object into the index.
        etag = site.head("uploads/brochure.pdf")["ETag"].strip('"')
        known = {**site.index(), "static/uploads/brochure.pdf": Entry(etag, "", "", 1)}
        site.put_index(dump_index(known))
        releases.deploy(5, *arguments, day=500)
        assert set(foreign) <= site.names()

    @pytest.mark.parametrize("arguments", [["--clear"], ["--prune", "0"]])
    @pytest.mark.parametrize("setting", ["ROOT_URLCONF", "SECRET_KEY"])
    def test_keeps_files_of_another_app(
        self,
        releases: Releases,
        arguments: list[str],
        setting: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Two projects, or two apps of one project, share the location."""
        site = releases.site

        def deploy(app: str, number: int) -> dict[str, str]:
            site.configure(**{setting: f"{app}-0123456789"})
            if setting == "SECRET_KEY":
                monkeypatch.setenv("DJANGO_KEY", f"{app}-0123456789")
            site.write({f"{app}.txt": app, "css/base.css": f"/* {app} {number} */"})
            releases.calendar.day += 10
            site.collect(*arguments)
            site.remove(f"{app}.txt")
            paths: dict[str, str] = json.loads((site.root / "staticfiles.json").read_text())[
                "paths"
            ]
            return paths

        shop = deploy("shop", 1)
        old = [deploy("blog", number) for number in range(1, 6)]
        assert set(shop.values()) <= site.names()
        # An app's own old files are removed; files of both apps are kept.
        assert old[0]["css/base.css"] not in site.names()
        assert old[4]["css/base.css"] in site.names()
        for number in range(2, 6):
            deploy("shop", number)
        assert set(old[4].values()) <= site.names()
        assert shop["css/base.css"] not in site.names()

    def test_dry_run_lists_what_clear_would_remove(self, releases: Releases) -> None:
        releases.deploy(1)
        releases.deploy(2)
        before = releases.site.remote_tree()
        with recorded(releases.site.proxy) as traffic:
            output = releases.deploy(2, "--clear", "--dry-run")
        assert set(traffic.operations) == {"ListObjects", "GetObject"}
        for name in releases.own(1):
            assert f"Would remove '{name}'" in output
        assert releases.site.remote_tree() == before

    def test_stays_inside_the_location(self, releases: Releases) -> None:
        site = releases.site
        outside = ["static", "static2/a.txt", "media/a.txt", "a.txt", "cube/static/a.txt"]
        for key in outside:
            site.client.put_object(Bucket=site.bucket, Key=key, Body=b"")
        for number in (1, 2, 3):
            releases.deploy(number, "--clear", "--prune", "0", day=number * 100)
        assert set(outside) <= site.names("")
        assert "only-1.txt" not in site.names()

    @pytest.mark.parametrize("arguments", [[], ["--clear"], ["--dry-run"]])
    def test_root_location_is_refused(self, site: Site, arguments: list[str]) -> None:
        site.use("tests.collect.storages.RootStorage")
        site.configure(STATIC_URL=f"{site.proxy.url}/{site.bucket}/")
        site.client.put_object(Bucket=site.bucket, Key="media/photo.jpg", Body=b"")
        refused = pytest.raises(ImproperlyConfigured, match="RootStorage has an empty location")
        with recorded(site.proxy) as traffic, refused:
            site.collect(*arguments)
        assert traffic.requests == []

    def test_refused_removal_names_the_keys(self, releases: Releases) -> None:
        for number in (1, 2):
            releases.deploy(number)
        name = min(releases.own(1))
        body = (
            f"<DeleteResult><Error><Key>static/{name}</Key><Code>AccessDenied</Code>"
            "<Message>Access Denied</Message></Error></DeleteResult>"
        ).encode()

        def rule(request: Request) -> Document | None:
            return Document(DELETED, body) if "delete" in request.query else None

        releases.site.proxy.rule = rule
        with pytest.raises(CommandError) as caught:
            releases.deploy(3, "--clear")
        message = str(caught.value)
        assert "The release is published" in message
        assert "s3:DeleteObject" in message
        assert f"  static/{name}: AccessDenied" in message
        releases.site.proxy.rule = None
        assert json.loads(releases.site.read("staticfiles.json")) == json.loads(
            (releases.site.root / "staticfiles.json").read_text()
        )
        releases.site.assert_whole()

    def test_failed_run_removes_nothing(self, releases: Releases) -> None:
        for number in (1, 2):
            releases.deploy(number)
        releases.site.proxy.rule = for_keys(["static/only-3.txt"], ACCESS_DENIED)
        with pytest.raises(CommandError):
            releases.deploy(3, "--clear")
        assert releases.present(1, 2) == {1, 2}

    def test_prompt_says_what_it_does(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        prompts: list[str] = []

        def answer(prompt: str) -> str:
            prompts.append(prompt)
            return "no"

        monkeypatch.setattr("builtins.input", answer)
        with pytest.raises(CommandError, match="cancelled"):
            call_command("collectstatic", "--clear")
        (prompt,) = prompts
        assert f"s3://{site.bucket}/static/" in prompt
        assert "that collectstatic has uploaded" in prompt
        assert "ALL FILES" not in prompt
        assert site.names() == set()


class TestWithoutPostProcessing:
    def test_hashed_files_are_not_superseded(self, releases: Releases) -> None:
        releases.deploy(1, day=0)
        before = releases.site.index()
        releases.site.collect("--no-post-process")
        assert releases.site.index() == before
        releases.deploy(2, "--clear", "--prune", "0", day=100)
        assert releases.present(1, 2) == {1, 2}

    def test_sends_only_original_names(self, site: Site) -> None:
        site.collect("--no-post-process")
        assert site.names() == set(tree(site.source))
        assert not (site.root / "staticfiles.json").exists()
