"""Faults of the network, the server, the disk and the process during a run."""

import errno
import json
import os
import random
import signal
import threading
import time
import traceback
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError

from tests.collect import sites
from tests.collect.conftest import (
    MANIFEST_CLASS,
    PLAIN_CLASS,
    MakeSite,
    Site,
    tree,
    write,
)
from tests.collect.sites import SMALL, Files
from tests.fault_proxy import (
    Silence,
    after,
    delayed,
    first_of,
    for_keys,
    is_put,
    recorded,
    shaky,
)
from tests.replay import (
    ACCESS_DENIED,
    CLOCK_SKEW,
    EXPIRED_TOKEN,
    SLOW_DOWN,
    UNKNOWN_KEY,
    WRONG_SECRET,
    Answer,
    Fault,
    Request,
    replay,
)
from tests.servers import S3Server

pytestmark = pytest.mark.once

#: Enough files for a fault in the middle of every stage.
FILES: Files = {**sites.NASTY, **SMALL}
TOTAL = 2 * len(FILES) + 2  # objects of a release
assert TOTAL == 90


class TestBadNetwork:
    @pytest.mark.parametrize("backend", [MANIFEST_CLASS, PLAIN_CLASS])
    def test_slow_downs_and_dropped_connections_are_retried(
        self, make_site: MakeSite, s3: S3Server, backend: str
    ) -> None:
        site = make_site(s3, FILES)
        site.use(backend)
        site.proxy.rule = shaky(seed=1)
        site.collect()
        site.proxy.rule = None
        assert ", 0 failed; " in site.output
        if backend == PLAIN_CLASS:
            assert site.remote_tree() == tree(site.source)
        else:
            django = site.as_django()
            remote = site.remote_tree()
            assert {name: remote[name] for name in django} == django
        with recorded(site.proxy) as traffic:
            site.collect()
        assert traffic.operations == {"ListObjects": 1, "GetObject": 2}

    def test_refused_key_is_an_error(self, each_site: Site) -> None:
        site = each_site
        site.proxy.rule = first_of(for_keys(["static/img/dot.png"], ACCESS_DENIED), shaky(seed=2))
        with pytest.raises(CommandError) as caught:
            site.collect()
        assert str(caught.value).endswith(
            "s3:PutObject is missing, or the bucket belongs to "
            "another account. Grant it to the IAM user of AWS_ACCESS_KEY_ID, and check "
            "AWS_STORAGE_BUCKET_NAME.\n  static/img/dot.png"
        )
        site.proxy.rule = None
        assert site.manifests() == set()
        assert not (site.root / "staticfiles.json").exists()

    @pytest.mark.usefixtures("no_pauses")
    def test_endless_slow_downs_are_an_error(self, site: Site) -> None:
        site.proxy.rule = for_keys(["static/img/dot.png"], SLOW_DOWN)
        hint = "HEROKUIFY_UPLOAD_CONCURRENCY = 16"
        with pytest.raises(CommandError, match=rf"(?s)503 SlowDown.*{hint}.*static/img/dot\.png"):
            site.collect()
        assert site.manifests() == set()

    @pytest.mark.parametrize("writes", [1, 50, 88, 89, 90])
    def test_missing_answers_leave_the_bucket_consistent(
        self, make_site: MakeSite, moto: S3Server, writes: int
    ) -> None:
        """After some writes, connections stay open without an answer."""
        silence = Silence(writes)
        with replay(moto.endpoint_url) as proxy:
            try:
                site = make_site(moto, FILES, proxy=proxy)
                proxy.rule = silence
                run = site.start(silence=2.0)
                code = run.wait(30)
            finally:
                silence.end()
            if writes < TOTAL:
                assert code == 1
                assert "S3 has not responded for 2 s" in run.text
                assert not (site.root / "staticfiles.json").exists()
            else:  # all is published, and the index costs only time
                assert code == 0
                assert "index.json.gz can't be read or written (S3 has not" in run.text
            assert len(site.names()) == writes
            site.assert_whole()
            proxy.rule = None
            with recorded(proxy) as traffic:
                site.collect()
            # Existing objects are checked by HEAD; missing ones are sent.
            assert len(traffic.writes) == TOTAL - writes + 1
            assert traffic.operations["HeadObject"] == writes
            site.assert_whole()

    @pytest.mark.parametrize("fault", [Fault.DROPPED, Fault.LOST])
    def test_broken_network_leaves_the_bucket_consistent(
        self, make_site: MakeSite, s3: S3Server, fault: Fault
    ) -> None:
        with replay(s3.endpoint_url) as proxy:
            site = make_site(s3, FILES, proxy=proxy)
            proxy.rule = after(30, fault)
            run = site.start(silence=2.0)
            assert run.wait(30) == 1
            proxy.rule = None
            assert "could not be sent" in run.text
            assert site.manifests() == set()
            there = len(site.names())
            assert there >= 30 if fault is Fault.LOST else there == 30
            with recorded(proxy) as traffic:
                site.collect()
            assert len(traffic.writes) == TOTAL - there + 1
            site.assert_whole()


