"""Access to the bucket and permissions in it, on moto and Ceph and with answers of AWS."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from botocore.config import Config
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from pytest_django import Settings

from herokuify.storage import S3BotoStorage
from tests import replay
from tests.doctor.conftest import (
    MEDIA,
    PUBLIC,
    STATIC,
    Diagnose,
    contents,
    deny,
    policy,
)
from tests.fault_proxy import always
from tests.replay import Answer, Document, Fault, Proxy
from tests.servers import S3Server, client_of
from tests.storage.helpers import on_ceph
from tests.storages import Connect

pytestmark = pytest.mark.no_django

STEPS = ("s3.connection", "s3.region", "s3.clock", "s3.credentials", "s3.bucket")
OBJECTS = ("s3.list", "s3.put", "s3.conditional-put", "s3.get", "s3.delete")
KEYS = "heroku config:set AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…"


def test_ready_bucket_has_no_problems(ready: S3Server, bucket: str, diagnose: Diagnose) -> None:
    found = diagnose()
    assert found.failed == []
    assert found.warned == []
    assert found.states(*STEPS) == ["ok"] * 5
    assert found.states(*OBJECTS, subject="'default'") == ["ok"] * 5
    assert found.states(*OBJECTS, subject="'staticfiles'") == ["ok", "ok", "skipped", "ok", "ok"]
    names = ("static.public", "static.cors", "media.url", "media.private")
    assert found.states(*names) == ["ok"] * 4
    assert contents(ready, bucket) == []


@pytest.mark.parametrize("status", ["Enabled", "Suspended"])
def test_leaves_no_version(ready: S3Server, bucket: str, diagnose: Diagnose, status: str) -> None:
    client = client_of(ready)
    storages["default"].save("a.txt", ContentFile(b"before"))
    for state in dict.fromkeys(["Enabled", status]):
        configuration: Any = {"Status": state}
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=configuration)
    before = contents(ready, bucket)
    assert diagnose().failed == []
    assert contents(ready, bucket) == before


BROKEN: dict[str, tuple[Answer | Document, str, list[str]]] = {
    "unknown key": (replay.UNKNOWN_KEY, "s3.credentials", ["AWS_ACCESS_KEY_ID", KEYS]),
    "wrong secret": (replay.WRONG_SECRET, "s3.credentials", ["AWS_SECRET_ACCESS_KEY", KEYS]),
    "expired": (replay.EXPIRED_TOKEN, "s3.credentials", ["expired", "AWS_SESSION_TOKEN=…"]),
    "invalid": (replay.INVALID_TOKEN, "s3.credentials", ["AWS_SESSION_TOKEN", KEYS]),
    "clock": (replay.CLOCK_SKEW, "s3.clock", ["15 minutes", "clock"]),
    "region": (
        replay.wrong_region("us-east-1", "eu-west-1"),
        "s3.region",
        ["heroku config:set AWS_S3_REGION_NAME=eu-west-1"],
    ),
    "moved": (
        replay.moved("eu-west-1"),
        "s3.region",
        ["heroku config:set AWS_S3_REGION_NAME=eu-west-1"],
    ),
    "name": (replay.INVALID_NAME, "s3.bucket", ["AWS_STORAGE_BUCKET_NAME=…"]),
    "broken": (replay.INTERNAL_ERROR, "s3.connection", ["500 InternalError", "try again"]),
    "no S3": (
        Answer("RFC 9110, '404 Not Found'", 404, "404", "Not Found"),
        "s3.connection",
        ["404", "AWS_S3_ENDPOINT_URL"],
    ),
    "page": (
        Document("RFC 9110, '200 OK'", b"<html><p>Hello, marked-page</html>"),
        "s3.connection",
        ["AWS_S3_ENDPOINT_URL"],
    ),
}


@pytest.mark.usefixtures("s3_storages", "no_pauses")
class TestFirstAnswer:
    @pytest.mark.parametrize(("answer", "step", "parts"), BROKEN.values(), ids=BROKEN)
    def test_failure_is_named_and_the_rest_is_skipped(
        self, proxied: Proxy, diagnose: Diagnose, answer: Any, step: str, parts: list[str]
    ) -> None:
        proxied.rule = always(answer, lambda request: True)
        found = diagnose()
        assert found.failed == [step]
        for part in parts:
            assert part in found.of(step).text
        number = STEPS.index(step)
        assert found.states(*STEPS[:number]) == ["ok"] * number
        assert found.states(*STEPS[number + 1 :]) == ["skipped"] * (4 - number)
        skipped = [one for one in found.findings if f"{step} failed" in one.message]
        # Probes that didn't run have a finding, too.
        assert len(skipped) == 4 - number + 7 + 9
        assert "PutObject" not in proxied.operations

    def test_clock_that_is_an_hour_off_fails(self, proxied: Proxy, diagnose: Diagnose) -> None:
        date = format_datetime(datetime.now(timezone.utc) + timedelta(hours=1), usegmt=True)
        refusal = replace(replay.CLOCK_SKEW, headers={"Date": date})
        proxied.rule = always(refusal, lambda request: True)
        clock = diagnose().of("s3.clock")
        assert clock.state == "failed"
        assert "60 minutes behind S3's" in clock.message
        assert "timedatectl" in clock.hint

    @pytest.mark.parametrize(("minutes", "state"), [(-5, "warning"), (5, "warning"), (0, "ok")])
    def test_clock_that_is_minutes_off_is_a_warning(
        self, proxied: Proxy, diagnose: Diagnose, minutes: int, state: str
    ) -> None:
        moment = datetime.now(timezone.utc) + timedelta(minutes=minutes)
        listing = Document(
            replay.ERRORS,
            b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
            headers={"Date": format_datetime(moment, usegmt=True)},
        )
        proxied.on("ListObjects", listing)
        clock = diagnose().of("s3.clock")
        assert clock.state == state
        if minutes:
            assert ("ahead of" if minutes < 0 else "behind") in clock.message
            assert "5 minutes" in clock.message

    def test_right_region_is_confirmed(self, proxied: Proxy, diagnose: Diagnose) -> None:
        listing = Document(
            replay.ERRORS,
            b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
            headers={"x-amz-bucket-region": "us-east-1"},
        )
        proxied.on("ListObjects", listing)
        assert diagnose().of("s3.region").message == "The bucket is in us-east-1, as configured."

    def test_wrong_region_fails_even_if_botocore_follows(
        self, proxied: Proxy, diagnose: Diagnose
    ) -> None:
        listing = Document(
            replay.ERRORS,
            b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
            headers={"x-amz-bucket-region": "eu-west-1"},
        )
        proxied.on("ListObjects", listing)
        found = diagnose()
        region = found.of("s3.region")
        assert region.state == "failed"
        assert region.hint == "heroku config:set AWS_S3_REGION_NAME=eu-west-1"
        # Everything else works and is probed.
        assert found.states("s3.put", subject="'default'") == ["ok"]

    def test_unreachable_server_fails(
        self, connect: Connect, moto: S3Server, closed_port: int, diagnose: Diagnose
    ) -> None:
        connect(moto, "bucket", endpoint_url=f"http://127.0.0.1:{closed_port}")
        found = diagnose()
        assert found.failed == ["s3.connection"]
        assert "could not be reached" in found.of("s3.connection").message
        assert "AWS_S3_ENDPOINT_URL" in found.of("s3.connection").hint

    def test_untrusted_certificate_fails(
        self, connect: Connect, moto: S3Server, tls_url: str, diagnose: Diagnose
    ) -> None:
        connect(moto, "bucket", endpoint_url=tls_url)
        found = diagnose()
        assert found.failed == ["s3.connection"]
        assert "is not trusted" in found.of("s3.connection").message
        assert "AWS_S3_VERIFY" in found.of("s3.connection").hint

    def test_missing_credentials_fail(
        self, connect: Connect, moto: S3Server, moto_bucket: str, diagnose: Diagnose
    ) -> None:
        connect(moto, moto_bucket, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
        found = diagnose()
        assert found.failed == ["s3.credentials"]
        assert found.of("s3.credentials").hint == KEYS


class TestSettings:
    def test_mistakes_are_reported_once(
        self, connect: Connect, moto: S3Server, s3_storages: None, diagnose: Diagnose
    ) -> None:
        connect(moto, "", STATIC_URL="/static/")
        found = diagnose()
        assert any("AWS_STORAGE_BUCKET_NAME=…" in one.text for one in found.checks)
        assert found.is_broken
        assert found.failed == []
        for alias in ("'default'", "'staticfiles'"):
            assert found.states("s3.settings", "s3.list", subject=alias) == ["skipped"] * 2

    def test_mistakes_are_reported_if_their_check_is_silenced(
        self,
        connect: Connect,
        moto: S3Server,
        settings: Settings,
        s3_storages: None,
        diagnose: Diagnose,
    ) -> None:
        connect(moto, "", STATIC_URL="/static/")
        told = [one.probe.removeprefix("check ") for one in diagnose().checks]
        settings.SILENCED_SYSTEM_CHECKS = told
        found = diagnose()
        assert found.failed == ["s3.settings", "s3.settings"]
        assert "AWS_STORAGE_BUCKET_NAME=…" in found.of("s3.settings", "'default'").hint

    def test_malformed_region_is_reported(
        self, connect: Connect, moto: S3Server, s3_storages: None, diagnose: Diagnose
    ) -> None:
        connect(moto, "bucket", AWS_S3_REGION_NAME="Europe (Ireland)")
        found = diagnose()
        assert "AWS_S3_REGION_NAME" in found.of("s3.region").text

    def test_local_storages_are_skipped(
        self, name_storages: Callable[..., None], diagnose: Diagnose
    ) -> None:
        name_storages()
        found = diagnose()
        assert found.failed == []
        assert not [one for one in found.findings if one.probe.startswith(("s3.", "static."))]
        assert found.of("s3", "'staticfiles'").message == (
            "StaticFilesStorage is not a herokuify storage"
        )

    def test_missing_class_fails(
        self, name_storages: Callable[..., None], diagnose: Diagnose
    ) -> None:
        name_storages(default="herokuify.storage.S3MediaStorag")
        found = diagnose()
        assert any("S3MediaStorag" in one.text for one in found.findings if one.state == "failed")

    def test_class_that_raises_fails(
        self, name_storages: Callable[..., None], diagnose: Diagnose
    ) -> None:
        name_storages(default="tests.doctor.test_access.Unmade")
        failed = [one for one in diagnose().findings if one.state == "failed"]
        assert any("marked" in one.message for one in failed)


class Unmade(S3BotoStorage):
    def __init__(self, **options: Any) -> None:
        raise RuntimeError("marked")


@on_ceph
class TestRights:
    """Only Ceph, which checks signatures and policies; a denial applies to the owner, too."""

    def test_wrong_secret_fails(
        self, connect: Connect, s3: S3Server, bucket: str, s3_storages: None, diagnose: Diagnose
    ) -> None:
        connect(s3, bucket, AWS_SECRET_ACCESS_KEY="marked-wrong")
        found = diagnose()
        assert found.failed == ["s3.credentials"]
        assert found.of("s3.credentials").hint == KEYS

    def test_unknown_key_fails(
        self, connect: Connect, s3: S3Server, bucket: str, s3_storages: None, diagnose: Diagnose
    ) -> None:
        connect(s3, bucket, AWS_ACCESS_KEY_ID="marked-unknown")
        found = diagnose()
        assert found.failed == ["s3.credentials"]
        assert "does not know this AWS_ACCESS_KEY_ID" in found.of("s3.credentials").message

    @pytest.mark.parametrize("creates", [False, True])
    def test_missing_bucket_is_reported(
        self,
        connect: Connect,
        s3: S3Server,
        bucket_name: str,
        s3_storages: None,
        diagnose: Diagnose,
        creates: bool,
    ) -> None:
        connect(s3, bucket_name, AWS_AUTO_CREATE_BUCKET=creates)
        found = diagnose()
        bucket = found.of("s3.bucket")
        assert f"{bucket_name!r} does not exist" in bucket.message
        assert found.states("s3.credentials") == ["ok"]
        if creates:
            assert found.failed == []
            assert bucket.state == "warning"
            assert "collectstatic" in bucket.hint
        else:
            assert found.failed == ["s3.bucket"]
            assert "herokuify bucket --apply" in bucket.hint
            assert "heroku config:set AWS_STORAGE_BUCKET_NAME=…" in bucket.hint
        assert bucket_name not in {each["Name"] for each in client_of(s3).list_buckets()["Buckets"]}

    def test_denied_list_fails(self, ready: S3Server, bucket: str, diagnose: Diagnose) -> None:
        policy(ready, bucket, PUBLIC, deny("s3:ListBucket", ""))
        found = diagnose()
        assert found.failed == ["s3.list", "s3.list"]
        assert found.states(*STEPS) == ["ok"] * 5
        assert "s3:ListBucket" in found.of("s3.list", "'default'").message
        assert "IAM" in found.of("s3.list", "'default'").hint
        assert found.states(*OBJECTS[1:], subject="'default'") == ["ok"] * 4

    def test_denied_put_fails(self, ready: S3Server, bucket: str, diagnose: Diagnose) -> None:
        storages["staticfiles"].save("a.css", ContentFile(b"a{}"))
        before = contents(ready, bucket)
        policy(ready, bucket, PUBLIC, deny("s3:PutObject", "*"))
        found = diagnose()
        assert found.failed == ["s3.put", "s3.put"]
        for alias in ("'default'", "'staticfiles'"):
            assert "s3:PutObject" in found.of("s3.put", alias).message
            assert found.states(*OBJECTS, subject=alias)[2:] == ["skipped"] * 3
        # These probes use an existing file.
        assert found.states("static.public", "static.cors") == ["ok", "ok"]
        assert found.states("media.url", "media.private") == ["skipped"] * 2
        assert contents(ready, bucket) == before

    def test_denied_put_in_an_empty_bucket_fails(
        self, ready: S3Server, bucket: str, diagnose: Diagnose
    ) -> None:
        policy(ready, bucket, deny("s3:PutObject", "*"))
        found = diagnose()
        assert found.failed == ["s3.put", "s3.put"]
        assert found.states("static.public", "static.cors") == ["skipped"] * 2

    def test_denied_get_fails(self, ready: S3Server, bucket: str, diagnose: Diagnose) -> None:
        policy(ready, bucket, PUBLIC, deny("s3:GetObject", "media/*"))
        found = diagnose()
        assert found.failed == ["s3.get", "media.url"]
        get = found.of("s3.get", "'default'")
        assert "s3:GetObject" in get.message
        assert contents(ready, bucket) == []

    def test_denied_delete_fails(self, ready: S3Server, bucket: str, diagnose: Diagnose) -> None:
        policy(ready, bucket, PUBLIC, deny("s3:DeleteObject", "media/*"))
        found = diagnose()
        assert found.failed == ["s3.delete"]
        delete = found.of("s3.delete", "'default'")
        assert "s3:DeleteObject" in delete.message
        # The finding names the only object that is left.
        [(_, key, *_)] = contents(ready, bucket)
        assert key.startswith("media/herokuify-doctor-")
        assert f"s3://{bucket}/{key}" in delete.message
        assert f"s3://{bucket}/{key}" in delete.hint
        client_of(ready).delete_bucket_policy(Bucket=bucket)

    def test_denied_delete_of_versions_is_a_warning(
        self, ready: S3Server, bucket: str, diagnose: Diagnose
    ) -> None:
        client = client_of(ready)
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        policy(ready, bucket, PUBLIC, deny("s3:DeleteObjectVersion", "media/*"))
        found = diagnose()
        assert found.failed == []
        delete = found.of("s3.delete", "'default'")
        assert delete.state == "warning"
        assert "s3:DeleteObjectVersion" in delete.hint
        [left] = {key for _, key, *_ in contents(ready, bucket)}
        assert f"s3://{bucket}/{left}" in delete.message
        client.delete_bucket_policy(Bucket=bucket)


@pytest.mark.usefixtures("s3_storages", "no_pauses")
class TestObject:
    def test_refused_acl_fails(
        self, proxied: Proxy, settings: Settings, diagnose: Diagnose, moto_bucket: str
    ) -> None:
        settings.AWS_DEFAULT_ACL = "public-read"
        proxied.rule = always(
            replay.NO_ACLS, lambda request: request.headers.get("x-amz-acl") == "public-read"
        )
        found = diagnose()
        put = found.of("s3.put", "'staticfiles'")
        assert put.state == "failed"
        assert "ACLs disabled" in put.message
        assert "Delete AWS_DEFAULT_ACL" in put.hint
        assert found.states("s3.put", subject="'default'") == ["ok"]

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (replay.NOT_IMPLEMENTED, "does not support conditional writes"),
            (
                Document(replay.CONDITIONS, b"", headers={"ETag": f'"{"0" * 32}"'}),
                "ignores the condition",
            ),
        ],
        ids=["unknown", "ignored"],
    )
    def test_service_without_conditional_writes_is_a_warning(
        self,
        proxied: Proxy,
        moto: S3Server,
        moto_bucket: str,
        diagnose: Diagnose,
        answer: Answer | Document,
        words: str,
    ) -> None:
        proxied.rule = always(answer, lambda request: "if-none-match" in request.headers)
        found = diagnose()
        conditional = found.of("s3.conditional-put", "'default'")
        assert conditional.state == "warning"
        assert words in conditional.message
        assert "one can replace the other" in conditional.message
        assert contents(moto, moto_bucket) == []

    def test_denied_conditional_write_fails(self, proxied: Proxy, diagnose: Diagnose) -> None:
        proxied.rule = always(
            replay.ACCESS_DENIED, lambda request: "if-none-match" in request.headers
        )
        assert diagnose().states("s3.conditional-put", subject="'default'") == ["failed"]

    @pytest.mark.parametrize("versioned", [False, True])
    @pytest.mark.parametrize("fault", [Fault.LOST, Fault.DROPPED, replay.INTERNAL_ERROR])
    @pytest.mark.parametrize("operation", ["PutObject", "GetObject", "DeleteObject"])
    def test_failure_leaves_no_object(
        self,
        proxied: Proxy,
        moto: S3Server,
        moto_bucket: str,
        diagnose: Diagnose,
        operation: str,
        fault: Any,
        versioned: bool,
    ) -> None:
        if versioned:
            client_of(moto).put_bucket_versioning(
                Bucket=moto_bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        proxied.on(operation, fault, fault, None)  # both tries of one request
        found = diagnose()
        assert f"s3.{operation[:3].lower()}" in {name[:6] for name in found.failed}
        assert contents(moto, moto_bucket) == []

    @pytest.mark.parametrize("operation", ["PutObject", "DeleteObject"])
    def test_lost_answer_leaves_no_object(
        self,
        proxied: Proxy,
        moto: S3Server,
        moto_bucket: str,
        diagnose: Diagnose,
        operation: str,
    ) -> None:
        client_of(moto).put_bucket_versioning(
            Bucket=moto_bucket, VersioningConfiguration={"Status": "Enabled"}
        )
        proxied.on(operation, Fault.LOST, None)
        assert "s3.put" not in diagnose().failed
        assert contents(moto, moto_bucket) == []

    def test_different_content_is_reported(
        self, proxied: Proxy, moto: S3Server, moto_bucket: str, diagnose: Diagnose
    ) -> None:
        headers = {"ETag": f'"{"0" * 32}"'}
        proxied.on("GetObject", Document(replay.ERRORS, b"something else", headers=headers))
        found = diagnose()
        assert "different content" in found.of("s3.get", "'default'").message
        assert contents(moto, moto_bucket) == []

    def test_objects_of_probes_are_not_locked(
        self, proxied: Proxy, settings: Settings, diagnose: Diagnose
    ) -> None:
        settings.AWS_HEADERS = {
            "x-amz-object-lock-mode": "COMPLIANCE",
            "x-amz-object-lock-retain-until-date": "2099-01-01T00:00:00Z",
            "x-amz-meta-owner": "me",
        }
        diagnose()
        puts = [request for request in proxied.requests if request.operation == "PutObject"]
        assert puts
        for put in puts:
            assert put.headers["x-amz-meta-owner"] == "me"
            assert "x-amz-object-lock-mode" not in put.headers


def test_equal_storages_are_probed_once(
    ready: S3Server,
    name_storages: Callable[..., None],
    settings: Settings,
    diagnose: Diagnose,
) -> None:
    name_storages(default=MEDIA, staticfiles=STATIC, other=MEDIA)
    settings.COMPRESS_STORAGE = STATIC
    found = diagnose()
    assert found.of("s3.list", "'default'").subject == "STORAGES['default'], STORAGES['other']"
    assert found.of("s3.list", "'staticfiles'").subject == (
        "STORAGES['staticfiles'], COMPRESS_STORAGE"
    )


def test_client_config_of_the_project_is_kept(
    ready: S3Server, settings: Settings, diagnose: Diagnose
) -> None:
    settings.AWS_S3_CLIENT_CONFIG = Config(
        user_agent_extra="mine", request_checksum_calculation="when_required"
    )
    assert diagnose().failed == []
    config: Any = storages["default"].probing_client.meta.config  # type: ignore[attr-defined]
    assert config.user_agent_extra == "mine"
    assert (config.connect_timeout, config.read_timeout) == (3, 5)
