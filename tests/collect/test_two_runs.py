"""Two concurrent runs: one publishes while another removes files that it needs."""

import json
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError

from herokuify.collect import remote
from tests.collect.conftest import INDEX, MANIFEST_CLASS, PLAIN_CLASS, MakeSite, Site
from tests.collect.runs import Run
from tests.collect.sites import SMALL, Files
from tests.fault_proxy import key_of
from tests.replay import Proxy, Request, replay
from tests.servers import S3Server
from tests.storage.helpers import on_moto

pytestmark = pytest.mark.once

OLD: Files = {**SMALL, "css/base.css": "/* old */", "js/site.js": "// old", "old.txt": "old"}
NEW: Files = {**SMALL, "css/base.css": "/* new */", "js/site.js": "// new", "new.txt": "new"}


#: How many seconds a paused run waits for an answer.
PATIENCE = 300
Matches = Callable[[Request], bool]


class Pause:
    """Holds one request of a run until the test lets it pass; a rule for that run's own proxy."""

    def __init__(self, matches: Callable[[Request], bool]) -> None:
        self.matches = matches
        self.has_come = threading.Event()
        self.goes_on = threading.Event()
        self.is_over = False

    def __call__(self, request: Request) -> None:
        if not self.is_over and self.matches(request):
            self.is_over = True
            self.has_come.set()
            assert self.goes_on.wait(PATIENCE)

    def wait(self, run: Run) -> None:
        """Wait until the run is held."""
        while run.process.is_alive() and not self.has_come.is_set():
            self.has_come.wait(0.05)
        assert self.has_come.is_set(), run.text


class Two:
    """A site that is collected from two machines, each with its own proxy."""

    def __init__(self, site: Site, proxy: Proxy) -> None:
        self.site = site
        self.proxy = proxy  # of the first machine, whose runs are held

    def be(self, number: int, files: Files) -> None:
        """Configure the next run for this machine, with these files."""
        site = self.site
        site.source = site.folder / f"source{number}"
        site.root = site.folder / f"root{number}"
        for path in site.source.rglob("*"):
            if path.is_file():
                path.unlink()
        site.write(files)
        url = (self.proxy if number == 1 else site.proxy).url
        site.configure(
            STATICFILES_DIRS=[site.source],
            STATIC_ROOT=site.root,
            COMPRESS_ROOT=site.root,
            AWS_S3_ENDPOINT_URL=url,
            STATIC_URL=f"{url}/{site.bucket}/static/",
        )

    def hold(self, files: Files, pause: Pause, *arguments: str) -> Run:
        """Start a run of the first machine, and wait until it is held."""
        self.be(1, files)
        self.proxy.rule = pause
        run = self.site.start(*arguments, silence=PATIENCE)
        pause.wait(run)
        return run

    def collect(self, files: Files, *arguments: str) -> None:
        """Run collectstatic on the second machine."""
        self.be(2, files)
        self.site.collect(*arguments)

    def assert_served(self, number: int, files: Files) -> None:
        """Check that everything exists that a machine's slug refers to."""
        root: Path = self.site.folder / f"root{number}"
        names = self.site.names()
        paths: dict[str, Any] = dict.fromkeys(files)
        if (root / "staticfiles.json").exists():
            paths = json.loads((root / "staticfiles.json").read_bytes())["paths"]
            assert set(paths) == set(files)
            paths = dict.fromkeys(paths.values())
        missing = set(paths) - names
        assert not missing


@pytest.fixture
def two(make_site: MakeSite, s3: S3Server) -> Any:
    with ExitStack() as stack:
        proxy = stack.enter_context(replay(s3.endpoint_url))
        site = make_site(s3, {})
        yield Two(site, proxy)
        proxy.rule = None


def is_look(request: Request) -> bool:
    """Whether the request reads the index again, after the listing."""
    return (
        key_of(request) == INDEX
        and request.method == "GET"
        and ("if-none-match" in request.headers)
    )