class Witness:
    """A rule that sets an event at one of the requests, and slows all of them down."""

    def __init__(self, moment: int) -> None:
        self.moment = moment
        self.has_come = threading.Event()
        self._seen = 0
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> None:
        with self._lock:
            self._seen += 1
            if self._seen == self.moment:
                self.has_come.set()
        time.sleep(0.01)  # so that other requests are under way at the signal


def release(number: int) -> Files:
    """Return the files of a release: some unchanged, some changed, some new."""
    return {
        **SMALL,
        "css/base.css": f"/* {number} */",
        **{f"{part}/{number}.txt": f"{part} {number}" for part in range(5)},
        **{f"{part}.txt": f"{part} {number}" for part in range(5)},
    }


class TestKilledRuns:
    def test_leave_no_manifest_of_missing_objects(self, make_site: MakeSite, s3: S3Server) -> None:
        site = make_site(s3)
        site.collect()
        chance = random.Random(1)
        codes = []
        for number in range(20 if s3.name == "ceph" else 10):
            site.write(release(number))
            # Listing, index, 11 to 31 new hashed names, plain names, manifests, index.
            witness = Witness(chance.randrange(1, 60))
            site.proxy.rule = witness
            run = site.start()
            while run.process.is_alive() and not witness.has_come.is_set():
                witness.has_come.wait(0.05)
            number_of_signal = chance.choice([signal.SIGTERM, signal.SIGKILL])
            if run.process.is_alive():
                os.kill(run.process.pid or 0, number_of_signal)
            codes.append(run.wait())
            site.assert_whole()
        assert (
            {-signal.SIGTERM, -signal.SIGKILL}
            <= set(codes)
            <= {
                0,
                -signal.SIGTERM,
                -signal.SIGKILL,
            }
        )
        site.proxy.rule = None
        site.assert_whole()
        # The next run completes.
        site.collect()
        django = site.as_django()
        assert site.published() == json.loads(django["staticfiles.json"])["paths"]
        remote = site.remote_tree()
        assert {name: remote[name] for name in django} == django


class TestTwoRuns:
    @pytest.mark.parametrize("options", [[], ["--clear", "--prune", "0"]])
    def test_both_releases_are_complete(
        self, make_site: MakeSite, s3: S3Server, options: list[str]
    ) -> None:
        """Two builds of different commits, from different machines, to one bucket."""
        site = make_site(s3)
        site.collect()
        site.proxy.rule = delayed(0.01)
        runs = []
        for number in (1, 2):
            source, root = site.folder / f"source{number}", site.folder / f"root{number}"
            write(source, release(number))
            site.configure(STATICFILES_DIRS=[source], STATIC_ROOT=root, COMPRESS_ROOT=root)
            runs.append(site.start(*options))
        assert [run.wait() for run in runs] == [0, 0], runs[0].text + runs[1].text
        site.proxy.rule = None
        site.assert_whole()
        for number in (1, 2):
            # Everything that the manifest in each slug names exists.
            text = (site.folder / f"root{number}" / "staticfiles.json").read_text()
            assert set(json.loads(text)["paths"].values()) <= site.names()
        # Whichever run wrote the index last, the next run of either completes.
        for number in (1, 2):
            root = site.folder / f"root{number}"
            site.configure(
                STATICFILES_DIRS=[site.folder / f"source{number}"],
                STATIC_ROOT=root,
                COMPRESS_ROOT=root,
            )
            site.collect()
            django = tree(root)
            remote = site.remote_tree()
            assert {name: remote[name] for name in django} == django
            site.assert_whole()


