"""The order in which files are published, and the state after a failure."""

import json

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError

from tests.collect.conftest import INDEX, MANIFEST_CLASS, PLAIN_CLASS, MakeSite, Site, tree
from tests.collect.sites import SMALL
from tests.fault_proxy import (
    after,
    always,
    anything,
    delayed,
    first_of,
    for_keys,
    is_put,
    key_of,
    recorded,
)
from tests.replay import (
    ACCESS_DENIED,
    CLOCK_SKEW,
    EXPIRED_TOKEN,
    NO_ACLS,
    SLOW_DOWN,
    UNKNOWN_KEY,
    WRONG_SECRET,
    Answer,
    Fault,
    Request,
)
from tests.servers import S3Server

pytestmark = pytest.mark.no_django

GONE = Answer("Amazon S3 API Reference, 'Error responses'", 404, "NoSuchBucket", "No bucket")


class TestOrder:
    def test_manifest_comes_last(self, site: Site) -> None:
        with recorded(site.proxy) as traffic:
            site.collect()
        paths = site.published()
        copy = (site.manifests() - {"staticfiles.json"}).pop()
        hashed, plain = len(paths), len(SMALL)
        names = [key.removeprefix("static/") for key in traffic.writes]
        assert set(names[:hashed]) == set(paths.values())
        assert set(names[hashed : hashed + plain]) == set(SMALL)
        assert names[hashed + plain :] == [copy, "staticfiles.json", INDEX]

    @pytest.mark.parametrize("slow", ["css/base.", "robots.txt", "staticfiles."])
    def test_each_stage_waits_for_the_one_before(self, site: Site, slow: str) -> None:
        """Even if one upload of a stage takes longer than all others."""
        finished: list[str] = []
        forward = site.proxy.forward

        def record(request: Request, target: str) -> tuple[int, list[tuple[str, str]], bytes]:
            answer = forward(request, target)
            if is_put(request):
                finished.append(key_of(request).removeprefix("static/"))
            return answer

        site.proxy.rule = delayed(0.3, lambda request: slow in request.path)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(site.proxy, "forward", record)
            site.collect()
        assert set(finished[:5]) == set(site.published().values())
        assert set(finished[5:10]) == set(SMALL)
        assert [name.partition(".")[0] for name in finished[10:12]] == ["staticfiles"] * 2
        assert finished[11:] == ["staticfiles.json", INDEX]

    def test_new_files_come_before_changed_ones(self, site: Site) -> None:
        site.use(PLAIN_CLASS)
        site.collect()
        site.write(
            {
                "css/a.css": '@import "new.css"',
                "css/site.css": '@import "new.css"',
                "css/new.css": "",
                "zoo.txt": "",
            }
        )
        site.proxy.rule = delayed(0.2, lambda request: "new.css" in request.path)
        with recorded(site.proxy) as traffic:
            site.collect()
        names = [key.removeprefix("static/") for key in traffic.writes]
        assert set(names[:3]) == {"css/a.css", "css/new.css", "zoo.txt"}
        assert names[3:] == ["css/site.css", INDEX]

    def test_changed_files_wait_for_a_failing_new_one(self, site: Site) -> None:
        site.use(PLAIN_CLASS)
        site.collect()
        site.write({"css/site.css": '@import "new.css"', "css/new.css": ""})
        site.proxy.rule = for_keys(["static/css/new.css"], ACCESS_DENIED)
        with pytest.raises(CommandError, match=r"static/css/new\.css"):
            site.collect()
        assert site.read("css/site.css") == SMALL["css/site.css"].encode()  # type: ignore[union-attr]

    def test_local_manifest_comes_after_all_uploads(self, site: Site) -> None:
        seen = []

        def rule(request: Request) -> None:
            if is_put(request):
                seen.append((site.root / "staticfiles.json").exists())

        site.proxy.rule = rule
        site.collect()
        # Only the index is written after it.
        assert seen == [False] * (len(seen) - 1) + [True]


def everything(site: Site) -> tuple[dict[str, bytes], bytes]:
    """Return what a failure must not change: the manifests, on S3 and on the disk."""
    manifests = {name: site.read(name) for name in site.manifests()}
    return manifests, (site.root / "staticfiles.json").read_bytes()