MOMENTS: dict[str, Callable[[Request], bool]] = {
    "index read": lambda r: r.method == "GET" and key_of(r) == INDEX,
    "first write": lambda r: r.method == "PUT",
    "announcement": lambda r: r.method == "PUT" and key_of(r) == INDEX,
    "second look": is_look,
    "manifest's copy": lambda r: r.method == "PUT" and "/staticfiles." in r.path,
    "manifest": lambda r: r.method == "PUT" and r.path.endswith("/staticfiles.json"),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("arguments", [["--clear"], ["--prune", "0"]])
def test_files_that_another_run_removes_are_published(
    two: Two, arguments: list[str], moment: str
) -> None:
    """A slug of an old commit is published again during builds of newer ones."""
    two.collect(OLD)
    two.collect(NEW)  # supersedes the old release
    pause = Pause(MOMENTS[moment])
    run = two.hold(OLD, pause)
    two.collect({**NEW, "css/base.css": "/* newer */"}, *arguments)
    two.collect({**NEW, "css/base.css": "/* newest */"}, *arguments)
    pause.goes_on.set()
    assert run.wait() == 0, run.text
    two.assert_served(1, OLD)
    # The next removal keeps it, too.
    two.collect({**NEW, "css/base.css": "/* last */"}, *arguments)
    two.assert_served(1, OLD)
    two.assert_served(2, NEW)


@pytest.mark.parametrize("backend", [MANIFEST_CLASS, PLAIN_CLASS])
def test_unchanged_files_that_were_removed_are_sent_again(two: Two, backend: str) -> None:
    """The release is unchanged, but other runs supersede and remove its files meanwhile."""
    two.site.use(backend)
    two.collect(OLD)
    pause = Pause(is_look)
    run = two.hold(OLD, pause)
    two.collect(NEW)
    two.collect(NEW, "--clear")
    assert "old.txt" not in two.site.names()
    pause.goes_on.set()
    assert run.wait() == 0, run.text
    assert "Another collectstatic has removed files" in run.text
    two.assert_served(1, OLD)


@pytest.mark.parametrize(
    "moment",
    [
        lambda r: r.method == "PUT" and r.path.endswith("/staticfiles.json"),
        lambda r: r.method == "PUT" and key_of(r) == INDEX,
        lambda r: "delete" in r.query,
    ],
    ids=["before its manifest", "before it says so", "before the removal"],
)
def test_removal_keeps_what_another_run_publishes(
    two: Two, moment: Callable[[Request], bool]
) -> None:
    """Another run publishes files that the first is about to remove."""
    two.collect(OLD)
    two.collect(NEW)
    pause = Pause(moment)
    newer = {**NEW, "css/base.css": "/* newer */"}
    run = two.hold(newer, pause, "--clear")

    def let_go() -> None:
        # The other run waits for the end of a removal that the index announces.
        pause.goes_on.set()

    timer = threading.Timer(3, let_go)
    timer.start()
    two.collect(OLD)
    timer.join()
    assert run.wait() == 0, run.text
    two.assert_served(2, OLD)
    two.assert_served(1, newer)


@on_moto  # Ceph verifies signatures, which cover the headers that the proxy removes
class TestWithoutConditions:
    """A service that accepts conditional writes but ignores their conditions."""

    @pytest.fixture(autouse=True)
    def ignoring(self, two: Two) -> None:
        for proxy in (two.proxy, two.site.proxy):
            proxy.ignores_conditions = True

    @pytest.fixture
    def removing(self, two: Two) -> Files:
        """A release that supersedes another one, and is about to be superseded itself."""
        two.collect(OLD)
        two.collect(NEW)
        return {**NEW, "css/base.css": "/* newer */"}

    @pytest.mark.parametrize("moment", ["manifest's copy", "manifest"])
    def test_removal_overwrites_an_announcement(
        self, two: Two, removing: Files, moment: str
    ) -> None:
        """The removal has read the index before the announcement."""
        pause, other_pause = Pause(MOMENTS["announcement"]), Pause(MOMENTS[moment])
        run = two.hold(removing, pause, "--clear")
        two.be(2, OLD)
        two.site.proxy.rule = other_pause
        other = two.site.start(silence=PATIENCE)
        try:
            other_pause.wait(other)
            pause.goes_on.set()
            assert run.wait() == 0, run.text
        finally:
            other_pause.goes_on.set()
            pause.goes_on.set()
        assert other.wait() == 0, other.text
        two.site.proxy.rule = None
        two.assert_served(1, removing)
        two.assert_served(2, OLD)
        # The next removal keeps it, too.
        two.be(1, {**removing, "css/base.css": "/* newest */"})
        two.site.collect("--clear")
        two.assert_served(2, OLD)

    def test_announcement_overwrites_a_removal(self, two: Two, removing: Files) -> None:
        """The announcing run has listed the objects before they are removed."""
        before, after = Pause(MOMENTS["announcement"]), Pause(MOMENTS["manifest's copy"])
        of_removal = Pause(lambda r: "delete" in r.query)
        run = two.hold(OLD, before)
        two.be(2, removing)
        two.site.proxy.rule = of_removal
        other = two.site.start("--clear", silence=PATIENCE)
        try:
            of_removal.wait(other)
            two.proxy.rule = after
            before.goes_on.set()
            after.wait(run)
            of_removal.goes_on.set()
            assert other.wait() == 0, other.text
        finally:
            for pause in (before, of_removal, after):
                pause.goes_on.set()
        assert run.wait() == 0, run.text
        two.assert_served(1, OLD)
        two.assert_served(2, removing)

    @pytest.mark.parametrize("moment", MOMENTS)
    def test_whole_removal_during_a_run(self, two: Two, removing: Files, moment: str) -> None:
        pause = Pause(MOMENTS[moment])
        run = two.hold(OLD, pause)
        two.collect(removing, "--clear")
        pause.goes_on.set()
        assert run.wait() == 0, run.text
        two.assert_served(1, OLD)
        two.assert_served(2, removing)


def test_announcement_of_a_killed_run_expires(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The announcement of a removal is valid for a minute."""
    site.collect()
    site.write({"css/base.css": "new"})
    site.collect()
    pauses: list[float] = []
    index = dict(site.index())
    remote.save_index(site.client, site.bucket, INDEX, index, removing="1")
    monkeypatch.setattr("herokuify.collect.remote.REMOVING", 30.0)
    monkeypatch.setattr("herokuify.collect.remote.time.sleep", pauses.append)
    site.write({"css/base.css": "newer"})
    site.collect()
    # Without real pauses, both reads of the index wait for the whole time.
    assert set(pauses) == {1}
    assert len(pauses) <= 2 * 30
    site.assert_whole()


def test_repeated_removals_are_an_error(site: Site) -> None:
    site.collect()
    site.write({"new.txt": "new"})

    def rule(request: Request) -> None:
        if is_look(request):
            site.put_index(os.urandom(9))
            site.delete("robots.txt")

    site.proxy.rule = rule
    with pytest.raises(CommandError, match="Another collectstatic has repeatedly"):
        site.collect()
    site.proxy.rule = None
    assert "new.txt" not in site.published()
    site.collect()
    site.assert_whole()