class TestDisk:
    def test_full_disk_is_an_error(self, make_site: MakeSite, s3: S3Server) -> None:
        """With a limit on the size of files, which fails where a full disk does."""
        site = make_site(s3)
        site.collect()
        before = tree(site.root), site.read("staticfiles.json")
        site.write({"large.bin": bytes(100_000), "robots.txt": "changed"})
        run = site.start(file_size=50_000)
        assert run.wait() == 1
        assert "CommandError: large." in run.text
        assert f"can't be written to STATIC_ROOT ({site.root})" in run.text
        assert "File too large" in run.text
        names = set(before[0])
        now = {name: data for name, data in tree(site.root).items() if name in names}
        assert now == {**before[0], "robots.txt": now["robots.txt"]}
        assert not [name for name in tree(site.root) if ".herokuify-" in name]
        assert site.read("staticfiles.json") == before[1]
        site.assert_whole()

    @pytest.mark.parametrize("place", ["css", "img/dot.png"])
    def test_file_in_place_of_a_folder_is_an_error(self, site: Site, place: str) -> None:
        """A file where a folder must be, or the reverse."""
        way = site.root / place
        if place == "img/dot.png":
            way.mkdir(parents=True)
        else:
            write(site.root, {place: "in the way"})
        with pytest.raises(CommandError, match="can't be written to STATIC_ROOT"):
            site.collect()
        assert site.manifests() == set()

    @pytest.mark.parametrize("name", ["staticfiles.json", "robots.txt"])
    def test_read_only_folder_is_an_error(
        self, site: Site, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        site.collect()
        before = (site.root / "staticfiles.json").read_bytes()
        site.write({"robots.txt": "changed"})
        replace = Path.replace

        def refuse(self: Path, target: Path) -> Path:
            if target.name == name:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(target))
            return replace(self, target)

        monkeypatch.setattr(Path, "replace", refuse)
        with pytest.raises(ImproperlyConfigured, match="Read-only file system") as caught:
            site.collect()
        assert str(site.root) in str(caught.value)
        assert 'STATIC_ROOT = BASE_DIR / "staticfiles"' in str(caught.value)
        assert (site.root / "staticfiles.json").read_bytes() == before
        site.assert_whole()
        monkeypatch.undo()
        site.collect()
        site.assert_whole()
        assert (site.root / "staticfiles.json").read_bytes() == site.read("staticfiles.json")

    def test_vanished_file_is_an_error(self, site: Site) -> None:
        """Between hashing and sending; the error names its key."""
        site.use(PLAIN_CLASS)
        site.collect()
        site.write({"robots.txt": "changed", "css/base.css": "changed"})
        decided = threading.Event()

        def rule(request: Request) -> None:
            if is_put(request) and not decided.is_set():
                decided.set()
                site.remove("robots.txt")

        site.write({"new.txt": "sent before all that changed"})
        site.proxy.rule = rule
        with pytest.raises(CommandError, match=r"(?s)No such file.*\n  static/robots\.txt"):
            site.collect()


SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIAQQQQQQQQQQQQQQQQ",
    "AWS_SECRET_ACCESS_KEY": "SeCrEtSeCrEtSeCrEtSeCrEtSeCrEtSeCrEtSeCr",
    "AWS_SESSION_TOKEN": "ToKeNToKeNToKeNToKeNToKeN",
}


class TestSecrets:
    @pytest.mark.parametrize("verbosity", range(4))
    @pytest.mark.parametrize(
        "fault",
        [None, ACCESS_DENIED, EXPIRED_TOKEN, UNKNOWN_KEY, WRONG_SECRET, CLOCK_SKEW, Fault.DROPPED],
        ids=lambda fault: getattr(fault, "code", str(fault)),
    )
    @pytest.mark.usefixtures("no_pauses")
    def test_are_not_printed(
        self,
        site: Site,
        fault: Answer | Fault | None,
        verbosity: int,
        capsys: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level("DEBUG", logger="herokuify")
        site.configure(**SECRETS)
        site.proxy.rule = after(5, fault)
        site.settings.DEBUG = True
        shown = ""
        try:
            site.collect(verbosity=verbosity, traceback=True)
            assert fault is None
        except (CommandError, ImproperlyConfigured) as error:
            assert fault is not None
            shown = "".join(traceback.format_exception(error))
        captured = capsys.readouterr()
        output = shown + site.output + captured.out + captured.err + caplog.text
        for secret in SECRETS.values():
            assert secret not in output
        site.proxy.rule = None
        assert any(SECRETS["AWS_SESSION_TOKEN"] in str(r.headers) for r in site.proxy.requests)