class TestFailure:
    @pytest.mark.parametrize("stage", ["hashed", "plain", "copy", "usual"])
    def test_leaves_the_old_release_whole(self, site: Site, stage: str) -> None:
        site.collect()
        before = everything(site)
        hashed_before = dict(staticfiles_storage.hashed_files)  # type: ignore[attr-defined]
        site.write({"robots.txt": "changed", "css/base.css": "changed", "new.txt": "new"})
        dry = site.collect("--dry-run")
        names = [line.split("'")[1] for line in dry.splitlines() if line.startswith("Would send")]
        refused = {
            "hashed": [name for name in names if name.startswith("new.") and name != "new.txt"],
            "plain": ["robots.txt"],
            "copy": [name for name in names if name.startswith("staticfiles.") and len(name) > 20],
            "usual": ["staticfiles.json"],
        }[stage]
        assert len(refused) == 1
        site.proxy.rule = for_keys([f"static/{refused[0]}"], ACCESS_DENIED)
        with pytest.raises(CommandError) as caught:
            site.collect()
        message = str(caught.value)
        assert message.startswith("1 file could not be sent. ")
        assert "S3 denied access" in message
        assert "s3:PutObject" in message
        assert message.endswith(f"  static/{refused[0]}")
        assert "its manifest is unchanged" in message
        site.proxy.rule = None
        manifests, local = everything(site)
        if stage == "usual":  # the new copy may exist, as all its files do
            manifests = {name: text for name, text in manifests.items() if name in before[0]}
        assert (manifests, local) == before
        assert dict(staticfiles_storage.hashed_files) == hashed_before  # type: ignore[attr-defined]
        site.assert_whole()
        # The next run sends what is missing, and the index.
        with recorded(site.proxy) as traffic:
            site.collect()
        assert f"static/{refused[0]}" in traffic.writes
        assert len(site.published()) == len(SMALL) + 1
        site.assert_whole()

    def test_names_every_key_below_its_cause(self, site: Site) -> None:
        site.use(PLAIN_CLASS)
        site.proxy.rule = first_of(
            for_keys(["static/robots.txt", "static/css/base.css"], ACCESS_DENIED),
            for_keys(["static/js/site.js"], NO_ACLS),
        )
        with pytest.raises(CommandError) as caught:
            site.collect()
        message = str(caught.value)
        denied, _, acls = message.partition("ACLs disabled")
        assert "  static/css/base.css\n  static/robots.txt\n" in denied
        assert message.count("S3 denied access") == 1
        assert acls.endswith("\n  static/js/site.js")
        assert "the next run sends the rest" in message
        # What could be sent was sent.
        assert site.names() == {"css/site.css", "img/dot.png"}

    def test_many_failures_are_all_named_and_not_all_tried(
        self, make_site: MakeSite, moto: S3Server
    ) -> None:
        site = make_site(moto, {f"{number:03}.txt": f"{number}" for number in range(250)})
        site.proxy.rule = always(ACCESS_DENIED)
        with recorded(site.proxy) as traffic, pytest.raises(CommandError) as caught:
            site.collect()
        assert 100 <= len(traffic.writes) < 200
        lines = str(caught.value).splitlines()
        assert len({line for line in lines if line.startswith("  static/")}) == 250
        assert site.names() == set()
        assert not (site.root / "staticfiles.json").exists()

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (EXPIRED_TOKEN, "AWS_SESSION_TOKEN"),
            (CLOCK_SKEW, "Set the clock"),
            (UNKNOWN_KEY, "heroku config:set AWS_ACCESS_KEY_ID=…"),
            (WRONG_SECRET, "AWS_SECRET_ACCESS_KEY does not match"),
            (GONE, "does not exist"),
        ],
        ids=lambda value: value.code if isinstance(value, Answer) else "",
    )
    @pytest.mark.parametrize("passing", [0, 4])
    def test_of_credentials_or_bucket_stops_the_run(
        self, site: Site, answer: Answer, words: str, passing: int
    ) -> None:
        """From the first request on, or midway."""
        site.proxy.rule = after(passing, answer, is_put if passing else anything)
        with pytest.raises((CommandError, ImproperlyConfigured)) as caught:
            site.collect()
        assert words in str(caught.value)
        site.proxy.rule = None
        assert len(site.names()) == passing
        assert site.manifests() == set()
        assert not (site.root / "staticfiles.json").exists()
        with recorded(site.proxy) as traffic:
            site.collect()
        assert traffic.operations["PutObject"] == 12 - passing + 1
        site.assert_whole()

    def test_of_the_listing_is_an_error(self, site: Site) -> None:
        site.proxy.on("ListObjects", ACCESS_DENIED)
        with pytest.raises(ImproperlyConfigured, match="s3:ListBucket"):
            site.collect()
        assert site.names() == set()

    def test_of_the_index_is_a_warning(self, site: Site, caplog: pytest.LogCaptureFixture) -> None:
        site.proxy.rule = for_keys([INDEX], ACCESS_DENIED)
        site.collect()
        assert "s3:PutObject" in caplog.text
        site.assert_whole()


@pytest.mark.usefixtures("no_pauses")
class TestRetries:
    @pytest.mark.parametrize("fault", [SLOW_DOWN, Fault.DROPPED, Fault.LOST])
    @pytest.mark.parametrize("backend", [MANIFEST_CLASS, PLAIN_CLASS])
    def test_each_request_may_fail_once(
        self, site: Site, backend: str, fault: Answer | Fault
    ) -> None:
        site.use(backend)
        failed: set[tuple[str, str]] = set()

        def rule(request: Request) -> Answer | Fault | None:
            asked = request.method, request.path
            if asked in failed:
                return None
            failed.add(asked)
            return fault

        site.proxy.rule = rule
        site.collect()
        assert len(failed) == len(site.names()) + 4  # and what a visitor asks for
        site.proxy.rule = None
        names = set(SMALL)
        assert names <= site.names()
        assert {name: site.read(name) for name in names} == tree(site.source)
        with recorded(site.proxy) as traffic:
            site.collect()
        assert traffic.operations == {"ListObjects": 1, "GetObject": 2}


def test_manifest_names_only_what_was_sent(each_site: Site) -> None:
    each_site.collect()
    assert set(json.loads(each_site.read("staticfiles.json"))["paths"]) == set(SMALL)
    each_site.assert_whole()
