"""The doctor's findings on direct uploads."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from pytest_django import Settings

from herokuify.doctor import uploads
from tests.buckets.conftest import run
from tests.doctor.conftest import Diagnose, contents
from tests.servers import S3Server, client_of

NAMES = ("uploads.cors", "uploads.put", "uploads.once", "uploads.length", "uploads.stale")


@pytest.fixture(autouse=True)
def rules(settings: Settings) -> None:
    settings.HEROKUIFY_DIRECT_UPLOADS = {"testapp.Document.file": {"max_size": 10}}


def test_bucket_command_fixes_the_failures(
    ready: S3Server, diagnose: Diagnose, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = diagnose()
    assert found.states(*NAMES)[:3] == ["failed", "ok", "ok"]
    assert "bucket --apply" in found.of("uploads.cors").hint
    # Ceph uses the first rule for the origin, which would be the fixture's.
    client_of(ready).delete_bucket_cors(Bucket=bucket)
    run("--apply")
    found = diagnose()
    # moto doesn't check signatures.
    length = "ok" if ready.name == "ceph" else "failed"
    assert found.states(*NAMES) == ["ok", "ok", "ok", length, "ok"]
    assert contents(ready, bucket) == []

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz or timezone.utc) + timedelta(days=uploads.STALE_DAYS + 1)

    client_of(ready).put_object(Bucket=bucket, Key="pending/forgotten")
    monkeypatch.setattr(uploads, "datetime", Later)
    assert diagnose().states("uploads.stale") == ["warning"]
