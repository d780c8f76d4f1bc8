"""Runs that are killed while they create the bucket, and the runs after them."""

import os
import signal
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError
from django.core.exceptions import ImproperlyConfigured

from tests.collect.conftest import MANIFEST_CLASS, PLAIN_CLASS, MakeSite, Site
from tests.collect.runs import Run
from tests.fault_proxy import recorded
from tests.replay import OWN_BUCKET, Answer, Document, Fault, Request
from tests.servers import S3Server

pytestmark = pytest.mark.once

STEPS = ["CreateBucket", "HeadBucket", "GetPublicAccessBlock", "PutBucketPolicy", "PutBucketCors"]


def has_policy(site: Site) -> bool:
    try:
        site.client.get_bucket_policy(Bucket=site.bucket)
    except ClientError:
        return False
    return True


def exists(site: Site) -> bool:
    return site.bucket in {one["Name"] for one in site.client.list_buckets()["Buckets"]}


def visit(site: Site, name: str) -> int:
    try:
        with urlopen(f"{site.proxy.url}/{site.bucket}/static/{name}") as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


@pytest.fixture
def site_without_bucket(make_site: MakeSite, s3: S3Server) -> Site:
    """A site whose bucket is missing."""
    site = make_site(s3)
    site.client.delete_bucket(Bucket=site.bucket)
    site.configure(AWS_AUTO_CREATE_BUCKET=True)
    return site


class TestKilledWhileTheBucketIsMade:
    @pytest.mark.parametrize("step", STEPS)
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
    def test_next_run_completes_or_names_the_command(
        self, site_without_bucket: Site, step: str, number: signal.Signals
    ) -> None:
        site = site_without_bucket
        seen: list[str] = []
        runs: list[Run] = []

        def rule(request: Request) -> Answer | None:
            seen.append(request.operation)
            # The first HEAD checks whether the bucket exists.
            is_late = step != "HeadBucket" or "CreateBucket" in seen
            if request.operation == step and is_late and str(number) not in seen:
                seen.append(str(number))
                os.kill(runs[0].process.pid or 0, number)
            return None

        site.proxy.rule = rule
        runs.append(site.start())
        code = runs[0].wait()
        assert str(number) in seen
        if number == signal.SIGKILL:
            assert code == -number
        else:
            # The bucket is removed again, unless S3 creates it after the process has ended.
            assert code not in {0, None}, runs[0].text
            assert step == "CreateBucket" or not exists(site)
        site.proxy.rule = None
        was_made = exists(site)
        again = site.start()
        if again.wait() == 0:
            assert has_policy(site)
            assert visit(site, "robots.txt") == 200
        else:
            assert was_made
            assert "visitors can't read the static files" in again.text
            assert "python manage.py herokuify bucket --apply" in again.text
            assert site.manifests() == set()

    @pytest.mark.usefixtures("no_pauses")
    def test_lost_answer_to_the_creation_is_no_error(self, site_without_bucket: Site) -> None:
        """The second attempt meets the bucket of the first one."""
        site = site_without_bucket
        answers: list[Fault | Answer | None] = [Fault.LOST, OWN_BUCKET]

        def rule(request: Request) -> Fault | Answer | None:
            if request.operation == "CreateBucket":
                return answers.pop(0)
            return None

        site.proxy.rule = rule
        site.collect()
        assert has_policy(site)


@pytest.mark.usefixtures("no_pauses")
class TestVisitors:
    @pytest.mark.parametrize("backend", [MANIFEST_CLASS, PLAIN_CLASS])
    def test_who_are_denied_are_reported(
        self,
        make_site: MakeSite,
        s3: S3Server,
        backend: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        site = make_site(s3)
        site.use(backend)
        policy = site.client.get_bucket_policy(Bucket=site.bucket)["Policy"]
        site.client.delete_bucket_policy(Bucket=site.bucket)
        # herokuify manages the bucket: every run is an error.
        site.configure(AWS_AUTO_CREATE_BUCKET=True)
        for _ in range(3):
            with pytest.raises(ImproperlyConfigured, match="herokuify bucket --apply") as caught:
                site.collect()
            assert "responds with 403 to requests without credentials" in str(caught.value)
            assert site.manifests() == set()
            assert not (site.root / "staticfiles.json").exists()
            assert site.index() == {}
        # Someone else manages the bucket: a warning, as the policy may come later.
        site.configure(AWS_AUTO_CREATE_BUCKET=False)
        site.collect()
        assert caplog.text.count("visitors can't read the static files") == 1
        assert "python manage.py herokuify bucket --apply" in caplog.text
        site.assert_whole()
        caplog.clear()
        site.client.put_bucket_policy(Bucket=site.bucket, Policy=policy)
        site.write({"new.txt": "new"})
        site.collect()
        assert caplog.text == ""

    def test_access_is_checked_only_when_files_are_sent(self, site: Site) -> None:
        def strangers() -> list[str]:
            found = [r for r in traffic.requests if "authorization" not in r.headers]
            return [request.operation for request in found]

        with recorded(site.proxy) as traffic:
            site.collect()
        assert strangers() == ["GetObject"]
        with recorded(site.proxy) as traffic:
            site.collect()
            site.collect("--dry-run")
        assert strangers() == []

    @pytest.mark.parametrize("answer", [Answer("", 404, "NoSuchKey", ""), Fault.DROPPED, "page"])
    def test_without_a_clear_answer_are_a_warning(
        self, site: Site, answer: Answer | Fault | str, caplog: pytest.LogCaptureFixture
    ) -> None:
        def rule(request: Request) -> Answer | Document | Fault | None:
            if "authorization" in request.headers:
                return None
            return Document("", b"<html>", 302, {"Location": "/x"}) if answer == "page" else answer  # type: ignore[return-value]

        site.proxy.rule = rule
        site.collect()
        assert caplog.text.count("Can't tell whether visitors can read the static files") == 1
        site.assert_whole()

    def test_access_through_a_cdn_is_not_checked(self, site: Site) -> None:
        site.configure(STATIC_URL="https://cdn.example.com/static/")
        with recorded(site.proxy) as traffic:
            site.collect()
        assert all("authorization" in request.headers for request in traffic.requests)
